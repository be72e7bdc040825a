/** What is wrong between BGPNeighbors and BGPPeers, judged once for the whole cluster. */
import { formatOrigin } from '#intent/origin.ts';
import type { BGPNeighborModel } from '#model/bgpneighbor.ts';
import type { BGPPeerModel } from '#model/bgppeer.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { type Aged, addressConflict, asnConflict, olderFirst, routerIDConflict } from './age.ts';
import { hasPeer } from './peers.ts';
import { hasNeighbor } from './sessions.ts';

/** The same problems that `compileBGP` finds on the nodes, but for passwords and BFDProfiles. */
export function conflicts(
  neighbors: readonly BGPNeighborModel[],
  nodes: readonly NodeModel[],
  peers: readonly BGPPeerModel[] = [],
): readonly Problem[] {
  const having = (has: (node: NodeModel) => boolean) => new Set(nodes.filter(has).map(({ name }) => name));
  const ordered = [
    ...neighbors.map((neighbor) => ({
      ...neighbor,
      vrf: '',
      place: neighbor.address,
      nodes: having((node) => hasNeighbor(neighbor, node)),
    })),
    ...peers.map((peer) => ({
      ...peer,
      localASN: peer.session.localASN,
      vrf: peer.session.vrf ?? '',
      routerID: peer.session.routerID,
      place: peer.session.interface ?? peer.session.address,
      nodes: having((node) => hasPeer(peer, node)),
    })),
  ].sort(olderFirst) satisfies readonly (Aged & object)[];
  return ordered.flatMap((each, index): Problem[] => {
    const older = ordered.slice(0, index).filter((other) => !other.nodes.isDisjointFrom(each.nodes));
    const beside = older.filter(({ vrf }) => vrf === each.vrf);
    const otherAS = beside.find(({ localASN }) => localASN !== each.localASN);
    if (otherAS !== undefined) return [asnConflict(each, otherAS)];
    const routerIDOf = (one: object) =>
      'routerID' in one ? (one.routerID as string | undefined) : undefined;
    const own = routerIDOf(each);
    const otherID = older.find((other) => own !== undefined && ![undefined, own].includes(routerIDOf(other)));
    if (otherID !== undefined)
      return [routerIDConflict(each, { origin: otherID.origin, routerID: routerIDOf(otherID) })];
    const same = beside.find(({ place }) => place !== undefined && place === each.place);
    return same === undefined ? [] : [addressConflict(each, formatOrigin(same.origin))];
  });
}
