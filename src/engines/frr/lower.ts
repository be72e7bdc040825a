/** NodeIntent ─► the objects that FRR must hold; pure. Blocks and pods don't come into it: those are kernel routes. */
import type { BGPNeighborIntent, ImportPrefix, NodeIntent, SelfIntent } from '#intent/node.ts';
import { type Addr, addressBits, formatAddr, maxValue, parseAddr } from '#net/addr.ts';
import { comparePrefix, formatPrefix, type Prefix, parsePrefix } from '#net/prefix.ts';
import { routes } from '#system/registry.ts';
import type { FrrObject, PrefixList } from './objects.ts';

export type LoweredIntent = Pick<NodeIntent, 'self' | 'subnets' | 'bgpNeighbors'>;
export type Problem = { readonly entry: string; readonly reason: string };

/** Names of what all neighbors share. */
const names = {
  /** Routes that this AS began: own ones and those of other nodes. Never what a router taught: nodes give no transit. */
  own: 'netloom-own',
  /** What is announced is tagged on its way into BGP, for `export`; the tag never leaves the node. */
  announced: 'netloom-announced',
  /** To routers: own routes only. Another node's, with this one as next hop, would make a loop. */
  export: 'netloom-out',
  meshExport: 'netloom-mesh-out',
  /** Never taken from anybody but nodes: overlay and underlay Subnets, and Service ranges. */
  guarded: 'netloom-guarded',
  pods: 'netloom-pods',
  mesh: 'netloom-mesh',
} as const;

const announcedTag = routes.announcedTable.value;

/** Nothing at all while the node has no neighbor. `serviceRanges`: prefixes that no router may attract. */
export function lower(
  intent: LoweredIntent,
  serviceRanges: readonly string[],
): { readonly value: readonly FrrObject[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const self = Object.values(intent.self)[0];
  const entries = Object.entries(intent.bgpNeighbors).sort(([a], [b]) => (a < b ? -1 : 1));
  const asn = entries[0]?.[1].localASN;
  if (self === undefined || asn === undefined) return { value: [], problems };
  const addresses = new Set<string>();
  const usable = entries.filter(([key, { localASN, address }]) => {
    const reason =
      localASN === asn
        ? addresses.has(address)
          ? `another neighbor has the address ${address}`
          : undefined
        : `says AS ${localASN} for this node, another neighbor AS ${asn}`;
    addresses.add(address);
    if (reason !== undefined) problems.push({ entry: `bgpNeighbors/${key}`, reason });
    return reason === undefined;
  });
  const subnets = Object.values(intent.subnets);
  const cidrsOf = (routed: boolean) =>
    subnets.filter(({ mode }) => (mode === 'routed') === routed).flatMap(({ cidrs }) => cidrs);
  const guarded = [...cidrsOf(false), ...serviceRanges];
  const value = [
    ...wholePrefixLists(names.guarded, guarded),
    ...wholePrefixLists(names.pods, cidrsOf(true)),
    ...usable.flatMap(([key, { mesh, importPrefixes }]) =>
      mesh === undefined ? importLists(importName(key), importPrefixes) : [],
    ),
    { kind: 'pathList', name: names.own, expression: '^$' },
    { kind: 'routeMap', name: names.announced, entries: [{ action: 'permit', set: `tag ${announcedTag}` }] },
    { kind: 'routeMap', name: names.export, entries: [{ action: 'permit', match: `tag ${announcedTag}` }] },
    {
      kind: 'routeMap',
      name: names.meshExport,
      entries: [{ action: 'permit', match: `as-path ${names.own}` }],
    },
    ...(usable.some(([, { mesh }]) => mesh !== undefined)
      ? [{ kind: 'routeMap', name: names.mesh, entries: matchBoth('permit', names.pods) } as const]
      : []),
    ...usable.flatMap(([key, { mesh }]) => {
      const entries = [...matchBoth('deny', names.guarded), ...matchBoth('permit', importName(key))];
      return mesh === undefined ? [{ kind: 'routeMap', name: importName(key), entries } as const] : [];
    }),
    ...bfdProfiles(usable),
    {
      kind: 'speaker',
      asn,
      routerID: routerIDOf(self),
      clusterID: usable.find(([, { mesh }]) => mesh?.clusterID !== undefined)?.[1].mesh?.clusterID,
      table: routes.announcedTable.value,
      announcedMap: names.announced,
    },
    ...usable.map(([key, neighbor]) => neighborObject(key, neighbor, self)),
  ] satisfies readonly FrrObject[];
  return { value, problems };
}

function neighborObject(key: string, neighbor: BGPNeighborIntent, self: SelfIntent): FrrObject {
  const { address, localASN, peerASN, port, families, password, bfd, timers, multiHop, mesh, origin } =
    neighbor;
  const six = address.includes(':');
  return {
    kind: 'neighbor',
    asn: localASN,
    address,
    description: `${origin.kind} ${key}`,
    remoteAS: peerASN,
    port,
    families,
    password,
    bfdProfile: bfd === undefined ? undefined : profileName(origin.name),
    timers,
    multiHop,
    updateSource: self.addresses.find((own) => own.includes(':') === six),
    allowOwnAS: peerASN === 'external' || (typeof peerASN === 'number' && peerASN !== localASN),
    reflectorClient: mesh?.client === true,
    importMap: mesh === undefined ? importName(key) : names.mesh,
    exportMap: mesh === undefined ? names.export : names.meshExport,
  };
}

function bfdProfiles(entries: readonly (readonly [string, BGPNeighborIntent])[]): FrrObject[] {
  const byName = new Map<string, FrrObject>();
  for (const [, { bfd, origin }] of entries) {
    if (bfd === undefined) continue;
    const name = profileName(origin.name);
    byName.set(name, { kind: 'bfdProfile', name, ...bfd });
  }
  return [...byName.values()];
}

const profileName = (neighbor: string): string => `netloom-${neighbor}`;
const importName = (key: string): string => `netloom-in-${key}`;

/** A list that isn't there matches nothing, which is what an empty one must do. */
function matchBoth(action: 'permit' | 'deny', list: string) {
  return [
    { action, match: `ip address prefix-list ${list}` },
    { action, match: `ipv6 address prefix-list ${list}` },
  ] as const;
}

/** Each prefix and everything inside. */
function wholePrefixLists(name: string, cidrs: readonly string[]): PrefixList[] {
  const prefixes = cidrs.flatMap((text) => parsePrefix(text) ?? []).sort(comparePrefix);
  return byFamily(
    name,
    prefixes.map((prefix) => ({ prefix, le: addressBits(prefix.family) })),
  );
}

function importLists(name: string, imports: readonly ImportPrefix[]): PrefixList[] {
  return byFamily(
    name,
    imports.flatMap(({ prefix: text, ge, le }) => {
      const prefix = parsePrefix(text);
      // As FRR has it: `ge` alone reaches down to single addresses.
      return prefix === undefined ? [] : [{ prefix, ge, le }];
    }),
  );
}

type Wide = { readonly prefix: Prefix; readonly ge?: number | undefined; readonly le?: number | undefined };

/** An upper bound that is the prefix's own length says nothing, and FRR refuses it; the same entry twice it takes once. */
function byFamily(name: string, all: readonly Wide[]): PrefixList[] {
  return ([4, 6] as const).flatMap((family) => {
    const entries = all
      .filter(({ prefix }) => prefix.family === family)
      .map(({ prefix, ge, le }) => ({
        prefix: formatPrefix(prefix),
        ge,
        le: le === prefix.length ? undefined : le,
      }));
    const unique = new Map(entries.map((entry) => [JSON.stringify(entry), entry]));
    return unique.size === 0 ? [] : [{ kind: 'prefixList', family, name, entries: [...unique.values()] }];
  });
}

/** The node's IPv4 address; for a node without one 32 bits of its IPv6 address, folded, which need only be another node's for nobody. */
export function routerIDOf(self: Pick<SelfIntent, 'addresses'>): string {
  const addrs = self.addresses.flatMap((text) => parseAddr(text) ?? []);
  const four = addrs.find(({ family }) => family === 4);
  if (four !== undefined) return formatAddr(four);
  const mask = maxValue(4);
  let value = addrs[0]?.value ?? 0n;
  let folded = 0n;
  for (; value > 0n; value >>= 32n) folded = (folded * 31n + (value & mask)) & mask;
  const addr: Addr = { family: 4, value: folded === 0n ? 1n : folded };
  return formatAddr(addr);
}
