/** Which node a pod goes to; pure. */
import { selects } from '#model/selector.ts';
import type {
  LabNode,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  Taint,
  Toleration,
} from '../objects.ts';
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

/** Whether a pod with these tolerations may go to, or stay on, a node with this taint (v1.Toleration). */
export function tolerates(tolerations: readonly Toleration[], taint: Taint): boolean {
  return tolerations.some(
    ({ key, operator = 'Equal', value, effect }) =>
      (effect === undefined || effect === '' || effect === taint.effect) &&
      (key === undefined || key === '' ? operator === 'Exists' : key === taint.key) &&
      (operator === 'Exists' || (value ?? '') === (taint.value ?? '')),
  );
}

/** `nodeSelector` and required node affinity. */
export function matchesNode(pod: Pod, node: LabNode): boolean {
  if (!selects({ matchLabels: pod.spec.nodeSelector ?? {} }, node.metadata.labels ?? {})) return false;
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => matchesTerm(term, node));
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

function matchesTerm(term: NodeSelectorTerm, node: LabNode): boolean {
  const labels = node.metadata.labels ?? {};
  const expressions = term.matchExpressions ?? [];
  const fields = term.matchFields ?? [];
  if (expressions.length === 0 && fields.length === 0) return false;
  return (
    expressions.every((requirement) =>
      matchesRequirement(
        requirement,
        Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined,
      ),
    ) &&
    fields.every(
      (requirement) =>
        requirement.key === 'metadata.name' && matchesRequirement(requirement, node.metadata.name),
    )
  );
}

function matchesRequirement(
  { operator, values = [] }: NodeSelectorRequirement,
  value: string | undefined,
): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
  }
}

/** Pods that a term means, in the topology domain of the node. */
function peers(
  pod: Pod,
  term: PodAffinityTerm,
  node: LabNode,
  placed: readonly Pod[],
  inputs: ScheduleInputs,
): readonly Pod[] {
  const domain = node.metadata.labels?.[term.topologyKey];
  if (domain === undefined) return [];
  const nodes = new Set(
    inputs.nodes
      .filter(({ metadata }) => metadata.labels?.[term.topologyKey] === domain)
      .map(({ metadata }) => metadata.name),
  );
  return placed.filter((other) => nodes.has(other.spec.nodeName ?? '') && meant(pod, term, other, inputs));
}

function meant(pod: Pod, term: PodAffinityTerm, other: Pod, inputs: ScheduleInputs): boolean {
  const namespace = other.metadata.namespace ?? '';
  const own = term.namespaces === undefined && term.namespaceSelector === undefined;
  const inNamespace =
    (own && namespace === pod.metadata.namespace) ||
    term.namespaces?.includes(namespace) === true ||
    (term.namespaceSelector !== undefined &&
      selects(term.namespaceSelector, inputs.namespaceLabels(namespace)));
  return inNamespace && selects(term.labelSelector, other.metadata.labels ?? {});
}

function affinityRefusal(
  pod: Pod,
  node: LabNode,
  placed: readonly Pod[],
  inputs: ScheduleInputs,
): string | undefined {
  for (const term of pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) {
    // The first of a group that wants to be together has nobody to be with.
    const first = !placed.some((other) => meant(pod, term, other, inputs)) && meant(pod, term, pod, inputs);
    if (!first && peers(pod, term, node, placed, inputs).length === 0)
      return "node(s) didn't match pod affinity rules";
  }
  for (const term of pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ??
    []) {
    if (peers(pod, term, node, placed, inputs).length > 0)
      return "node(s) didn't match pod anti-affinity rules";
  }
  const repelled = placed.some((other) =>
    (other.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).some(
      (term) =>
        meant(other, term, pod, inputs) &&
        sameDomain(inputs, other.spec.nodeName ?? '', node, term.topologyKey),
    ),
  );
  return repelled ? "node(s) didn't satisfy existing pods anti-affinity rules" : undefined;
}

function sameDomain(inputs: ScheduleInputs, nodeName: string, node: LabNode, key: string): boolean {
  const other = inputs.nodes.find(({ metadata }) => metadata.name === nodeName);
  const domain = node.metadata.labels?.[key];
  return domain !== undefined && other?.metadata.labels?.[key] === domain;
}

function spreadRefusal(
  pod: Pod,
  node: LabNode,
  placed: readonly Pod[],
  inputs: ScheduleInputs,
): string | undefined {
  for (const constraint of pod.spec.topologySpreadConstraints ?? []) {
    if (constraint.whenUnsatisfiable !== 'DoNotSchedule') continue;
    const domain = node.metadata.labels?.[constraint.topologyKey];
    if (domain === undefined)
      return "node(s) didn't match pod topology spread constraints (missing required label)";
    const counts = new Map<string, number>();
    for (const one of inputs.nodes) {
      const name = one.metadata.labels?.[constraint.topologyKey];
      if (name === undefined || !matchesNode(pod, one)) continue;
      const here = placed.filter(
        (other) =>
          other.spec.nodeName === one.metadata.name &&
          other.metadata.namespace === pod.metadata.namespace &&
          selects(constraint.labelSelector, other.metadata.labels ?? {}),
      );
      counts.set(name, (counts.get(name) ?? 0) + here.length);
    }
    const self = selects(constraint.labelSelector, pod.metadata.labels ?? {}) ? 1 : 0;
    const least = Math.min(...counts.values());
    if ((counts.get(domain) ?? 0) + self - least > constraint.maxSkew) {
      return "node(s) didn't match pod topology spread constraints";
    }
  }
  return undefined;
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
