/** Deployments, ReplicaSets, StatefulSets, DaemonSets and ControllerRevisions. */
import type { FieldProblem } from '../../types.ts';
import { equal, type PlainObject } from '../plain.ts';
import { forbidden, invalid, notSupported, required } from '../problems.ts';
import { at, countOrShare, ensure, type Fields, fill, immutable, notNegative } from './fields.ts';
import { checkLabels } from './metadata.ts';
import { checkPodSpec, warnPodSpec } from './pod-checks.ts';
import { defaultPodSpec } from './pod-defaults.ts';
import { checkSelector, isEmptySelector, selectorMatches } from './selectors.ts';
import type { Semantics } from './semantics.ts';

const warn = (object: PlainObject) =>
  warnPodSpec(at(object, 'spec', 'template', 'spec'), 'spec.template.spec');

export const deploymentSemantics: Semantics = {
  warn,
  normalize(object) {
    const spec = at(object, 'spec');
    fill(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
    const strategy = ensure(spec, 'strategy');
    fill(strategy, { type: 'RollingUpdate' });
    if (strategy.type === 'RollingUpdate')
      fill(ensure(strategy, 'rollingUpdate'), { maxUnavailable: '25%', maxSurge: '25%' });
    defaultPodSpec(at(spec, 'template', 'spec'));
    return object;
  },
  check(object, old) {
    const spec = at(object, 'spec');
    const strategy = at(spec, 'strategy');
    const rolling = at(strategy, 'rollingUpdate');
    const problems = [...checkWorkload(spec, at(old, 'spec'), old)];
    if (strategy.type === 'Recreate' && strategy.rollingUpdate !== undefined) {
      problems.push(
        forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'"),
      );
    }
    problems.push(...checkRolling(rolling, 'spec.strategy.rollingUpdate'));
    const deadline = spec.progressDeadlineSeconds as number;
    if (deadline <= ((spec.minReadySeconds as number | undefined) ?? 0)) {
      problems.push(
        invalid('spec.progressDeadlineSeconds', deadline, 'must be greater than minReadySeconds'),
      );
    }
    return problems;
  },
};

export const replicaSetSemantics: Semantics = {
  warn,
  normalize(object) {
    const spec = at(object, 'spec');
    fill(spec, { replicas: 1 });
    if (at(spec, 'template').spec !== undefined) defaultPodSpec(at(spec, 'template', 'spec'));
    return object;
  },
  check: (object, old) => checkWorkload(at(object, 'spec'), at(old, 'spec'), old),
};

/** Nothing runs them: what is stored only has to be what a client reads back. */
export const replicationControllerSemantics: Semantics = {
  warn,
  normalize(object) {
    const spec = at(object, 'spec');
    fill(spec, { replicas: 1 });
    if (at(spec, 'template').spec !== undefined) defaultPodSpec(at(spec, 'template', 'spec'));
    return object;
  },
};

export const daemonSetSemantics: Semantics = {
  warn,
  normalize(object) {
    const spec = at(object, 'spec');
    fill(spec, { revisionHistoryLimit: 10 });
    const strategy = ensure(spec, 'updateStrategy');
    fill(strategy, { type: 'RollingUpdate' });
    if (strategy.type === 'RollingUpdate')
      fill(ensure(strategy, 'rollingUpdate'), { maxUnavailable: 1, maxSurge: 0 });
    defaultPodSpec(at(spec, 'template', 'spec'));
    return object;
  },
  check(object, old) {
    const spec = at(object, 'spec');
    const rolling = at(spec, 'updateStrategy', 'rollingUpdate');
    return [
      ...checkWorkload(spec, at(old, 'spec'), old),
      ...checkRolling(rolling, 'spec.updateStrategy.rollingUpdate'),
    ];
  },
};

const statefulSetChanges =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

export const statefulSetSemantics: Semantics = {
  warn,
  normalize(object) {
    const spec = at(object, 'spec');
    fill(spec, { replicas: 1, revisionHistoryLimit: 10, podManagementPolicy: 'OrderedReady' });
    const strategy = ensure(spec, 'updateStrategy');
    fill(strategy, { type: 'RollingUpdate' });
    if (strategy.type === 'RollingUpdate') fill(ensure(strategy, 'rollingUpdate'), { partition: 0 });
    fill(ensure(spec, 'persistentVolumeClaimRetentionPolicy'), {
      whenDeleted: 'Retain',
      whenScaled: 'Retain',
    });
    defaultPodSpec(at(spec, 'template', 'spec'));
    return object;
  },
  check(object, old) {
    const spec = at(object, 'spec');
    const problems = [...checkWorkload(spec, {}, undefined)];
    if (old !== undefined && !equal(fixedPart(spec), fixedPart(at(old, 'spec'))))
      problems.push(forbidden('spec', statefulSetChanges));
    return problems;
  },
};

function fixedPart(spec: Fields): Fields {
  const {
    replicas: _,
    ordinals: __,
    template: ___,
    updateStrategy: ____,
    minReadySeconds: _____,
    ...rest
  } = spec;
  const { persistentVolumeClaimRetentionPolicy: ______, revisionHistoryLimit: _______, ...fixed } = rest;
  return fixed;
}

export const controllerRevisionSemantics: Semantics = {
  check(object, old) {
    if (object.data === undefined) return [required('data', 'data is mandatory')];
    return old === undefined ? [] : immutable(object as Fields, old as Fields, '', 'data');
  },
};

/** What all of them share: selector, template, replicas. */
function checkWorkload(spec: Fields, before: Fields, old: PlainObject | undefined): readonly FieldProblem[] {
  const selector = at(spec, 'selector');
  const problems: FieldProblem[] = [
    ...notNegative(spec.replicas, 'spec.replicas'),
    ...notNegative(spec.minReadySeconds, 'spec.minReadySeconds'),
    ...notNegative(spec.revisionHistoryLimit, 'spec.revisionHistoryLimit'),
    ...checkSelector(selector, 'spec.selector'),
  ];
  if (isEmptySelector(selector))
    problems.push(invalid('spec.selector', selector, 'empty selector would match every pod'));
  problems.push(...checkTemplate(at(spec, 'template'), selector, ['Always']));
  if (old !== undefined) problems.push(...immutable(spec, before, 'spec', 'selector'));
  return problems;
}

/** A pod template that a selector must match. */
export function checkTemplate(
  template: Fields,
  selector: Fields,
  restartPolicies: readonly string[],
): readonly FieldProblem[] {
  const labels = at(template, 'metadata', 'labels');
  const problems: FieldProblem[] = [...checkLabels(labels, 'spec.template.metadata.labels')];
  if (!isEmptySelector(selector) && !selectorMatches(selector, labels)) {
    problems.push(
      invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
    );
  }
  const spec = at(template, 'spec');
  problems.push(...checkPodSpec(spec, 'spec.template.spec'));
  if (!restartPolicies.includes(String(spec.restartPolicy))) {
    problems.push(notSupported('spec.template.spec.restartPolicy', spec.restartPolicy, restartPolicies));
  }
  if (spec.activeDeadlineSeconds !== undefined && restartPolicies.includes('Always')) {
    problems.push(
      forbidden(
        'spec.template.spec.activeDeadlineSeconds',
        'activeDeadlineSeconds in this kind is not Supported',
      ),
    );
  }
  return problems;
}

function checkRolling(rolling: Fields, path: string): readonly FieldProblem[] {
  const { maxUnavailable, maxSurge } = rolling;
  const problems = [
    ...countOrShare(maxUnavailable, `${path}.maxUnavailable`),
    ...countOrShare(maxSurge, `${path}.maxSurge`, false),
  ];
  const none = (value: unknown) => value === 0 || value === '0%';
  if (maxUnavailable !== undefined && none(maxUnavailable) && none(maxSurge)) {
    problems.push(invalid(`${path}.maxUnavailable`, maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
  }
  return problems;
}
