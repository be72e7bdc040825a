/** Which prefixes this node announces by BGP: the intent's domain `announcements`, as a whole or change by change. Pure. */
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { NodeIntent } from '#intent/node.ts';
import { formatOrigin } from '#intent/origin.ts';
import type { BGPAdvertisementModel } from '#model/bgpadvertisement.ts';
import type { CommunityModel } from '#model/community.ts';
import type { EndpointSliceModel } from '#model/endpointslice.ts';
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { createDeltaOutput, type Delta } from '../delta.ts';
import { endpointPlaces } from './l2.ts';
import { store } from './maps.ts';
import {
  type AnnouncingWorld,
  entryOf,
  olderFirst,
  prefixesOf,
  routersAmong,
  type Saying,
  sayingsOf,
} from './sayings.ts';
import { createServiceSlices } from './slices.ts';

/** Services and slices by `namespace/name`. */
export type AnnouncementSnapshot = AnnouncingWorld & {
  readonly services: ReadonlyMap<string, LoadBalancerModel>;
  readonly slices: ReadonlyMap<string, EndpointSliceModel>;
};

/** The oracle: all at once. */
export function compileAnnouncements(
  snapshot: AnnouncementSnapshot,
  self: string,
): {
  readonly value: { readonly announcements: Readonly<Record<string, AnnouncementIntent>> };
  readonly problems: readonly Problem[];
} {
  const sayings = sayingsOf(snapshot);
  const slices = Map.groupBy(snapshot.slices.values(), ({ service }) => service);
  const prefixes = new Map<string, Map<string, readonly Saying[]>>();
  for (const [key, service] of snapshot.services) {
    if (!isServed(service, slices.get(key) ?? [], self)) continue;
    for (const [prefix, said] of prefixesOf(service, snapshot.pools, sayings.value))
      prefixes.set(prefix, (prefixes.get(prefix) ?? new Map()).set(key, said));
  }
  const routers = routersAmong(snapshot.neighbors);
  const problems: Problem[] = [];
  const announcements: Record<string, AnnouncementIntent> = {};
  for (const prefix of [...prefixes.keys()].sort()) {
    const entry = merged(prefix, prefixes.get(prefix)!, snapshot.services, routers);
    problems.push(...entry.problems);
    if (entry.value !== undefined) announcements[prefix] = entry.value;
  }
  return { value: { announcements }, problems: withoutRepeats([...sayings.problems, ...problems]) };
}

export type AnnouncementCompiler = {
  /** `undefined` removes. */
  readonly setPool: (key: string, pool: AddressPoolModel | undefined) => void;
  readonly setAdvertisement: (key: string, advertisement: BGPAdvertisementModel | undefined) => void;
  readonly setCommunity: (key: string, community: CommunityModel | undefined) => void;
  /** The own one. */
  readonly setNode: (node: NodeModel | undefined) => void;
  readonly setNeighbors: (neighbors: NodeIntent['bgpNeighbors']) => void;
  readonly setService: (key: string, service: LoadBalancerModel | undefined) => void;
  readonly setSlice: (key: string, slice: EndpointSliceModel | undefined) => void;
  /** What changed in the intent since the last flush; `undefined` when nothing did. */
  readonly flush: () => Delta | undefined;
  /** As of the last flush. */
  readonly problems: () => readonly Problem[];
  /** Of each Service that has others than when this was asked last: its prefixes, with what is said of them, as of the last flush. */
  readonly takeAnnounced: () => AnnouncedChanges;
};

/** By Service; undefined: nothing of it is announced any more. */
export type AnnouncedChanges = ReadonlyMap<string, ReadonlyMap<string, AnnouncementIntent> | undefined>;

/** The same, change by change: one of a Service or of its endpoints costs its prefixes; any other one all of them. */
export function createAnnouncementCompiler(self: string): AnnouncementCompiler {
  const pools = new Map<string, AddressPoolModel>();
  const advertisements = new Map<string, BGPAdvertisementModel>();
  const communities = new Map<string, CommunityModel>();
  const services = new Map<string, LoadBalancerModel>();
  const slices = createServiceSlices();
  const prefixesBy = new Map<string, readonly string[]>();
  const saidOf = new Map<string, Map<string, readonly Saying[]>>();
  const entries = new Map<string, AnnouncementIntent>();
  const problemsBy = new Map<string, readonly Problem[]>();
  const dirty = new Set<string>();
  const output = createDeltaOutput();
  let node: NodeModel | undefined;
  let neighbors: NodeIntent['bgpNeighbors'] = {};
  let routers = '';
  let sayings: ReturnType<typeof sayingsOf> = { value: [], problems: [] };
  let allDirty = true;
  /** Services of which something may be announced otherwise than was told. */
  const untold = new Set<string>();

  const recompile = (key: string, touched: Set<string>): void => {
    for (const prefix of prefixesBy.get(key) ?? []) {
      saidOf.get(prefix)?.delete(key);
      touched.add(prefix);
    }
    prefixesBy.delete(key);
    const service = services.get(key);
    const own = slices.of(key);
    if (service === undefined || !isServed(service, own, self)) return;
    const found = prefixesOf(service, pools, sayings.value);
    if (found.size > 0) prefixesBy.set(key, [...found.keys()]);
    for (const [prefix, said] of found) {
      const by = saidOf.get(prefix) ?? new Map<string, readonly Saying[]>();
      saidOf.set(prefix, by.set(key, said));
      touched.add(prefix);
    }
  };
  const announcedOf = (key: string): ReadonlyMap<string, AnnouncementIntent> | undefined => {
    const own = (prefixesBy.get(key) ?? []).flatMap((prefix): (readonly [string, AnnouncementIntent])[] => {
      const entry = entries.get(prefix);
      return entry === undefined ? [] : [[prefix, entry]];
    });
    return own.length === 0 ? undefined : new Map(own);
  };
  const world =
    <T>(map: Map<string, T>) =>
    (key: string, value: T | undefined): void => {
      store(map, key, value);
      allDirty = true;
    };

  return {
    setPool: world(pools),
    setAdvertisement: world(advertisements),
    setCommunity: world(communities),
    setNode(next) {
      if (relevant(next) !== relevant(node)) allDirty = true;
      node = next;
    },
    setNeighbors(next) {
      neighbors = next;
      const keys = routersAmong(next).join(' ');
      if (keys !== routers) allDirty = true;
      routers = keys;
    },
    setService(key, service) {
      store(services, key, service);
      dirty.add(key);
    },
    setSlice(key, slice) {
      for (const service of slices.set(key, slice)) dirty.add(service);
    },
    flush() {
      const touched = new Set<string>(allDirty ? saidOf.keys() : []);
      if (allDirty) sayings = sayingsOf({ pools, advertisements, communities, node, neighbors });
      for (const key of allDirty ? new Set([...services.keys(), ...dirty]) : dirty) {
        recompile(key, touched);
        untold.add(key);
      }
      dirty.clear();
      allDirty = false;
      const keys = routersAmong(neighbors);
      for (const prefix of touched) {
        const by = saidOf.get(prefix);
        if (by?.size === 0) saidOf.delete(prefix);
        const { value, problems } = merged(prefix, by ?? new Map(), services, keys);
        store(problemsBy, prefix, problems.length === 0 ? undefined : problems);
        if (JSON.stringify(value) === JSON.stringify(entries.get(prefix))) continue;
        store(entries, prefix, value);
        output.set('announcements', prefix, value);
        for (const key of by?.keys() ?? []) untold.add(key);
      }
      return output.take();
    },
    problems: () =>
      withoutRepeats([
        ...sayings.problems,
        ...[...problemsBy.keys()].sort().flatMap((prefix) => problemsBy.get(prefix) ?? []),
      ]),
    takeAnnounced() {
      const changes = new Map([...untold].map((key) => [key, announcedOf(key)]));
      untold.clear();
      return changes;
    },
  };
}

/** Whether it has endpoints to announce it for: anywhere or, with externalTrafficPolicy Local, here. */
function isServed(service: LoadBalancerModel, slices: readonly EndpointSliceModel[], self: string): boolean {
  const { any, nodes } = endpointPlaces(service, slices);
  return !service.deleted && (service.local ? nodes.has(self) : any);
}

/** What the Services of a prefix have in common is said once, in the name of the first by its key. */
function merged(
  prefix: string,
  by: ReadonlyMap<string, readonly Saying[]>,
  services: ReadonlyMap<string, LoadBalancerModel>,
  routers: readonly string[],
): ReturnType<typeof entryOf> {
  const keys = [...by.keys()].sort();
  const service = services.get(keys[0] ?? '');
  if (service === undefined) return { value: undefined, problems: [] };
  const said = new Set(keys.flatMap((key) => by.get(key) ?? []));
  // A Service of serviceSelectors may bring an older advertisement than the first one has.
  const oldestFirst = [...said].sort((a, b) => olderFirst(a.advertisement, b.advertisement));
  return entryOf(prefix, service.origin, oldestFirst, routers);
}

/** Of a Node only this matters here: its addresses and its zone don't. */
function relevant(node: NodeModel | undefined): string {
  return node === undefined ? '' : JSON.stringify([node.labels, node.leaving, node.announces]);
}

/** Of one problem that many prefixes have, the first. */
function withoutRepeats(problems: readonly Problem[]): readonly Problem[] {
  const seen = new Map<string, Problem>();
  for (const problem of problems) {
    const id = `${formatOrigin(problem.object)} ${problem.field} ${problem.code}`;
    if (problem.code !== 'PreferenceConflict') seen.set(`${id} ${problem.message}`, problem);
    else if (!seen.has(id)) seen.set(id, problem);
  }
  return [...seen.values()];
}
