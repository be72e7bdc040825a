/** Whom policies select, for people and for who must hold them; one pass over the pods for all of them. Pure. */
import { isPolicyPod, namespaceLabels } from '#compile/policy/order.ts';
import { createSelectorIndex } from '#compile/policy/selector-index.ts';
import type { PolicySnapshot } from '#compile/policy/snapshot.ts';
import type { PolicyModel } from '#model/policy.ts';
import type { Labels } from '#model/selector.ts';
import { listed } from './listing.ts';

export type SelectedPods = {
  readonly count: number;
  /** `namespace/name` of the first by name: as many as a message lists. */
  readonly first: readonly string[];
  /** Nodes on which some of them have an address: one without sends nothing yet. */
  readonly nodes: ReadonlySet<string>;
};

export const nobody: SelectedPods = { count: 0, first: [], nodes: new Set() };

/** By `PolicyModel.key`. */
export function selectedPods(
  { pods, namespaces }: Pick<PolicySnapshot, 'pods' | 'namespaces'>,
  policies: readonly PolicyModel[],
): ReadonlyMap<string, SelectedPods> {
  const index = createSelectorIndex<Gathered>();
  const found = new Map<string, Gathered>();
  for (const { key, subject } of policies) {
    const gathered: Gathered = { count: 0, first: [], nodes: new Set() };
    found.set(key, gathered);
    index.add(subject, gathered);
  }
  if (found.size === 0) return found;
  const labels = new Map<string, Labels>();
  for (const [key, pod] of pods) {
    if (!isPolicyPod(pod)) continue;
    const { namespace, node, addresses } = pod;
    const outer = labels.get(namespace) ?? namespaceLabels(namespace, namespaces.get(namespace));
    labels.set(namespace, outer);
    for (const gathered of index.taking(pod, outer)) {
      gathered.count += 1;
      if (node !== undefined && addresses.length > 0) gathered.nodes.add(node);
      place(gathered.first, key);
    }
  }
  return found;
}

type Gathered = { count: number; readonly first: string[]; readonly nodes: Set<string> };

function place(first: string[], key: string): void {
  const last = first.at(-1);
  if (first.length >= listed && last !== undefined && key >= last) return;
  first.push(key);
  first.sort();
  if (first.length > listed) first.pop();
}
