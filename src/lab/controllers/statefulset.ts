/** StatefulSet: pods with names that stay, made and taken away in order. */
import type { Pod } from '../objects/pod.ts';
import { type StatefulSet, statefulSetType } from '../objects/workload.ts';
import {
  type Controller,
  type ControllerContext,
  eventFor,
  keyOfObject,
  splitKey,
  startController,
} from './controller.ts';
import { revisionLabel } from './daemonset.ts';
import type { Informers } from './informers.ts';
import {
  isActive,
  isAvailable,
  isOver,
  isReady,
  isTerminating,
  ownerKeys,
  podFrom,
  templateHash,
} from './pods.ts';
import { createPod, removePod } from './podwrites.ts';
import { writeStatus } from './status.ts';

export type StatefulPlan = {
  /** Ordinals to make, in order. */
  readonly create: readonly number[];
  readonly remove: readonly Pod[];
};

/** `pods` are the ones that the set owns. With OrderedReady one step at a time is planned. */
export function planStateful(set: StatefulSet, pods: readonly Pod[], now: number): StatefulPlan {
  if (isTerminating(set)) return { create: [], remove: [] };
  const first = set.spec.ordinals?.start ?? 0;
  const wanted = Array.from({ length: set.spec.replicas ?? 1 }, (_, index) => first + index);
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
  const parallel = set.spec.podManagementPolicy === 'Parallel';
  const healthy = (pod: Pod | undefined): boolean =>
    pod !== undefined && isActive(pod) && isAvailable(pod, set.spec.minReadySeconds ?? 0, now);
  const create: number[] = [];
  const remove: Pod[] = [];
  for (const ordinal of wanted) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) create.push(ordinal);
    else if (isOver(pod) && !isTerminating(pod)) remove.push(pod);
    if (!parallel && !healthy(pod)) return { create, remove };
  }
  if (create.length > 0 || remove.length > 0) return { create, remove };
  const excess = pods
    .filter((pod) => !wanted.includes(ordinalOf(set, pod)))
    .toSorted((a, b) => ordinalOf(set, b) - ordinalOf(set, a));
  if (excess.length > 0) {
    if (parallel) return { create, remove: excess.filter(isActive) };
    // The highest goes first, and the next one when it is gone.
    return { create, remove: excess.slice(0, 1).filter((pod) => !isTerminating(pod)) };
  }
  return { create, remove: rollingStep(set, wanted, byOrdinal, healthy) };
}

function rollingStep(
  set: StatefulSet,
  wanted: readonly number[],
  byOrdinal: ReadonlyMap<number, Pod>,
  healthy: (pod: Pod | undefined) => boolean,
): readonly Pod[] {
  if (set.spec.updateStrategy?.type === 'OnDelete') return [];
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  const hash = templateHash(set.spec.template);
  for (const ordinal of wanted.toReversed()) {
    if (ordinal < partition) break;
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || isTerminating(pod)) return [];
    if (pod.metadata.labels?.[revisionLabel] !== hash) return [pod];
    if (!healthy(pod)) return [];
  }
  return [];
}

/** -1 for a name that isn't the set's. */
export function ordinalOf(set: StatefulSet, pod: Pod): number {
  const match = /^(.*)-(\d+)$/.exec(pod.metadata.name);
  return match?.[1] === set.metadata.name ? Number(match[2]) : -1;
}

export function statefulPod(set: StatefulSet, ordinal: number): Pod {
  const name = `${set.metadata.name}-${ordinal}`;
  return podFrom(set, set.spec.template, {
    name,
    labels: {
      'statefulset.kubernetes.io/pod-name': name,
      'apps.kubernetes.io/pod-index': String(ordinal),
      [revisionLabel]: templateHash(set.spec.template),
    },
    spec: { hostname: name, ...(set.spec.serviceName ? { subdomain: set.spec.serviceName } : {}) },
  });
}

export function statefulSetStatus(
  set: StatefulSet,
  pods: readonly Pod[],
  now: number,
): Readonly<Record<string, unknown>> {
  const hash = templateHash(set.spec.template);
  const live = pods.filter((pod) => !isOver(pod));
  const updated = live.filter(({ metadata }) => metadata.labels?.[revisionLabel] === hash);
  const revision = `${set.metadata.name}-${hash}`;
  const complete = updated.length === live.length && live.length === (set.spec.replicas ?? 1);
  const before = set.status?.['currentRevision'];
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: live.length,
    readyReplicas: live.filter((pod) => isActive(pod) && isReady(pod)).length,
    availableReplicas: live.filter(
      (pod) => isActive(pod) && isAvailable(pod, set.spec.minReadySeconds ?? 0, now),
    ).length,
    updatedReplicas: updated.length,
    currentReplicas: complete ? updated.length : live.length - updated.length,
    updateRevision: revision,
    currentRevision: complete || before === undefined ? revision : before,
  };
}

export function statefulSetController(context: ControllerContext, informers: Informers): Controller {
  const { statefulSets, pods } = informers;
  const reconcile = async (key: string) => {
    const set = statefulSets.get(...splitKey(key));
    if (set === undefined) return;
    if ((set.spec.volumeClaimTemplates ?? []).length > 0) {
      const note =
        'spec.volumeClaimTemplates is not part of the lab, which has no persistent volumes; use an emptyDir or a hostPath';
      return eventFor(context, set, 'Warning', 'UnsupportedByLab', note);
    }
    const uid = set.metadata.uid ?? '';
    const plan = planStateful(set, pods.byIndex('owner', uid), Date.now());
    for (const ordinal of plan.create) await createPod(context, informers, set, statefulPod(set, ordinal));
    for (const pod of plan.remove) await removePod(context, informers, pod);
    await writeStatus(
      context,
      statefulSetType,
      set,
      statefulSetStatus(set, pods.byIndex('owner', uid), Date.now()),
    );
    const waiting = set.spec.minReadySeconds ?? 0;
    return waiting > 0 ? { requeueAfter: waiting * 1000 } : undefined;
  };
  return startController(context, {
    name: 'statefulset',
    sources: [
      { informer: statefulSets, keys: (set) => [keyOfObject(set)] },
      { informer: pods, keys: ownerKeys('StatefulSet') },
    ],
    reconcile,
  });
}
