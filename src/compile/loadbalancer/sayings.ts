/** What BGPAdvertisements say of addresses on one node, and what comes of several that speak of one prefix. Pure. */
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { NodeIntent } from '#intent/node.ts';
import { formatOrigin, type Origin } from '#intent/origin.ts';
import type { BGPAdvertisementModel } from '#model/bgpadvertisement.ts';
import { type CommunityModel, parseCommunity } from '#model/community.ts';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { parseAddr } from '#net/addr.ts';
import { formatPrefix, prefixOf } from '#net/prefix.ts';
import { formatRange, rangeToPrefixes } from '#net/range.ts';
import { poolNamed } from './l2.ts';
import { mayAnnounce, poolOf, takesNode, takesPool, takesService } from './scope.ts';

/** One BGPAdvertisement that takes this node. */
export type Saying = {
  readonly advertisement: BGPAdvertisementModel;
  readonly communities: readonly string[];
  /** Keys of `bgpNeighbors`; absent: every router. */
  readonly neighbors?: ReadonlySet<string>;
  /** Names of pools that a prefix of its lengths is larger than. */
  readonly tooLarge: ReadonlySet<string>;
};

export type AnnouncingWorld = {
  readonly pools: ReadonlyMap<string, AddressPoolModel>;
  readonly advertisements: ReadonlyMap<string, BGPAdvertisementModel>;
  readonly communities: ReadonlyMap<string, CommunityModel>;
  /** The own one. */
  readonly node: NodeModel | undefined;
  readonly neighbors: NodeIntent['bgpNeighbors'];
};

/** In order of age. */
export function sayingsOf({ pools, advertisements, communities, node, neighbors }: AnnouncingWorld): {
  readonly value: readonly Saying[];
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const aliases = aliasesOf(communities.values());
  const value = [...advertisements.values()].sort(olderFirst).flatMap((advertisement): Saying[] => {
    const known = advertisement.communities.map(
      (text) => parseCommunity(text) ?? aliases.get(`${advertisement.namespace} ${text}`),
    );
    const unknown = known.indexOf(undefined);
    if (unknown !== -1) {
      const text = advertisement.communities[unknown];
      const message = `"${text}" is neither a community nor a name in a Community of namespace ${advertisement.namespace}`;
      const field = `spec.communities[${unknown}]`;
      problems.push({ object: advertisement.origin, field, code: 'InvalidCommunity', message });
      return [];
    }
    const tooLarge = new Set<string>();
    for (const pool of pools.values()) {
      if (!takesPool(advertisement, pool)) continue;
      const problem = lengthProblem(advertisement, pool);
      if (problem === undefined) continue;
      problems.push(problem);
      tooLarge.add(pool.name);
    }
    if (node === undefined || !mayAnnounce(node) || !takesNode(advertisement, node.labels ?? {})) return [];
    const named = advertisement.peers.length > 0;
    return [
      {
        advertisement,
        communities: known.filter((each) => each !== undefined),
        tooLarge,
        ...(named ? { neighbors: new Set(neighborsNamed(advertisement, neighbors)) } : {}),
      },
    ];
  });
  return { value, problems };
}

/** Prefixes that a Service with endpoints is announced by, each with what is said of it, oldest first. */
export function prefixesOf(
  service: LoadBalancerModel,
  pools: AnnouncingWorld['pools'],
  sayings: readonly Saying[],
): ReadonlyMap<string, readonly Saying[]> {
  const found = new Map<string, Saying[]>();
  for (const address of service.assigned) {
    const addr = parseAddr(address);
    const pool = poolOf(address, pools.values()) ?? poolNamed(service.assignedFrom, pools);
    if (addr === undefined || pool === undefined) continue;
    for (const saying of sayings) {
      const { advertisement, tooLarge } = saying;
      if (tooLarge.has(pool.name) || !takesPool(advertisement, pool)) continue;
      if (!takesService(advertisement, service.labels)) continue;
      const prefix = formatPrefix(prefixOf(addr, advertisement.lengths[addr.family]));
      const said = found.get(prefix) ?? [];
      if (!said.includes(saying)) found.set(prefix, [...said, saying]);
    }
  }
  return found;
}

/** Undefined: no router is told. `routers`: keys of all that there are, sorted. */
export function entryOf(
  prefix: string,
  origin: Origin,
  sayings: readonly Saying[],
  routers: readonly string[],
): { readonly value: AnnouncementIntent | undefined; readonly problems: readonly Problem[] } {
  const problems = new Map<string, Problem>();
  const toldBy = (own: readonly Saying[]) => {
    const [oldest] = own;
    const preference = oldest?.advertisement.localPreference;
    const agreeing = own.filter(({ advertisement }) => {
      if (advertisement.localPreference === preference) return true;
      const problem = preferenceProblem(advertisement, oldest!.advertisement, prefix);
      problems.set(formatOrigin(advertisement.origin), problem);
      return false;
    });
    return {
      communities: [...new Set(agreeing.flatMap(({ communities }) => communities))].sort(),
      ...(preference === undefined ? {} : { localPreference: preference }),
    };
  };
  if (sayings.every(({ neighbors }) => neighbors === undefined))
    return { value: { origin, ...toldBy(sayings) }, problems: [...problems.values()] };
  const groups = new Map<
    string,
    { readonly neighbors: string[]; readonly told: ReturnType<typeof toldBy> }
  >();
  for (const router of routers) {
    const own = sayings.filter(({ neighbors }) => neighbors === undefined || neighbors.has(router));
    if (own.length === 0) continue;
    const told = toldBy(own);
    const group = groups.get(JSON.stringify(told)) ?? { neighbors: [], told };
    group.neighbors.push(router);
    groups.set(JSON.stringify(told), group);
  }
  const [first, ...others] = [...groups.values()].map(({ neighbors, told }) => ({ neighbors, ...told }));
  const value = first && { origin, ...first, ...(others.length === 0 ? {} : { others }) };
  return { value, problems: [...problems.values()] };
}

/** Routers, not other nodes: their keys, sorted. */
export function routersAmong(neighbors: NodeIntent['bgpNeighbors']): readonly string[] {
  return Object.keys(neighbors)
    .filter((key) => neighbors[key]?.mesh === undefined)
    .sort();
}

/** BGPPeers of the advertisement's namespace, and BGPNeighbors. */
function neighborsNamed(
  { peers, namespace }: BGPAdvertisementModel,
  neighbors: NodeIntent['bgpNeighbors'],
): readonly string[] {
  return routersAmong(neighbors).filter((key) => {
    const { origin } = neighbors[key]!;
    return peers.includes(origin.name) && (origin.namespace === undefined || origin.namespace === namespace);
  });
}

/** By namespace and name; of two the older one's. */
function aliasesOf(communities: Iterable<CommunityModel>): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>();
  for (const { namespace, values } of [...communities].sort(olderFirst))
    for (const [name, value] of values)
      if (!aliases.has(`${namespace} ${name}`)) aliases.set(`${namespace} ${name}`, value);
  return aliases;
}

/** A prefix that is larger than what stands in the pool would draw what is somebody else's. */
function lengthProblem(
  { origin, lengths }: BGPAdvertisementModel,
  pool: AddressPoolModel,
): Problem | undefined {
  for (const range of pool.ranges) {
    const shortest = Math.min(...rangeToPrefixes(range).map(({ length }) => length));
    if (lengths[range.family] >= shortest) continue;
    const field = range.family === 4 ? 'spec.aggregationLength' : 'spec.aggregationLengthV6';
    const message = `/${lengths[range.family]} is more than ${formatRange(range)} of IPAddressPool ${pool.name}, whose addresses this one doesn't announce`;
    return { object: origin, field, code: 'InvalidRange', message };
  }
  return undefined;
}

export function preferenceProblem(
  younger: BGPAdvertisementModel,
  older: BGPAdvertisementModel,
  prefix: string,
): Problem {
  const says = older.localPreference === undefined ? 'no local preference' : `${older.localPreference}`;
  const message = `${formatOrigin(older.origin)}, which is older, says ${says} of ${prefix} to the same routers; what this one says of it is left out`;
  return { object: younger.origin, field: 'spec.localPref', code: 'PreferenceConflict', message };
}

type Aged = { readonly created: string; readonly origin: Origin };
export function olderFirst(a: Aged, b: Aged): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return formatOrigin(a.origin) < formatOrigin(b.origin) ? -1 : 1;
}
