/** Rules between pods: affinity, anti-affinity and topology spread; pure. */
import { selects } from '#model/selector.ts';
import type { LabNode } from '../objects/node.ts';
import type { PodAffinityTerm } from '../objects/placement.ts';
import type { Pod } from '../objects/pod.ts';
import { matchesNode } from './nodematch.ts';
import type { ScheduleInputs } from './schedule.ts';

/** Pods that a term means, in the topology domain of the node. */
export function peers(
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

export function affinityRefusal(
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

/** Required spread: no domain may have more than `maxSkew` pods above the emptiest. */
export function spreadRefusal(
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
