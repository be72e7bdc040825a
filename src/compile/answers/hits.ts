/** Which ends a rule's peers take, for all ends at once: what policy/peer.ts asks of one flow at a time. */
import type { PolicyPeer, PolicyRule } from '#model/policy.ts';
import { selects } from '#model/selector.ts';
import { type Addr, parseAddr } from '#net/addr.ts';
import { takesNamespace } from '../policy/order.ts';
import { type FlowPeer, inCidr } from '../policy/peer.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import { textOf } from './unify.ts';

/** By number of the end; `undefined`: all of them. */
export type Hits = Uint8Array | undefined;

type Place = { readonly peer: FlowPeer; readonly addr: Addr | undefined };

/** Rules of many policies ask for the same peers: each peer is asked once. */
export function createHits(
  snapshot: PolicySnapshot,
  ends: readonly (FlowPeer | undefined)[],
): (rule: PolicyRule) => Hits {
  const places = ends.map((peer): Place | undefined =>
    peer === undefined ? undefined : { peer, addr: parseAddr(peer.address ?? '') },
  );
  const byPeer = new Map<string, Uint8Array>();
  const byRule = new Map<PolicyRule, Hits>();
  const ofPeer = (peer: PolicyPeer): Uint8Array => {
    const key = textOf(peer);
    const known = byPeer.get(key);
    if (known !== undefined) return known;
    const takes = taker(snapshot, peer);
    const found = Uint8Array.from(places, (place) => (place !== undefined && takes(place) ? 1 : 0));
    byPeer.set(key, found);
    return found;
  };
  return (rule) => {
    if (rule.peers === undefined) return undefined;
    const known = byRule.get(rule);
    if (known !== undefined) return known;
    const all = rule.peers.map(ofPeer);
    const [first] = all;
    const found =
      all.length === 1 && first !== undefined
        ? first
        : Uint8Array.from(ends, (_, index) => (all.some((each) => each[index] === 1) ? 1 : 0));
    byRule.set(rule, found);
    return found;
  };
}

function taker(snapshot: PolicySnapshot, peer: PolicyPeer): (place: Place) => boolean {
  switch (peer.kind) {
    case 'everybody':
      return () => true;
    case 'pods': {
      const { select } = peer;
      const namespaces = new Map<string, boolean>();
      return ({ peer: { pod } }) => {
        if (pod === undefined) return false;
        const { namespace, labels } = pod;
        const taken = namespaces.get(namespace) ?? takesNamespace(select, namespace, snapshot.namespaces);
        namespaces.set(namespace, taken);
        return taken && (select.pods === undefined || selects(select.pods, labels));
      };
    }
    case 'nodes':
      return ({ peer: { node } }) =>
        node !== undefined && selects(peer.select, snapshot.nodes.get(node)?.labels ?? {});
    case 'cidr':
      return ({ addr }) => addr !== undefined && inCidr(peer, addr);
    // Nobody is told anything by files; what a name stands for is not compared.
    case 'name':
      return () => false;
  }
}
