/** What is wrong between BGPNeighbors, judged once for the whole cluster. */
import type { BGPNeighborModel } from '#model/bgpneighbor.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { hasNeighbor, olderFirst } from './compile.ts';

/** The same problems that `compileBGP` finds on the nodes, but for passwords, which only nodes may read. */
export function conflicts(
  neighbors: readonly BGPNeighborModel[],
  nodes: readonly NodeModel[],
): readonly Problem[] {
  const ordered = [...neighbors].sort(olderFirst);
  const having = new Map(
    ordered.map((neighbor) => [
      neighbor,
      new Set(nodes.filter((node) => hasNeighbor(neighbor, node)).map(({ name }) => name)),
    ]),
  );
  return ordered.flatMap((neighbor, index): Problem[] => {
    const older = ordered
      .slice(0, index)
      .filter((other) => !having.get(other)!.isDisjointFrom(having.get(neighbor)!));
    const otherAS = older.find(({ localASN }) => localASN !== neighbor.localASN);
    if (otherAS !== undefined) return [asnConflict(neighbor, otherAS)];
    const same = older.find(({ address }) => address !== undefined && address === neighbor.address);
    return same === undefined ? [] : [addressConflict(neighbor, same.name)];
  });
}

export function asnConflict(
  neighbor: BGPNeighborModel,
  older: Pick<BGPNeighborModel, 'name' | 'localASN'>,
): Problem {
  const message = `BGPNeighbor ${older.name}, which is older and on the same nodes, says AS ${older.localASN}; this one is not used there`;
  return { object: neighbor.origin, field: 'spec.localASN', code: 'ASNConflict', message };
}

export function addressConflict(neighbor: BGPNeighborModel, older: string): Problem {
  const message = `is the address of BGPNeighbor ${older}, which is older`;
  return { object: neighbor.origin, field: 'spec.address', code: 'Overlap', message };
}
