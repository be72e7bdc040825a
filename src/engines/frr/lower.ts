/** NodeIntent ─► the objects that FRR must hold; pure. Blocks and pods don't come into it: those are kernel routes. */
import { createHash } from 'node:crypto';
import type { BGPNeighborIntent, ImportPrefix, NodeIntent, SelfIntent } from '#intent/node.ts';
import { formatOrigin, type Origin } from '#intent/origin.ts';
import { type Addr, addressBits, formatAddr, maxValue, parseAddr } from '#net/addr.ts';
import { comparePrefix, formatPrefix, type Prefix, parsePrefix } from '#net/prefix.ts';
import { routes } from '#system/registry.ts';
import { classesOf, exportMap } from './classes.ts';
import type { FrrObject, PrefixList } from './objects.ts';

export type LoweredIntent = Pick<NodeIntent, 'self' | 'subnets' | 'bgpNeighbors' | 'announcements'>;
export type Problem = { readonly entry: string; readonly reason: string };

/** Names of what all neighbors share. */
const names = {
  /** Routes that this AS began: own ones and those of other nodes. Never what a router taught: nodes give no transit. */
  own: 'netloom-own',
  /** What is announced is tagged on its way into BGP, for the maps out; the tag never leaves the node. */
  announced: 'netloom-announced',
  meshExport: 'netloom-mesh-out',
  /** Never taken from anybody but nodes: overlay and underlay Subnets, and Service ranges. */
  guarded: 'netloom-guarded',
  pods: 'netloom-pods',
  mesh: 'netloom-mesh',
} as const;

/** A filter that changes is applied so soon. */
const filterSeconds = 1;

/**
 * Nothing at all while the node has no neighbor. `serviceRanges`: prefixes that no router may attract. `hasDevice`: whether the node has a
 * device of that name.
 */
export function lower(
  intent: LoweredIntent,
  serviceRanges: readonly string[],
  hasDevice: (name: string) => boolean = () => true,
): { readonly value: readonly FrrObject[]; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const self = Object.values(intent.self)[0];
  const entries = Object.entries(intent.bgpNeighbors).sort(([a], [b]) => (a < b ? -1 : 1));
  if (self === undefined || entries.length === 0) return { value: [], problems };
  const usable = usableAmong(entries, hasDevice, problems);
  if (usable.length === 0) return { value: [], problems };
  const subnets = Object.values(intent.subnets);
  const cidrsOf = (routed: boolean) =>
    subnets.filter(({ mode }) => (mode === 'routed') === routed).flatMap(({ cidrs }) => cidrs);
  const guarded = [...cidrsOf(false), ...serviceRanges];
  const classes = classesOf(intent.announcements);
  problems.push(...classes.problems);
  const routers = usable.filter(([, { mesh }]) => mesh === undefined);
  const routerID =
    usable.find(([, neighbor]) => neighbor.routerID !== undefined)?.[1].routerID ?? routerIDOf(self);
  const value = [
    ...wholePrefixLists(names.guarded, guarded),
    ...wholePrefixLists(names.pods, cidrsOf(true)),
    ...routers.flatMap(([key, { importPrefixes }]) => importLists(importName(key), importPrefixes)),
    { kind: 'pathList', name: names.own, expression: '^$' },
    { kind: 'filterDelay', seconds: filterSeconds },
    {
      kind: 'routeMap',
      name: names.announced,
      entries: [
        {
          action: 'permit',
          matches: [`metric ${routes.blockMetric.value}`],
          sets: [`tag ${routes.blockTag.value}`, 'metric 0'],
        },
        { action: 'permit', sets: [`tag ${routes.serviceTag.value}`] },
      ],
    },
    ...routers.map(([key, { servicesOnly }]) =>
      exportMap(exportName(key), key, servicesOnly !== true, classes.value),
    ),
    {
      kind: 'routeMap',
      name: names.meshExport,
      entries: [
        // Every node announces addresses of Services itself, if it may.
        { action: 'deny', matches: [`tag ${routes.serviceTag.value}`] },
        { action: 'permit', matches: [`as-path ${names.own}`] },
      ],
    },
    ...(usable.some(([, { mesh }]) => mesh !== undefined)
      ? [{ kind: 'routeMap', name: names.mesh, entries: matchBoth('permit', names.pods) } as const]
      : []),
    ...routers.map(
      ([key]) =>
        ({
          kind: 'routeMap',
          name: importName(key),
          entries: [...matchBoth('deny', names.guarded), ...matchBoth('permit', importName(key))],
        }) as const,
    ),
    ...bfdProfiles(usable),
    ...speakers(usable, routerID),
    ...usable.map(([key, neighbor]) => neighborObject(key, neighbor, self)),
  ] satisfies readonly FrrObject[];
  return { value, problems };
}

type Entry = readonly [string, BGPNeighborIntent];

function usableAmong(
  entries: readonly Entry[],
  hasDevice: (name: string) => boolean,
  problems: Problem[],
): Entry[] {
  const asns = new Map<string, number>();
  const places = new Set<string>();
  return entries.filter(([key, { localASN, vrf, address, interface: device }]) => {
    const missing = [vrf, device].find((name) => name !== undefined && !hasDevice(name));
    const asn = asns.get(vrf ?? '') ?? localASN;
    const place = peerKey({ vrf, address, interface: device });
    const reason =
      missing !== undefined
        ? `the node has no ${missing === vrf ? 'VRF' : 'device'} ${missing}`
        : localASN !== asn
          ? `says AS ${localASN} for this node, another neighbor AS ${asn}`
          : places.has(place)
            ? `another neighbor has the ${device === undefined ? 'address' : 'interface'} ${device ?? address}`
            : undefined;
    if (reason !== undefined) {
      problems.push({ entry: `bgpNeighbors/${key}`, reason });
      return false;
    }
    asns.set(vrf ?? '', asn);
    places.add(place);
    return true;
  });
}

/** What FRR calls a neighbor: `address`, `interface`, in a VRF with `VRF/` before. */
export function peerKey({
  vrf,
  address,
  interface: device,
}: Pick<BGPNeighborIntent, 'vrf' | 'address' | 'interface'>): string {
  return `${vrf === undefined ? '' : `${vrf}/`}${device ?? address}`;
}

/** What a VRF announces is the main table's speaker's, who must be there for it. */
function speakers(entries: readonly Entry[], routerID: string): FrrObject[] {
  const groups = Map.groupBy(entries, ([, { vrf }]) => vrf);
  const order = [undefined, ...[...groups.keys()].filter((vrf) => vrf !== undefined)];
  return order.map((vrf) => {
    const own = groups.get(vrf) ?? [];
    return {
      kind: 'speaker',
      asn: (own[0] ?? entries[0]!)[1].localASN,
      vrf,
      routerID,
      clusterID: own.find(([, { mesh }]) => mesh?.clusterID !== undefined)?.[1].mesh?.clusterID,
      table: routes.announcedTable.value,
      announcedMap: names.announced,
    };
  });
}

function neighborObject(key: string, neighbor: BGPNeighborIntent, self: SelfIntent): FrrObject {
  const { address, vrf, localASN, peerASN, port, families, password, bfd, timers, multiHop, mesh, origin } =
    neighbor;
  const { connectTime, shownASN, servicesOnly, sourceAddress, interface: device } = neighbor;
  const six = address.includes(':');
  const external = peerASN === 'external' || (typeof peerASN === 'number' && peerASN !== localASN);
  const own = self.addresses.find((each) => each.includes(':') === six);
  return {
    kind: 'neighbor',
    asn: localASN,
    vrf,
    address: device ?? address,
    unnumbered: device !== undefined,
    description: key.startsWith(`${origin.kind}/`) ? formatOrigin(origin) : `${origin.kind} ${key}`,
    remoteAS: peerASN,
    port,
    families,
    password,
    bfdProfile: bfd === undefined ? undefined : profileName(origin),
    timers,
    connectTime,
    shownAS: shownASN,
    multiHop,
    // What upstream does for such peers, whose users may count on it.
    anywhere: servicesOnly === true && six && external && !multiHop,
    gracefulRestart: neighbor.gracefulRestart !== false,
    updateSource: sourceAddress ?? (servicesOnly === true ? undefined : own),
    allowOwnAS: servicesOnly !== true && external,
    reflectorClient: mesh?.client === true,
    importMap: mesh === undefined ? importName(key) : names.mesh,
    exportMap: mesh === undefined ? exportName(key) : names.meshExport,
  };
}

function bfdProfiles(entries: readonly Entry[]): FrrObject[] {
  const byName = new Map<string, FrrObject>();
  for (const [, { bfd, origin }] of entries) {
    if (bfd === undefined) continue;
    const name = profileName(origin);
    byName.set(name, { kind: 'bfdProfile', name, ...bfd });
  }
  return [...byName.values()];
}

/** bfdd keeps 63 characters of a name. */
function profileName({ kind, namespace, name }: Origin): string {
  const text = namespace === undefined ? `netloom-${name}` : `netloom-${kind}/${namespace}/${name}`;
  if (text.length <= 63) return text;
  return `${text.slice(0, 50)}-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}
const importName = (key: string): string => `netloom-in-${key}`;
const exportName = (key: string): string => `netloom-out-${key}`;

/** A list that isn't there matches nothing, which is what an empty one must do. */
function matchBoth(action: 'permit' | 'deny', list: string) {
  return [
    { action, matches: [`ip address prefix-list ${list}`] },
    { action, matches: [`ipv6 address prefix-list ${list}`] },
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
