/** BGPAdvertisements that say different local preferences of one prefix to one router, judged once for the whole cluster. Pure. */
import type { BGPAdvertisementModel } from '#model/bgpadvertisement.ts';
import type { AddressPoolModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { olderFirst, preferenceProblem } from './sayings.ts';
import { takesNode, takesPool } from './scope.ts';

/** What nodes find prefix by prefix (`entryOf`), told before there is any Service; of each advertisement once. */
export function preferenceConflicts(
  advertisements: Iterable<BGPAdvertisementModel>,
  pools: readonly AddressPoolModel[],
  nodes: readonly NodeModel[],
): readonly Problem[] {
  const ordered = [...advertisements].sort(olderFirst);
  return ordered.flatMap((younger, index): Problem[] => {
    for (const older of ordered.slice(0, index)) {
      if (older.localPreference === younger.localPreference || !sharePeers(older, younger)) continue;
      // Of serviceSelectors nobody knows which Services will be there.
      if (older.serviceSelectors.length + younger.serviceSelectors.length > 0) continue;
      const shared = pools.find(
        (pool) =>
          takesPool(older, pool) &&
          takesPool(younger, pool) &&
          pool.ranges.some(({ family }) => older.lengths[family] === younger.lengths[family]),
      );
      const together = nodes.some(
        ({ labels = {} }) => takesNode(older, labels) && takesNode(younger, labels),
      );
      if (shared !== undefined && together)
        return [preferenceProblem(younger, older, `addresses of IPAddressPool ${shared.name}`)];
    }
    return [];
  });
}

function sharePeers(a: BGPAdvertisementModel, b: BGPAdvertisementModel): boolean {
  if (a.peers.length === 0 || b.peers.length === 0) return true;
  return a.peers.some((peer) => b.peers.includes(peer));
}
