/** How a Deployment's ReplicaSets are scaled against each other, and what its status says; pure. */
import { timestamp } from '#kube/conditions.ts';
import type { PodCondition } from '../objects/pod.ts';
import type { Deployment, ReplicaSet } from '../objects/workload.ts';
import { isTerminating, scaled } from './pods.ts';
import { withConditions } from './status.ts';

export type RolloutPlan = {
  /** Wanted replicas by ReplicaSet name, where they change. */
  readonly scale: Readonly<Record<string, number>>;
  /** Old, empty and beyond the history limit. */
  readonly remove: readonly string[];
};

export const revisionKey = 'deployment.kubernetes.io/revision';

/** `current` is the ReplicaSet of the template, `old` the others, `running` whether any pod of the old ones is left. */
export function planRollout(
  deployment: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
  oldPodsLeft: boolean,
): RolloutPlan {
  const wanted = deployment.spec.replicas ?? 1;
  const size = (set: ReplicaSet): number => set.spec.replicas ?? 0;
  const scale: Record<string, number> = {};
  const to = (set: ReplicaSet, replicas: number): void => {
    if (size(set) !== replicas) scale[set.metadata.name] = replicas;
  };
  const total = [current, ...old].reduce((sum, set) => sum + size(set), 0);
  if (deployment.spec.paused === true) {
    // Only a change of the size is followed: by the newest that has any.
    const newest = [current, ...old].find((set) => size(set) > 0) ?? current;
    if (total !== wanted) to(newest, Math.max(0, size(newest) + wanted - total));
  } else if (deployment.spec.strategy?.type === 'Recreate') {
    for (const set of old) to(set, 0);
    if (!oldPodsLeft && old.every((set) => size(set) === 0)) to(current, wanted);
  } else {
    const { surge, outage } = rollingLimits(deployment);
    const room = wanted + surge - total;
    const next = size(current) >= wanted ? wanted : Math.min(wanted, size(current) + Math.max(0, room));
    to(current, next);
    shrinkOld(deployment, current, old, total, outage, to);
  }
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const empty = old.filter(
    (set) => size(set) === 0 && (set.status?.replicas ?? 0) === 0 && !isTerminating(set),
  );
  const remove = empty.toSorted((a, b) => revisionOf(b) - revisionOf(a)).slice(limit);
  return { scale, remove: remove.map(({ metadata }) => metadata.name) };
}

function shrinkOld(
  deployment: Deployment,
  current: ReplicaSet,
  old: readonly ReplicaSet[],
  total: number,
  outage: number,
  to: (set: ReplicaSet, replicas: number) => void,
): void {
  const wanted = deployment.spec.replicas ?? 1;
  const available = (set: ReplicaSet): number => set.status?.availableReplicas ?? 0;
  const missingNew = (current.spec.replicas ?? 0) - available(current);
  let spare = total - (wanted - outage) - missingNew;
  // Pods that serve nobody go first, and cost nothing.
  const sizes = new Map(old.map((set) => [set, set.spec.replicas ?? 0]));
  const oldest = old.toSorted((a, b) => revisionOf(a) - revisionOf(b));
  for (const set of oldest) {
    const useless = Math.min(Math.max(0, (sizes.get(set) ?? 0) - available(set)), Math.max(0, spare));
    sizes.set(set, (sizes.get(set) ?? 0) - useless);
    spare -= useless;
  }
  const serving = [current, ...old].reduce((sum, set) => sum + available(set), 0);
  let free = serving - (wanted - outage);
  for (const set of oldest) {
    const gone = Math.min(sizes.get(set) ?? 0, Math.max(0, free));
    sizes.set(set, (sizes.get(set) ?? 0) - gone);
    free -= gone;
    to(set, sizes.get(set) ?? 0);
  }
}

/** Both zero would never move: one pod may then be out. */
export function rollingLimits(deployment: Deployment): { readonly surge: number; readonly outage: number } {
  const wanted = deployment.spec.replicas ?? 1;
  const rolling = deployment.spec.strategy?.rollingUpdate;
  const surge = scaled(rolling?.maxSurge, wanted, 'up', '25%');
  const outage = Math.min(wanted, scaled(rolling?.maxUnavailable, wanted, 'down', '25%'));
  return surge === 0 && outage === 0 ? { surge, outage: 1 } : { surge, outage };
}

export function deploymentStatus(
  deployment: Deployment,
  current: ReplicaSet,
  all: readonly ReplicaSet[],
  now: Date,
): Readonly<Record<string, unknown>> {
  const sum = (field: 'replicas' | 'readyReplicas' | 'availableReplicas'): number =>
    all.reduce((total, { status }) => total + (status?.[field] ?? 0), 0);
  const wanted = deployment.spec.replicas ?? 1;
  const available = sum('availableReplicas');
  const updated = current.status?.replicas ?? 0;
  const before = (deployment.status?.conditions ?? []) as readonly PodCondition[];
  const enough = available >= wanted - rollingLimits(deployment).outage;
  const complete = updated === wanted && sum('replicas') === wanted && available >= wanted;
  const conditions: readonly PodCondition[] = [
    enough
      ? {
          type: 'Available',
          status: 'True',
          reason: 'MinimumReplicasAvailable',
          message: 'Deployment has minimum availability.',
        }
      : {
          type: 'Available',
          status: 'False',
          reason: 'MinimumReplicasUnavailable',
          message: 'Deployment does not have minimum availability.',
        },
    progress(deployment, current, complete, updated, available, before, now),
  ];
  const positive = (count: number): number | undefined => (count > 0 ? count : undefined);
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    replicas: positive(sum('replicas')),
    updatedReplicas: positive(updated),
    readyReplicas: positive(sum('readyReplicas')),
    availableReplicas: positive(available),
    unavailableReplicas: positive(Math.max(0, Math.max(wanted, sum('replicas')) - available)),
    conditions: withConditions(before, conditions, now),
  };
}

/** `Progressing` is False once nothing moved for the deadline. */
function progress(
  deployment: Deployment,
  current: ReplicaSet,
  complete: boolean,
  updated: number,
  available: number,
  before: readonly PodCondition[],
  now: Date,
): PodCondition {
  const { name } = current.metadata;
  const base = { type: 'Progressing' } as const;
  if (complete) {
    return {
      ...base,
      status: 'True',
      reason: 'NewReplicaSetAvailable',
      message: `ReplicaSet "${name}" has successfully progressed.`,
    };
  }
  const old = before.find(({ type }) => type === 'Progressing');
  const status = deployment.status ?? {};
  const moved =
    old === undefined ||
    old.reason === 'NewReplicaSetAvailable' ||
    (status.updatedReplicas ?? 0) !== updated ||
    (status.availableReplicas ?? 0) !== available ||
    status.observedGeneration !== deployment.metadata.generation;
  const lastUpdateTime = moved ? timestamp(now) : (old?.lastUpdateTime ?? timestamp(now));
  const deadline = (deployment.spec.progressDeadlineSeconds ?? 600) * 1000;
  const late = !moved && now.getTime() - Date.parse(lastUpdateTime) > deadline;
  const condition = late
    ? {
        status: 'False' as const,
        reason: 'ProgressDeadlineExceeded',
        message: `ReplicaSet "${name}" has timed out progressing.`,
      }
    : {
        status: 'True' as const,
        reason: 'ReplicaSetUpdated',
        message: `ReplicaSet "${name}" is progressing.`,
      };
  return { ...base, ...condition, lastUpdateTime };
}

export function revisionOf(set: ReplicaSet): number {
  return Number(set.metadata.annotations?.[revisionKey] ?? 0);
}
