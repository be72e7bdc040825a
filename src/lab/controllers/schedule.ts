/** Which node a pod goes to; pure. */
import type { LabNode, Taint } from '../objects/node.ts';
import type { Pod } from '../objects/pod.ts';
import { affinityRefusal, peers, spreadRefusal } from './affinity.ts';
import { matchesNode, matchesTerm, tolerates } from './nodematch.ts';
import { isOver } from './pods.ts';

export type ScheduleInputs = {
  readonly nodes: readonly LabNode[];
  /** Pods that have a node, or were just given one. */
  readonly placed: readonly Pod[];
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>;
};

/** The node's name, or why none will do, worded as kubectl users know it. */
export function schedule(
  pod: Pod,
  inputs: ScheduleInputs,
): { readonly node: string } | { readonly reason: string } {
  const placed = inputs.placed.filter((other) => !isOver(other));
  const onNode = new Map<string, Pod[]>(inputs.nodes.map(({ metadata }) => [metadata.name, []]));
  for (const other of placed) onNode.get(other.spec.nodeName ?? '')?.push(other);
  const reasons = new Map<string, number>();
  const fitting = inputs.nodes.filter((node) => {
    const reason = refusal(pod, node, onNode.get(node.metadata.name) ?? [], placed, inputs);
    if (reason !== undefined) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
    return reason === undefined;
  });
  if (fitting.length === 0) {
    const list = [...reasons].map(([reason, count]) => `${count} ${reason}`).toSorted();
    const why =
      list.length === 0
        ? 'no nodes available to schedule pods'
        : `0/${inputs.nodes.length} nodes are available: ${list.join(', ')}.`;
    return { reason: why };
  }
  const scores = new Map(
    fitting.map((node) => [node, score(pod, node, onNode.get(node.metadata.name) ?? [], placed, inputs)]),
  );
  const best = fitting.reduce((a, b) => (compare(scores.get(b), scores.get(a)) > 0 ? b : a));
  return { node: best.metadata.name };
}

function refusal(
  pod: Pod,
  node: LabNode,
  here: readonly Pod[],
  placed: readonly Pod[],
  inputs: ScheduleInputs,
): string | undefined {
  const tolerations = pod.spec.tolerations ?? [];
  const unschedulable: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
  if (node.spec?.unschedulable === true && !tolerates(tolerations, unschedulable))
    return 'node(s) were unschedulable';
  const taint = (node.spec?.taints ?? []).find(
    (one) => one.effect !== 'PreferNoSchedule' && !tolerates(tolerations, one),
  );
  if (taint !== undefined) return `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
  if (!matchesNode(pod, node)) return "node(s) didn't match Pod's node affinity/selector";
  if (here.length >= Number(node.status?.allocatable?.['pods'] ?? 250)) return 'Too many pods';
  if (portsClash(pod, here)) return "node(s) didn't have free ports for the requested pod ports";
  return affinityRefusal(pod, node, placed, inputs) ?? spreadRefusal(pod, node, placed, inputs);
}

function hostPorts(pod: Pod): readonly string[] {
  return pod.spec.containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort, containerPort, protocol = 'TCP' }) => {
      const port = hostPort ?? (pod.spec.hostNetwork === true ? containerPort : 0);
      return port > 0 ? [`${protocol}/${port}`] : [];
    }),
  );
}

function portsClash(pod: Pod, here: readonly Pod[]): boolean {
  const own = hostPorts(pod);
  return own.length > 0 && here.some((other) => hostPorts(other).some((port) => own.includes(port)));
}

/** Higher is better, the first difference decides: preferences, then few of the same owner, then few at all. */
function score(
  pod: Pod,
  node: LabNode,
  here: readonly Pod[],
  placed: readonly Pod[],
  inputs: ScheduleInputs,
): readonly number[] {
  const { nodeAffinity, podAffinity, podAntiAffinity } = pod.spec.affinity ?? {};
  let preference = 0;
  for (const { weight, preference: term } of nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ??
    []) {
    if (matchesTerm(term, node)) preference += weight;
  }
  for (const { weight, podAffinityTerm } of podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ??
    []) {
    if (peers(pod, podAffinityTerm, node, placed, inputs).length > 0) preference += weight;
  }
  for (const {
    weight,
    podAffinityTerm,
  } of podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? []) {
    if (peers(pod, podAffinityTerm, node, placed, inputs).length > 0) preference -= weight;
  }
  const avoided = (node.spec?.taints ?? []).filter(
    (taint) => taint.effect === 'PreferNoSchedule' && !tolerates(pod.spec.tolerations ?? [], taint),
  );
  const owner = pod.metadata.ownerReferences?.[0]?.uid;
  const siblings = here.filter(
    ({ metadata }) => owner !== undefined && metadata.ownerReferences?.[0]?.uid === owner,
  );
  return [-avoided.length, preference, -siblings.length, -here.length];
}

function compare(a: readonly number[] = [], b: readonly number[] = []): number {
  for (const [index, value] of a.entries()) {
    const difference = value - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
