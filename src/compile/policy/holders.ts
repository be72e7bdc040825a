/** Whose an address is: of a node, of a pod, or of nobody that we know. */
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { isPolicyPod } from './order.ts';
import type { PolicySnapshot } from './snapshot.ts';

export type Holder =
  | { readonly kind: 'node'; readonly node: NodeModel }
  | { readonly kind: 'pod'; readonly key: string; readonly pod: PodModel };

/**
 * Addresses are canonical. A node's own wins over a pod's of the same text (a pod can't take it in earnest), the first node by name
 * over others, and of pods the one that comes last by `compareClaims`. What ended holds nothing: its address is used again.
 */
export function holderOf(snapshot: PolicySnapshot, address: string): Holder | undefined {
  const nodes = [...snapshot.nodes.values()].filter((node) =>
    nodeAddresses(node, snapshot.tunnelAddresses?.get(node.name)).includes(address),
  );
  const node = nodes.sort((a, b) => (a.name < b.name ? -1 : 1))[0];
  if (node !== undefined) return { kind: 'node', node };
  const claims = [...snapshot.pods].filter(([, pod]) => isPolicyPod(pod) && pod.addresses.includes(address));
  const [key, pod] = claims.sort(compareClaims).at(-1) ?? [];
  return key === undefined || pod === undefined ? undefined : { kind: 'pod', key, pod };
}

/** Of two pods that say they have one address: one of the two will be gone in a moment. By UID, then by key. */
export function compareClaims(
  [keyA, a]: readonly [string, PodModel],
  [keyB, b]: readonly [string, PodModel],
): number {
  return a.uid !== b.uid ? (a.uid < b.uid ? -1 : 1) : keyA < keyB ? -1 : 1;
}

/** All that a node is an end by. */
export function nodeAddresses(node: NodeModel, tunnelAddresses: readonly string[] = []): readonly string[] {
  return [...new Set([...node.addresses, ...tunnelAddresses])];
}

/**
 * The addresses that count for an address of a node when prefixes are asked: itself, and its InternalIP of that family, whose stand-in
 * a tunnel address is.
 */
export function nodeAliases(node: NodeModel, address: string): readonly string[] {
  const family = parseAddr(address)?.family;
  return [...new Set([address, ...node.addresses.filter((each) => parseAddr(each)?.family === family)])];
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
