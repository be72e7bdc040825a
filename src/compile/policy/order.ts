/** Which pods policy is about, which of them a policy selects, and in which order policies are asked. */
import type { NamespaceModel } from '#model/namespace.ts';
import type { PodModel } from '#model/pod.ts';
import type { PodsSelector, PolicyDirection, PolicyModel, PolicyRule, PolicyTier } from '#model/policy.ts';
import { type Labels, selects } from '#model/selector.ts';

const tiers: readonly PolicyTier[] = ['admin', 'network', 'baseline'];

const baselineKinds: readonly string[] = ['ClusterNetworkPolicy', 'BaselineAdminNetworkPolicy'];

/** In the order in which they are asked. NetworkPolicies have none; by key, so that the same rule is named every time. */
export function inOrder(policies: Iterable<PolicyModel>): PolicyModel[] {
  return [...policies].sort(comparePolicies);
}

/**
 * Order for `sort`. Admin: by priority, then ClusterNetworkPolicies first. Baseline: ClusterNetworkPolicies by priority, then the
 * BaselineAdminNetworkPolicy, then what namespaces say of themselves. Then by name.
 */
export function comparePolicies(a: PolicyModel, b: PolicyModel): number {
  const byTier = tiers.indexOf(a.tier) - tiers.indexOf(b.tier);
  if (byTier !== 0) return byTier;
  const byKind = kindRank(a) - kindRank(b);
  const byPriority = a.priority - b.priority;
  const first = a.tier === 'baseline' ? byKind || byPriority : byPriority || byKind;
  return first !== 0 ? first : a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

function kindRank({ origin, tier }: PolicyModel): number {
  if (tier === 'network') return 0;
  const rank = baselineKinds.indexOf(origin.kind);
  return rank === -1 ? baselineKinds.length : rank;
}

/** What a policy says of a direction; `undefined` where it leaves it alone. Only a NetworkPolicy says something by having no rule. */
export function rulesOf(policy: PolicyModel, direction: PolicyDirection): readonly PolicyRule[] | undefined {
  const rules = policy[direction];
  return rules === undefined || (rules.length === 0 && policy.tier !== 'network') ? undefined : rules;
}

/** Pods with a network of their own: the others are neither selected nor peers. */
export function isPolicyPod({ hostNetwork, ended }: Pick<PodModel, 'hostNetwork' | 'ended'>): boolean {
  return !hostNetwork && !ended;
}

/** The API server gives each namespace the label of its name; files and a namespace not yet heard of may lack it. */
export function namespaceLabels(name: string, namespace: NamespaceModel | undefined): Labels {
  return { ...namespace?.labels, 'kubernetes.io/metadata.name': name };
}

export function takesNamespace(
  selector: PodsSelector,
  name: string,
  namespaces: ReadonlyMap<string, NamespaceModel>,
): boolean {
  return typeof selector.namespaces === 'string'
    ? selector.namespaces === name
    : selects(selector.namespaces, namespaceLabels(name, namespaces.get(name)));
}

export function takesPod(
  selector: PodsSelector,
  pod: PodModel,
  namespaces: ReadonlyMap<string, NamespaceModel>,
): boolean {
  return (
    isPolicyPod(pod) &&
    takesNamespace(selector, pod.namespace, namespaces) &&
    (selector.pods === undefined || selects(selector.pods, pod.labels))
  );
}
