/** Writes BGPNeighbors' conditions and sums, and takes out what nodes that are gone have said. */
import { type BGPNeighbor, bgpNeighborKind } from '#api/kinds/bgpneighbor.ts';
import type { Condition } from '#api/object.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { setCondition } from '#kube/conditions.ts';
import { readBGPNeighbor } from '#model/bgpneighbor.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { type NeighborStatus, neighborStatus } from './neighbor-status.ts';

/** One pass over all BGPNeighbors; writes only what differs. */
export async function reconcileNeighbors(
  client: Client,
  neighbors: readonly BGPNeighbor[],
  nodes: readonly NodeModel[],
  problems: readonly Problem[],
  now: Date,
  log: Log,
): Promise<void> {
  for (const neighbor of neighbors) {
    const { name } = neighbor.metadata;
    const { value } = readBGPNeighbor(neighbor);
    const status = neighborStatus(name, value, neighbor.status?.sessions ?? {}, nodes, problems);
    try {
      await write(client, neighbor, status, now);
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) continue;
      log.warn("a BGPNeighbor's status can't be written and is tried again", { neighbor: name, error });
    }
  }
}

async function write(
  client: Client,
  neighbor: BGPNeighbor,
  status: NeighborStatus,
  now: Date,
): Promise<void> {
  const { name, generation } = neighbor.metadata;
  const condition =
    generation === undefined ? status.ready : { ...status.ready, observedGeneration: generation };
  const before = neighbor.status?.conditions as readonly Condition[] | undefined;
  const conditions = setCondition(before, condition, now);
  const { summary, stale } = status;
  if (conditions === before && neighbor.status?.summary === summary && stale.length === 0) return;
  const sessions = Object.fromEntries(stale.map((node) => [node, null]));
  const body = { status: { conditions, summary, ...(stale.length === 0 ? {} : { sessions }) } };
  await client.patch(bgpNeighborKind, { name, subresource: 'status' }, { kind: 'merge', body });
}
