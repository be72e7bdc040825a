/** Nodes, Namespaces, Leases, Events, disruption budgets, priority and storage classes, limit ranges, quotas. */
import { parsePrefix } from '#net/prefix.ts';
import type { FieldProblem } from '../../types.ts';
import { child, duplicate, forbidden, indexed, invalid, keyed, required } from '../problems.ts';
import { parseQuantity } from '../quantity.ts';
import {
  at,
  countOrShare,
  type Fields,
  fill,
  immutable,
  list,
  notNegative,
  number,
  objects,
  text,
} from './fields.ts';
import { labelKeyProblem, labelValueProblem } from './names.ts';
import { checkSelector } from './selectors.ts';
import type { Semantics } from './semantics.ts';

export const namespaceSemantics: Semantics = { name: 'label' };

export const nodeSemantics: Semantics = {
  normalize(object) {
    const spec = at(object, 'spec');
    if (text(spec.podCIDR) !== '' && list(spec.podCIDRs).length === 0) spec.podCIDRs = [spec.podCIDR];
    else if (list(spec.podCIDRs).length > 0) fill(spec, { podCIDR: list(spec.podCIDRs)[0] });
    return object;
  },
  check(object, old) {
    const spec = at(object, 'spec');
    const problems: FieldProblem[] = [];
    const ranges = list(spec.podCIDRs);
    for (const [i, range] of ranges.entries()) {
      if (parsePrefix(text(range)) === undefined)
        problems.push(invalid(indexed('spec.podCIDRs', i), range, 'must be a valid CIDR value'));
    }
    const families = new Set(ranges.map((range) => text(range).includes(':')));
    if (ranges.length > 2 || (ranges.length === 2 && families.size !== 2)) {
      problems.push(invalid('spec.podCIDRs', ranges, 'may specify no more than one CIDR for each IP family'));
    }
    problems.push(...checkTaints(spec));
    const before = at(old, 'spec');
    for (const field of ['podCIDRs', 'providerID']) {
      const was = before[field];
      if (old === undefined || was === undefined || (Array.isArray(was) && was.length === 0)) continue;
      if (immutable(spec, before, 'spec', field).length > 0) {
        problems.push(forbidden(`spec.${field}`, 'node updates may not change it once it is set'));
      }
    }
    return problems;
  },
};

function checkTaints(spec: Fields): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  const seen = new Set<string>();
  for (const [i, taint] of objects(spec.taints)) {
    const path = indexed('spec.taints', i);
    const keyProblem = labelKeyProblem(text(taint.key));
    if (keyProblem !== undefined) problems.push(invalid(child(path, 'key'), taint.key, keyProblem));
    const valueProblem = labelValueProblem(text(taint.value));
    if (valueProblem !== undefined) problems.push(invalid(child(path, 'value'), taint.value, valueProblem));
    const key = `${text(taint.key)}:${text(taint.effect)}`;
    if (seen.has(key))
      problems.push({
        ...duplicate(path, taint),
        message: 'Duplicate value: taints must be unique by key and effect pair',
      });
    seen.add(key);
  }
  return problems;
}

export const leaseSemantics: Semantics = {
  check(object) {
    const spec = at(object, 'spec');
    const problems: FieldProblem[] = [...notNegative(spec.leaseTransitions, 'spec.leaseTransitions')];
    const duration = number(spec.leaseDurationSeconds);
    if (duration !== undefined && duration <= 0)
      problems.push(invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0'));
    if (spec.holderIdentity === '') problems.push(invalid('spec.holderIdentity', '', 'must not be empty'));
    return problems;
  },
};

export const eventSemantics: Semantics = {
  check(object) {
    const about = at(object, 'involvedObject');
    const namespace = text(about.namespace);
    const own = text(at(object, 'metadata').namespace);
    const expected = namespace === '' ? ['default', 'kube-system'] : [namespace];
    return own === '' || expected.includes(own)
      ? []
      : [invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
  },
};

export const eventV1Semantics: Semantics = {
  check(object, old) {
    if (old !== undefined) return [];
    const problems: FieldProblem[] = [];
    if (object.eventTime === undefined) problems.push(required('eventTime'));
    for (const field of ['reportingController', 'reportingInstance', 'action', 'reason']) {
      const value = text(object[field]);
      if (value === '') problems.push(required(field));
      else if (value.length > 128) problems.push(invalid(field, value, 'can have at most 128 characters'));
    }
    if (object.type !== 'Normal' && object.type !== 'Warning')
      problems.push(invalid('type', object.type ?? '', 'has invalid value: must be Normal or Warning'));
    if (text(object.note).length > 1024)
      problems.push(invalid('note', '', 'can have at most 1024 characters'));
    return problems;
  },
};

export const disruptionBudgetSemantics: Semantics = {
  check(object) {
    const spec = at(object, 'spec');
    const problems: FieldProblem[] = [...checkSelector(at(spec, 'selector'), 'spec.selector')];
    if (spec.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
      problems.push(invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set'));
    }
    for (const field of ['minAvailable', 'maxUnavailable'])
      problems.push(...countOrShare(spec[field], `spec.${field}`));
    return problems;
  },
};

export const priorityClassSemantics: Semantics = {
  normalize(object) {
    fill(object as Fields, { preemptionPolicy: 'PreemptLowerPriority', value: 0 });
    return object;
  },
  check(object, old) {
    const problems: FieldProblem[] = [];
    const name = text(at(object, 'metadata').name);
    const value = number(object.value) ?? 0;
    const system = name === 'system-cluster-critical' || name === 'system-node-critical';
    if (name.startsWith('system-') && !system)
      problems.push(
        forbidden(
          'metadata.name',
          "priority class names with 'system-' prefix are reserved for system use only",
        ),
      );
    if (value > 1_000_000_000 && !system)
      problems.push(forbidden('value', 'maximum allowed value of a user defined priority is 1000000000'));
    if (old === undefined) return problems;
    return [...problems, ...immutable(object as Fields, old as Fields, '', 'value', 'preemptionPolicy')];
  },
};

export const storageClassSemantics: Semantics = {
  normalize(object) {
    fill(object as Fields, { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' });
    return object;
  },
  check(object, old) {
    if (text(object.provisioner) === '') return [required('provisioner')];
    if (old === undefined) return [];
    return immutable(
      object as Fields,
      old as Fields,
      '',
      'provisioner',
      'parameters',
      'reclaimPolicy',
      'volumeBindingMode',
    );
  },
};

export const limitRangeSemantics: Semantics = {
  check(object) {
    const problems: FieldProblem[] = [];
    const nanos = (value: unknown) => parseQuantity(text(value))?.nanos;
    for (const [i, limit] of objects(at(object, 'spec').limits)) {
      const path = indexed('spec.limits', i);
      for (const [resource, lowest] of Object.entries(at(limit, 'min'))) {
        const [low, high] = [nanos(lowest), nanos(at(limit, 'max')[resource])];
        if (low !== undefined && high !== undefined && low > high) {
          problems.push(
            invalid(
              keyed(child(path, 'min'), resource),
              lowest,
              `min value ${text(lowest)} is greater than max value ${text(at(limit, 'max')[resource])}`,
            ),
          );
        }
      }
    }
    return problems;
  },
};

export const quotaSemantics: Semantics = {
  check(object, old) {
    const problems: FieldProblem[] = [];
    for (const [resource, value] of Object.entries(at(object, 'spec', 'hard'))) {
      const amount = parseQuantity(text(value))?.nanos;
      if (amount !== undefined && amount < 0n)
        problems.push(invalid(keyed('spec.hard', resource), value, 'must be greater than or equal to 0'));
    }
    return old === undefined
      ? problems
      : [...problems, ...immutable(at(object, 'spec'), at(old, 'spec'), 'spec', 'scopes')];
  },
};
