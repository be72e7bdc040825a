/** Whose an address is: of a node, of a pod, or of nobody that we know. */
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { isPolicyPod } from './order.ts';
import type { PolicySnapshot } from './snapshot.ts';

export type Holder =
  | {
      readonly kind: 'node';
      readonly node: NodeModel;
      /** It is a tunnel address, which nobody who writes prefixes means: the addresses of its Node count for it. */
      readonly tunnel?: true;
    }
  | { readonly kind: 'pod'; readonly key: string; readonly pod: PodModel };

/**
 * Addresses are canonical. A node's own wins over a pod's of the same text (a pod can't take it in earnest), the first node by name
 * over others, and of pods the one that comes last by `compareClaims`. What ended holds nothing: its address is used again.
 */
export function holderOf(snapshot: PolicySnapshot, address: string): Holder | undefined {
  const nodes = [...snapshot.nodes.values()].filter((node) =>
    nodeAddresses(node, extrasOf(snapshot, node)).includes(address),
  );
  const node = nodes.sort((a, b) => (a.name < b.name ? -1 : 1))[0];
  if (node !== undefined) return nodeHolder(node, address, extrasOf(snapshot, node));
  const claims = [...snapshot.pods].filter(([, pod]) => isPolicyPod(pod) && pod.addresses.includes(address));
  const [key, pod] = claims.sort(compareClaims).at(-1) ?? [];
  return key === undefined || pod === undefined ? undefined : { kind: 'pod', key, pod };
}

/** By address, all of them: the same answers as `holderOf`. */
export function holdersOf(snapshot: PolicySnapshot): Map<string, Holder> {
  const holders = new Map<string, Holder>();
  for (const [key, pod] of [...snapshot.pods].sort(compareClaims))
    if (isPolicyPod(pod))
      for (const address of pod.addresses) holders.set(address, { kind: 'pod', key, pod });
  const nodes = [...snapshot.nodes.values()].sort((a, b) => (a.name < b.name ? 1 : -1));
  for (const node of nodes)
    for (const address of nodeAddresses(node, extrasOf(snapshot, node)))
      holders.set(address, nodeHolder(node, address, extrasOf(snapshot, node)));
  return holders;
}

/** Of two pods that say they have one address: one of the two will be gone in a moment. By UID, then by key. */
export function compareClaims(
  [keyA, a]: readonly [string, PodModel],
  [keyB, b]: readonly [string, PodModel],
): number {
  return a.uid !== b.uid ? (a.uid < b.uid ? -1 : 1) : keyA < keyB ? -1 : 1;
}

/** Addresses of a node that its Node doesn't have. */
export type ExtraAddresses = {
  readonly tunnel: readonly string[];
  /** On devices of the node. */
  readonly local: readonly string[];
};

export function extrasOf(
  { tunnelAddresses, localAddresses }: Pick<PolicySnapshot, 'tunnelAddresses' | 'localAddresses'>,
  { name }: Pick<NodeModel, 'name'>,
): ExtraAddresses {
  return { tunnel: tunnelAddresses?.get(name) ?? [], local: localAddresses?.get(name) ?? [] };
}

/** All that a node is an end by. */
export function nodeAddresses(node: NodeModel, { tunnel, local }: ExtraAddresses): readonly string[] {
  return [...new Set([...toldAddresses(node), ...tunnel, ...local])];
}

/** A node by one of its addresses. */
export function nodeHolder(node: NodeModel, address: string, { tunnel }: ExtraAddresses): Holder {
  const isTunnel = tunnel.includes(address) && !toldAddresses(node).includes(address);
  return { kind: 'node', node, ...(isTunnel ? { tunnel: true } : {}) };
}

/** Those that its Node has. */
export function toldAddresses({ addresses, moreInternal = [], external = [] }: NodeModel): readonly string[] {
  return [...addresses, ...moreInternal, ...external];
}

/** Whether an address lies in a pod Subnet. */
export function inPodPrefixes(
  podPrefixes: ReadonlyMap<string, readonly string[]> | undefined,
  address: string,
): boolean {
  const addr = parseAddr(address);
  if (addr === undefined || podPrefixes === undefined) return false;
  return [...podPrefixes.values()].flat().some((text) => {
    const prefix = parsePrefix(text);
    return prefix !== undefined && prefixHas(prefix, addr);
  });
}
