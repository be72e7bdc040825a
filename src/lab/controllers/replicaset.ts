/** ReplicaSet: as many pods of a template as its spec says. */
import { podType } from '#api/core.ts';
import { selects } from '#model/selector.ts';
import type { Pod } from '../objects/pod.ts';
import { type ReplicaSet, replicaSetType } from '../objects/workload.ts';
import {
  type Controller,
  type ControllerContext,
  keyOfObject,
  splitKey,
  startController,
  untilSeen,
} from './controller.ts';
import type { Informers } from './informers.ts';
import {
  controllerOf,
  deletionOrder,
  isActive,
  isAvailable,
  isReady,
  isTerminating,
  ownerReference,
  podFrom,
} from './pods.ts';
import { createPod, removePod } from './podwrites.ts';
import { writeStatus } from './status.ts';

export type ReplicaPlan = { readonly create: number; readonly remove: readonly Pod[] };

/** `pods` are the ones that the set owns. */
export function planReplicas(set: ReplicaSet, pods: readonly Pod[]): ReplicaPlan {
  if (isTerminating(set)) return { create: 0, remove: [] };
  const active = pods.filter(isActive);
  const wanted = set.spec.replicas ?? 1;
  if (active.length <= wanted) return { create: wanted - active.length, remove: [] };
  return { create: 0, remove: deletionOrder(active).slice(0, active.length - wanted) };
}

export function replicaSetStatus(
  set: ReplicaSet,
  pods: readonly Pod[],
  now: number,
): NonNullable<ReplicaSet['status']> {
  const active = pods.filter(isActive);
  const labels = set.spec.template.metadata?.labels ?? {};
  const full = active.filter(({ metadata }) => selects({ matchLabels: labels }, metadata.labels ?? {}));
  return {
    replicas: active.length,
    fullyLabeledReplicas: full.length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, now)).length,
    observedGeneration: set.metadata.generation ?? 0,
  };
}

export function replicaSetController(context: ControllerContext, informers: Informers): Controller {
  const { client } = context;
  const { pods, replicaSets } = informers;

  const reconcile = async (key: string) => {
    const set = replicaSets.get(...splitKey(key));
    if (set === undefined) return;
    const uid = set.metadata.uid ?? '';
    if (!isTerminating(set)) await adopt(set);
    const plan = planReplicas(set, pods.byIndex('owner', uid));
    const created = await Promise.allSettled(
      Array.from({ length: plan.create }, () =>
        createPod(context, informers, set, podFrom(set, set.spec.template)),
      ),
    );
    await Promise.all(plan.remove.map((pod) => removePod(context, informers, pod)));
    const owned = pods.byIndex('owner', uid);
    await writeStatus(context, replicaSetType, set, replicaSetStatus(set, owned, Date.now()));
    const failed = created.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    const waiting = set.spec.minReadySeconds ?? 0;
    return waiting > 0 && owned.some(isReady) ? { requeueAfter: waiting * 1000 } : undefined;
  };
  /** Pods that match and belong to nobody become the set's. */
  const adopt = async (set: ReplicaSet): Promise<void> => {
    const orphans = pods
      .byIndex('namespace', set.metadata.namespace ?? '')
      .filter((pod) => controllerOf(pod) === undefined && isActive(pod))
      .filter((pod) => selects(set.spec.selector, pod.metadata.labels ?? {}));
    for (const { metadata } of orphans) {
      const references = [...(metadata.ownerReferences ?? []), ownerReference(set)];
      const body = { metadata: { uid: metadata.uid, ownerReferences: references } };
      await client.patch(podType, metadata as { name: string; namespace: string }, { kind: 'merge', body });
      await untilSeen(pods, () => {
        const pod = pods.get(metadata.namespace, metadata.name);
        return pod === undefined || controllerOf(pod) !== undefined;
      });
    }
  };
  return startController(context, {
    name: 'replicaset',
    sources: [
      { informer: replicaSets, keys: (set) => [keyOfObject(set)] },
      { informer: pods, keys: (pod) => setsOf(pod, replicaSets.list()) },
    ],
    reconcile,
  });
}

/** The set that owns a pod, or those that may adopt it. */
function setsOf(pod: Pod, sets: readonly ReplicaSet[]): readonly string[] {
  const owner = controllerOf(pod);
  const { namespace } = pod.metadata;
  if (owner !== undefined) return owner.kind === 'ReplicaSet' ? [`${namespace}/${owner.name}`] : [];
  return sets
    .filter(
      ({ metadata, spec }) =>
        metadata.namespace === namespace && selects(spec.selector, pod.metadata.labels ?? {}),
    )
    .map(keyOfObject);
}
