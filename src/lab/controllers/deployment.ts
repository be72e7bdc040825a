/** Deployment: ReplicaSets of its template's versions, scaled against each other so that enough pods are available. */
import { isAlreadyExists, isNotFound } from '#kube/client.ts';
import { timestamp } from '#kube/conditions.ts';
import {
  type Deployment,
  deploymentType,
  type PodCondition,
  type ReplicaSet,
  replicaSetType,
} from '../objects.ts';
import {
  type Controller,
  type ControllerContext,
  eventFor,
  keyOfObject,
  splitKey,
  startController,
  untilSeen,
} from './controller.ts';
import type { Informers } from './informers.ts';
import { controllerOf, isActive, isTerminating, ownerReference, scaled, templateHash } from './pods.ts';
import { withConditions, writeStatus } from './status.ts';

export type RolloutPlan = {
  /** Wanted replicas by ReplicaSet name, where they change. */
  readonly scale: Readonly<Record<string, number>>;
  /** Old, empty and beyond the history limit. */
  readonly remove: readonly string[];
};

const revisionKey = 'deployment.kubernetes.io/revision';

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

export function deploymentController(context: ControllerContext, informers: Informers): Controller {
  const { client } = context;
  const { deployments, replicaSets, pods } = informers;

  const reconcile = async (key: string) => {
    const deployment = deployments.get(...splitKey(key));
    if (deployment === undefined || isTerminating(deployment)) return;
    const owned = replicaSets.byIndex('owner', deployment.metadata.uid ?? '');
    const current = await ensureCurrent(deployment, owned);
    const old = owned.filter(({ metadata }) => metadata.name !== current.metadata.name);
    const left = old.some((set) =>
      pods.byIndex('owner', set.metadata.uid ?? '').some((pod) => isActive(pod) || isTerminating(pod)),
    );
    const plan = planRollout(deployment, current, old, left);
    for (const [name, replicas] of Object.entries(plan.scale)) await resize(deployment, name, replicas);
    for (const name of plan.remove) {
      await client
        .delete(replicaSetType, name, { namespace: deployment.metadata.namespace })
        .catch(ignoreMissing);
    }
    const all = replicaSets.byIndex('owner', deployment.metadata.uid ?? '');
    const fresh = all.find(({ metadata }) => metadata.name === current.metadata.name) ?? current;
    const status = deploymentStatus(deployment, fresh, all, new Date());
    await writeStatus(context, deploymentType, deployment, status);
    const done = (status.conditions as readonly PodCondition[]).find(
      ({ type }) => type === 'Progressing',
    )?.reason;
    return done === 'ReplicaSetUpdated'
      ? { requeueAfter: (deployment.spec.progressDeadlineSeconds ?? 600) * 1000 + 1000 }
      : undefined;
  };
  const ensureCurrent = async (deployment: Deployment, owned: readonly ReplicaSet[]): Promise<ReplicaSet> => {
    const hash = templateHash(deployment.spec.template);
    const name = `${deployment.metadata.name}-${hash}`;
    const latest = Math.max(0, ...owned.map(revisionOf));
    const found = owned.find(({ metadata }) => metadata.name === name);
    if (found === undefined) {
      const set = newReplicaSet(deployment, name, hash, latest + 1);
      const made = await client.create<ReplicaSet>(replicaSetType, set).catch(async (error: unknown) => {
        if (!isAlreadyExists(error)) throw error;
        const other = await client.get<ReplicaSet>(replicaSetType, name, deployment.metadata.namespace);
        if (controllerOf(other)?.uid !== deployment.metadata.uid) throw error;
        return other;
      });
      eventFor(context, deployment, 'Normal', 'ScalingReplicaSet', `Created ReplicaSet ${name}`);
      await untilSeen(replicaSets, () => replicaSets.get(made.metadata.namespace, name) !== undefined);
      await annotate(deployment, latest + 1);
      return made;
    }
    // Rolled back: the old version is the newest again.
    if (revisionOf(found) < latest) {
      const body = { metadata: { annotations: { [revisionKey]: String(latest + 1) } } };
      const { namespace } = found.metadata;
      await client.patch(replicaSetType, { name, namespace }, { kind: 'merge', body });
      await untilSeen(replicaSets, () => revisionOf(replicaSets.get(namespace, name) ?? found) > latest);
      await annotate(deployment, latest + 1);
      return replicaSets.get(namespace, name) ?? found;
    }
    await annotate(deployment, revisionOf(found));
    return found;
  };
  const annotate = async (deployment: Deployment, revision: number): Promise<void> => {
    if (deployment.metadata.annotations?.[revisionKey] === String(revision)) return;
    const { name, namespace } = deployment.metadata;
    const body = { metadata: { annotations: { [revisionKey]: String(revision) } } };
    await client.patch(deploymentType, { name, namespace }, { kind: 'merge', body });
  };
  const resize = async (deployment: Deployment, name: string, replicas: number): Promise<void> => {
    const { namespace } = deployment.metadata;
    await client.patch(replicaSetType, { name, namespace }, { kind: 'merge', body: { spec: { replicas } } });
    eventFor(context, deployment, 'Normal', 'ScalingReplicaSet', `Scaled ReplicaSet ${name} to ${replicas}`);
    await untilSeen(
      replicaSets,
      () => (replicaSets.get(namespace, name)?.spec.replicas ?? replicas) === replicas,
    );
  };
  return startController(context, {
    name: 'deployment',
    sources: [
      { informer: deployments, keys: (deployment) => [keyOfObject(deployment)] },
      { informer: replicaSets, keys: deploymentOf },
      // A Recreate waits for the last old pod's end, which changes no ReplicaSet.
      {
        informer: pods,
        keys: (pod) => {
          const owner = controllerOf(pod);
          const set =
            owner?.kind === 'ReplicaSet' ? replicaSets.get(pod.metadata.namespace, owner.name) : undefined;
          return set !== undefined && isTerminating(pod) ? deploymentOf(set) : [];
        },
      },
    ],
    reconcile,
  });
}

function deploymentOf(set: ReplicaSet): readonly string[] {
  const owner = controllerOf(set);
  return owner?.kind === 'Deployment' ? [`${set.metadata.namespace}/${owner.name}`] : [];
}

function newReplicaSet(deployment: Deployment, name: string, hash: string, revision: number): ReplicaSet {
  const { template, selector, minReadySeconds } = deployment.spec;
  const label = { 'pod-template-hash': hash };
  const labels = { ...template.metadata?.labels, ...label };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name,
      namespace: deployment.metadata.namespace ?? '',
      labels,
      annotations: { [revisionKey]: String(revision) },
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas: 0,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, ...label } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

function ignoreMissing(error: unknown): void {
  if (!isNotFound(error)) throw error;
}
