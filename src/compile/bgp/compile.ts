/** BGPNeighbors, Nodes and passwords become the BGP sessions of one node. */
import type { BGPNeighborIntent, NodeIntent } from '#intent/node.ts';
import type { BGPNeighborModel, SecretReference } from '#model/bgpneighbor.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { selects } from '#model/selector.ts';
import { type Family, parseAddr } from '#net/addr.ts';
import { addressConflict, asnConflict } from './conflicts.ts';

/** What is known of a Secret's key; `undefined` in the map: not looked at yet, so nothing is wrong with it either. */
export type Password = { readonly value: string } | { readonly missing: string };

export type BGPSnapshot = {
  readonly neighbors: readonly BGPNeighborModel[];
  readonly nodes: readonly NodeModel[];
  /** By `secretKey`. */
  readonly passwords: ReadonlyMap<string, Password>;
};

export type BGPIntent = Pick<NodeIntent, 'bgpNeighbors'>;

export function secretKey({ namespace, name, key }: SecretReference): string {
  return `${namespace}/${name}/${key}`;
}

/** The sessions of the node named `self`, and what is wrong with the neighbors that it has. */
export function compileBGP(
  snapshot: BGPSnapshot,
  self: string,
): { readonly value: BGPIntent; readonly problems: readonly Problem[] } {
  const node = snapshot.nodes.find(({ name }) => name === self);
  const problems: Problem[] = [];
  const entries: [string, BGPNeighborIntent][] = [];
  if (node === undefined) return { value: { bgpNeighbors: {} }, problems };
  const taken = new Map<string, string>();
  let asn: { readonly number: number; readonly of: string } | undefined;
  for (const neighbor of [...snapshot.neighbors].sort(olderFirst)) {
    const sessions = sessionsOf(neighbor, node, snapshot.nodes);
    if (sessions.length === 0) continue;
    const refuse = (field: string, code: Problem['code'], message: string): void => {
      problems.push({ object: neighbor.origin, field, code, message });
    };
    if (asn !== undefined && asn.number !== neighbor.localASN) {
      problems.push(asnConflict(neighbor, { name: asn.of, localASN: asn.number }));
      continue;
    }
    const password = passwordOf(neighbor, snapshot.passwords, refuse);
    if (password === undefined) continue;
    asn ??= { number: neighbor.localASN, of: neighbor.name };
    for (const { key, address, mesh } of sessions) {
      const other = taken.get(address);
      if (other !== undefined) {
        // Two meshes may well overlap: whichever has the node is as good.
        if (mesh === undefined) problems.push(addressConflict(neighbor, other));
        continue;
      }
      taken.set(address, neighbor.name);
      entries.push([key, intentOf(neighbor, address, mesh, password.value)]);
    }
  }
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return { value: { bgpNeighbors: Object.fromEntries(entries) }, problems };
}

/** Whether a node has this neighbor, or is one of it. */
export function hasNeighbor({ nodeSelector, peerNodeSelector }: BGPNeighborModel, node: NodeModel): boolean {
  const labels = node.labels ?? {};
  const isMember = nodeSelector === undefined || selects(nodeSelector, labels);
  return isMember || (peerNodeSelector !== undefined && selects(peerNodeSelector, labels));
}

type Session = {
  readonly key: string;
  readonly address: string;
  readonly mesh?: BGPNeighborIntent['mesh'];
};

function sessionsOf(neighbor: BGPNeighborModel, self: NodeModel, nodes: readonly NodeModel[]): Session[] {
  const { name, address, nodeSelector, peerNodeSelector, clusterID } = neighbor;
  const isMember = (node: NodeModel) =>
    nodeSelector === undefined || selects(nodeSelector, node.labels ?? {});
  if (peerNodeSelector === undefined)
    return isMember(self) && address !== undefined && !self.addresses.includes(address)
      ? [{ key: name, address }]
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
        .map((text) => ({
          key: `${name}/${node.name}/${familyOf(text)}`,
          address: text,
          mesh: {
            ...(reflects ? { clusterID } : {}),
            client: reflects && !isPeer(node),
          },
        })),
    );
}

function intentOf(
  neighbor: BGPNeighborModel,
  address: string,
  mesh: BGPNeighborIntent['mesh'],
  password: string | undefined,
): BGPNeighborIntent {
  const { origin, port, localASN, peerASN, bfd, timers, multiHop, importPrefixes } = neighbor;
  const own = familyOf(address);
  // A mesh has a session a family.
  const families =
    mesh === undefined ? neighbor.families : neighbor.families.filter((family) => family === own);
  return {
    origin,
    address,
    port,
    localASN,
    peerASN,
    families: families.length > 0 ? families : [own],
    ...(password === undefined ? {} : { password }),
    ...(bfd === undefined ? {} : { bfd }),
    ...(timers === undefined ? {} : { timers }),
    multiHop,
    importPrefixes,
    ...(mesh === undefined ? {} : { mesh }),
  };
}

/** FRR's command takes the rest of the line: nothing but visible characters gets there. */
const usable = /^[!-~]{1,80}$/;

/** Undefined: there must be one, and there is none that can be used. */
function passwordOf(
  { password }: BGPNeighborModel,
  known: BGPSnapshot['passwords'],
  refuse: (field: string, code: Problem['code'], message: string) => void,
): { readonly value?: string } | undefined {
  if (password === undefined) return {};
  const found = known.get(secretKey(password));
  if (found === undefined) return undefined;
  if ('missing' in found) {
    refuse('spec.passwordSecretRef', 'PasswordMissing', found.missing);
    return undefined;
  }
  if (usable.test(found.value)) return { value: found.value };
  const message = `Secret ${password.namespace}/${password.name}, key ${password.key}: is not 1 to 80 characters of printable ASCII without blanks`;
  refuse('spec.passwordSecretRef', 'PasswordUnusable', message);
  return undefined;
}

function familyOf(address: string): Family {
  return parseAddr(address)?.family ?? 4;
}

/** Of two that can't both be, the older stays. */
export function olderFirst(a: BGPNeighborModel, b: BGPNeighborModel): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}
