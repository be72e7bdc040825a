/** DaemonSet: one pod on every node that takes it. */
import type { LabNode, Taint } from '../objects/node.ts';
import type { Toleration } from '../objects/placement.ts';
import type { Pod } from '../objects/pod.ts';
import { type DaemonSet, daemonSetType } from '../objects/workload.ts';
import {
  type Controller,
  type ControllerContext,
  keyOfObject,
  splitKey,
  startController,
} from './controller.ts';
import type { Informers } from './informers.ts';
import { matchesNode, tolerates } from './nodematch.ts';
import {
  isActive,
  isAvailable,
  isOver,
  isReady,
  isTerminating,
  ownerKeys,
  podFrom,
  scaled,
  templateHash,
} from './pods.ts';
import { createPod, removePod } from './podwrites.ts';
import { writeStatus } from './status.ts';

export const revisionLabel = 'controller-revision-hash';

export type DaemonPlan = {
  /** Names of nodes that lack their pod. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
};

/** `pods` are the ones that the set owns. Old pods go as far as `maxUnavailable` allows; their successors come next time. */
export function planDaemons(
  set: DaemonSet,
  pods: readonly Pod[],
  nodes: readonly LabNode[],
  now: number,
): DaemonPlan {
  if (isTerminating(set)) return { create: [], remove: [] };
  const eligible = new Map(
    nodes.filter((node) => takes(set, node)).map((node) => [node.metadata.name, node]),
  );
  const byNode = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = nodeOf(pod);
    if (node !== undefined) byNode.set(node, [...(byNode.get(node) ?? []), pod]);
  }
  const create: string[] = [];
  const remove: Pod[] = [];
  const hash = templateHash(set.spec.template);
  const old: Pod[] = [];
  let out = 0;
  for (const [name] of eligible) {
    const here = byNode.get(name) ?? [];
    remove.push(...here.filter((pod) => isOver(pod) && !isTerminating(pod)));
    const active = here.filter(isActive).toSorted((a, b) => age(a) - age(b));
    remove.push(...active.slice(1));
    const [pod] = active;
    // The next pod waits until the one before is gone: both would want the same ports and files.
    if (pod === undefined && here.every((one) => isOver(one) && !isTerminating(one))) create.push(name);
    if (pod === undefined || !isAvailable(pod, set.spec.minReadySeconds ?? 0, now)) out += 1;
    if (pod !== undefined && pod.metadata.labels?.[revisionLabel] !== hash) old.push(pod);
  }
  for (const [name, here] of byNode) if (!eligible.has(name)) remove.push(...here.filter(isActive));
  if (set.spec.updateStrategy?.type !== 'OnDelete') {
    const limit = Math.max(
      1,
      scaled(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable, eligible.size, 'up', 1),
    );
    const broken = old.filter((pod) => !isAvailable(pod, set.spec.minReadySeconds ?? 0, now));
    const serving = old.filter((pod) => !broken.includes(pod));
    remove.push(...broken, ...serving.slice(0, Math.max(0, limit - out)));
  }
  return { create, remove: [...new Set(remove)] };
}

/** Taints that keep ordinary pods away but not the pods that make a node work. */
export function daemonTolerations(set: DaemonSet): readonly Toleration[] {
  const exists = (key: string, effect: string): Toleration => ({ key, operator: 'Exists', effect });
  const hostNetwork = set.spec.template.spec.hostNetwork === true;
  return [
    ...(set.spec.template.spec.tolerations ?? []),
    exists('node.kubernetes.io/not-ready', 'NoExecute'),
    exists('node.kubernetes.io/unreachable', 'NoExecute'),
    exists('node.kubernetes.io/disk-pressure', 'NoSchedule'),
    exists('node.kubernetes.io/memory-pressure', 'NoSchedule'),
    exists('node.kubernetes.io/pid-pressure', 'NoSchedule'),
    exists('node.kubernetes.io/unschedulable', 'NoSchedule'),
    ...(hostNetwork ? [exists('node.kubernetes.io/network-unavailable', 'NoSchedule')] : []),
  ];
}

/** NoExecute taints remove a pod, NoSchedule ones only keep a new one away; not ready counts as neither here. */
function takes(set: DaemonSet, node: LabNode): boolean {
  if (isTerminating(node)) return false;
  const template = { metadata: { name: '' }, spec: set.spec.template.spec } as Pod;
  if (!matchesNode(template, node)) return false;
  const tolerations = daemonTolerations(set);
  const hard = (node.spec?.taints ?? []).filter(({ effect }) => effect !== 'PreferNoSchedule');
  return hard.every((taint) => tolerates(tolerations, taint) || isTransient(taint));
}

/** A node that isn't ready yet gets its pod all the same: it waits there for the node. */
function isTransient({ key }: Taint): boolean {
  return key === 'node.kubernetes.io/not-ready' || key === 'node.kubernetes.io/unreachable';
}

/** The node that a pod runs on, or is meant for. */
function nodeOf(pod: Pod): string | undefined {
  if (pod.spec.nodeName !== undefined) return pod.spec.nodeName;
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  return terms.flatMap(({ matchFields = [] }) => matchFields).find(({ key }) => key === 'metadata.name')
    ?.values?.[0];
}

export function daemonPod(set: DaemonSet, node: string): Pod {
  const { spec } = set.spec.template;
  const term = { matchFields: [{ key: 'metadata.name', operator: 'In' as const, values: [node] }] };
  const required = { nodeSelectorTerms: [term] };
  const nodeAffinity = {
    ...spec.affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: required,
  };
  return podFrom(set, set.spec.template, {
    labels: { [revisionLabel]: templateHash(set.spec.template) },
    spec: { affinity: { ...spec.affinity, nodeAffinity }, tolerations: daemonTolerations(set) },
  });
}

export function daemonSetStatus(
  set: DaemonSet,
  pods: readonly Pod[],
  nodes: readonly LabNode[],
  now: number,
): Readonly<Record<string, unknown>> {
  const eligible = new Set(nodes.filter((node) => takes(set, node)).map(({ metadata }) => metadata.name));
  const active = pods.filter(isActive);
  const placed = active.filter((pod) => eligible.has(nodeOf(pod) ?? ''));
  const hash = templateHash(set.spec.template);
  const available = placed.filter((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, now)).length;
  const missing = eligible.size - available;
  return {
    currentNumberScheduled: placed.length,
    desiredNumberScheduled: eligible.size,
    numberMisscheduled: active.length - placed.length,
    numberReady: placed.filter(isReady).length,
    updatedNumberScheduled: placed.filter(({ metadata }) => metadata.labels?.[revisionLabel] === hash).length,
    numberAvailable: available > 0 ? available : undefined,
    numberUnavailable: missing > 0 ? missing : undefined,
    observedGeneration: set.metadata.generation ?? 0,
  };
}

export function daemonSetController(context: ControllerContext, informers: Informers): Controller {
  const { daemonSets, pods, nodes } = informers;
  const reconcile = async (key: string) => {
    const set = daemonSets.get(...splitKey(key));
    if (set === undefined) return;
    const uid = set.metadata.uid ?? '';
    const plan = planDaemons(set, pods.byIndex('owner', uid), nodes.list(), Date.now());
    for (const node of plan.create) await createPod(context, informers, set, daemonPod(set, node));
    for (const pod of plan.remove) await removePod(context, informers, pod);
    await writeStatus(
      context,
      daemonSetType,
      set,
      daemonSetStatus(set, pods.byIndex('owner', uid), nodes.list(), Date.now()),
    );
    const waiting = set.spec.minReadySeconds ?? 0;
    return waiting > 0 ? { requeueAfter: waiting * 1000 } : undefined;
  };
  return startController(context, {
    name: 'daemonset',
    sources: [
      { informer: daemonSets, keys: (set) => [keyOfObject(set)] },
      { informer: pods, keys: ownerKeys('DaemonSet') },
      { informer: nodes, keys: () => daemonSets.list().map(keyOfObject) },
    ],
    reconcile,
  });
}

function age(pod: Pod): number {
  return Date.parse(pod.metadata.creationTimestamp ?? '');
}
