/** Pods: defaults, checks, and what of a pod may still change. */
import type { FieldProblem } from '../../types.ts';
import { copy, equal, type PlainObject } from '../plain.ts';
import { forbidden, invalid } from '../problems.ts';
import { at, type Fields, list, objects } from './fields.ts';
import { checkPodSpec, warnPodSpec } from './pod-checks.ts';
import { defaultPod, defaultPodSpec } from './pod-defaults.ts';
import type { Semantics } from './semantics.ts';

export const podSemantics: Semantics = {
  normalize(object) {
    const spec = at(object, 'spec');
    if (object.spec !== undefined) {
      defaultPodSpec(spec);
      defaultPod(spec);
    }
    return object;
  },
  check(object, old) {
    const problems = checkPodSpec(at(object, 'spec'), 'spec');
    return old === undefined ? problems : [...problems, ...checkChange(object, old)];
  },
  warn: (object) => warnPodSpec(at(object, 'spec'), 'spec'),
};

export const podTemplateSemantics: Semantics = {
  normalize(object) {
    if (at(object, 'template').spec !== undefined) defaultPodSpec(at(object, 'template', 'spec'));
    return object;
  },
  check: (object) => checkPodSpec(at(object, 'template', 'spec'), 'template.spec'),
};

const changeable =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)';

function checkChange(object: PlainObject, old: PlainObject): readonly FieldProblem[] {
  const now = at(object, 'spec');
  const before = at(old, 'spec');
  const problems: FieldProblem[] = [];
  const deadline = now.activeDeadlineSeconds as number | undefined;
  const earlier = before.activeDeadlineSeconds as number | undefined;
  if (earlier !== undefined && (deadline === undefined || deadline > earlier)) {
    problems.push(
      invalid('spec.activeDeadlineSeconds', deadline ?? null, 'must be less than or equal to previous value'),
    );
  }
  const kept = list(before.tolerations).every((each) =>
    list(now.tolerations).some((other) => sameToleration(each, other)),
  );
  if (!kept)
    problems.push(
      forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds'),
    );
  if (!equal(fixedPart(now, before), fixedPart(before, before))) problems.push(forbidden('spec', changeable));
  return problems;
}

function sameToleration(a: unknown, b: unknown): boolean {
  const without = (each: unknown) => {
    const { tolerationSeconds: _, ...rest } = at(each);
    return rest;
  };
  return equal(without(a), without(b));
}

/** A spec with what may change set to what it was. */
function fixedPart(spec: Fields, before: Fields): Fields {
  const out = copy(spec);
  const { activeDeadlineSeconds, tolerations, ephemeralContainers, schedulingGates, nodeName } = before;
  Object.assign(out, { activeDeadlineSeconds, tolerations, ephemeralContainers });
  if (list(out.schedulingGates).every((gate) => list(schedulingGates).some((each) => equal(each, gate)))) {
    out.schedulingGates = schedulingGates;
  }
  // Binding sets it once.
  if (nodeName === undefined) out.nodeName = undefined;
  if (Number(before.terminationGracePeriodSeconds) < 0 && out.terminationGracePeriodSeconds === 1) {
    out.terminationGracePeriodSeconds = before.terminationGracePeriodSeconds;
  }
  for (const containers of ['initContainers', 'containers']) {
    for (const [i, container] of objects(out[containers])) {
      const image = at(list(before[containers])[i]).image;
      container.image = image;
    }
  }
  for (const key of Object.keys(out)) if (out[key] === undefined) delete out[key];
  return out;
}
