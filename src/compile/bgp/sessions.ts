/** The sessions that a BGPNeighbor is on one node. */
import type { BGPNeighborIntent } from '#intent/node.ts';
import type { BGPNeighborModel } from '#model/bgpneighbor.ts';
import type { NodeModel } from '#model/node.ts';
import { selects } from '#model/selector.ts';
import { type Family, parseAddr } from '#net/addr.ts';

export type NeighborSession = {
  readonly key: string;
  readonly session: Omit<BGPNeighborIntent, 'origin' | 'password'>;
  readonly isMesh: boolean;
};

/** Whether a node has this neighbor, or is one of it. */
export function hasNeighbor({ nodeSelector, peerNodeSelector }: BGPNeighborModel, node: NodeModel): boolean {
  const labels = node.labels ?? {};
  const isMember = nodeSelector === undefined || selects(nodeSelector, labels);
  return isMember || (peerNodeSelector !== undefined && selects(peerNodeSelector, labels));
}

export function sessionsOf(
  neighbor: BGPNeighborModel,
  self: NodeModel,
  nodes: readonly NodeModel[],
): NeighborSession[] {
  const { name, address, nodeSelector, peerNodeSelector, clusterID } = neighbor;
  const isMember = (node: NodeModel) =>
    nodeSelector === undefined || selects(nodeSelector, node.labels ?? {});
  if (peerNodeSelector === undefined)
    return isMember(self) && address !== undefined && !self.addresses.includes(address)
      ? [{ key: name, session: sessionOf(neighbor, address), isMesh: false }]
      : [];
  const isPeer = (node: NodeModel) => selects(peerNodeSelector, node.labels ?? {});
  const [member, peer] = [isMember(self), isPeer(self)];
  if (!member && !peer) return [];
  const reflects = peer && clusterID !== undefined;
  return nodes
    .filter(
      (node) =>
        node.name !== self.name && ((member && isPeer(node)) || (peer && (isMember(node) || isPeer(node)))),
    )
    .flatMap((node) =>
      node.addresses
        .filter((text) => self.addresses.some((own) => familyOf(own) === familyOf(text)))
        .map((text): NeighborSession => {
          const mesh = { ...(reflects ? { clusterID } : {}), client: reflects && !isPeer(node) };
          const key = `${name}/${node.name}/${familyOf(text)}`;
          return { key, session: sessionOf(neighbor, text, mesh), isMesh: true };
        }),
    );
}

function sessionOf(
  neighbor: BGPNeighborModel,
  address: string,
  mesh?: BGPNeighborIntent['mesh'],
): NeighborSession['session'] {
  const { port, localASN, peerASN, bfd, timers, multiHop, importPrefixes } = neighbor;
  const own = familyOf(address);
  // A mesh has a session a family.
  const families =
    mesh === undefined ? neighbor.families : neighbor.families.filter((family) => family === own);
  return {
    address,
    port,
    localASN,
    peerASN,
    families: families.length > 0 ? families : [own],
    ...(bfd === undefined ? {} : { bfd }),
    ...(timers === undefined ? {} : { timers }),
    multiHop,
    importPrefixes,
    ...(mesh === undefined ? {} : { mesh }),
  };
}

function familyOf(address: string): Family {
  return parseAddr(address)?.family ?? 4;
}
