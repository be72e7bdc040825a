/** The session that a BGPPeer is on a node that has it. */
import type { BGPNeighborIntent } from '#intent/node.ts';
import type { BGPPeerModel } from '#model/bgppeer.ts';
import type { NodeModel } from '#model/node.ts';
import { selects } from '#model/selector.ts';

export function hasPeer({ nodeSelectors, session }: BGPPeerModel, node: NodeModel): boolean {
  const taken =
    nodeSelectors.length === 0 || nodeSelectors.some((selector) => selects(selector, node.labels ?? {}));
  return taken && !node.addresses.includes(session.address);
}

/** No BGPNeighbor's key begins so: its name is in lower case. */
export function peerSession({ namespace, name, session }: BGPPeerModel): {
  readonly key: string;
  readonly session: Omit<BGPNeighborIntent, 'origin' | 'password'>;
} {
  return { key: peerKey(namespace, name), session };
}

export function peerKey(namespace: string, name: string): string {
  return `BGPPeer/${namespace}/${name}`;
}
