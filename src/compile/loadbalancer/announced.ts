/** What is announced by one node each, and by which: Services that share an address together. As a whole, and change by change. Pure. */
import type { LoadBalancerModel } from '#model/loadbalancer.ts';
import type { Answer } from './l2.ts';
import { index } from './maps.ts';
import { type Announced, spread, spreadMore } from './spread.ts';

/** A Service that somebody may answer for. */
export type Answered = { readonly service: LoadBalancerModel; readonly answers: readonly Answer[] };

export type Shared = Announced & { readonly services: readonly LoadBalancerModel[] };

/** Who is to announce what; as soon as all that is said here is written, nothing more is said of it. */
export type Choice = { readonly shared: Shared; readonly place: string };

export type Announcing = {
  /** Undefined: nobody may answer for it. */
  set(key: string, answered: Answered | undefined): void;
  /**
   * Of what was set since the last time; with `anew` (the first time, and where other nodes may announce or are absent than before) of all.
   * `absent` may differ from the last time only with `anew`.
   */
  settle(absent: ReadonlySet<string>, anew: boolean): readonly Choice[];
};

/** The oracle. By key of the first Service of each. */
export function sharedAmong(answered: Iterable<Answered>): ReadonlyMap<string, Shared> {
  const groups = new Map<string, Answered[]>();
  const groupOf = new Map<string, string>();
  for (const each of [...answered].sort((a, b) => (a.service.key < b.service.key ? -1 : 1))) {
    const { key, assigned } = each.service;
    const known = assigned.map((address) => groupOf.get(address)).find((group) => group !== undefined);
    groups.set(known ?? key, [...(groups.get(known ?? key) ?? []), each]);
    for (const address of assigned) groupOf.set(address, known ?? key);
  }
  return new Map([...groups].map(([key, own]) => [key, sharedOf(key, own)]));
}

/** A change costs its own Service and those that it shares addresses with, unless a node may announce that could nothing before. */
export function createAnnouncing(): Announcing {
  const answered = new Map<string, Answered>();
  const holders = new Map<string, Set<string>>();
  const shared = new Map<string, Shared>();
  const sharedBy = new Map<string, string>();
  const dirty = new Set<string>();
  const places = new Map<string, string>();
  /** By node: how many have their place there. */
  const load = new Map<string, number>();
  /** Nodes that could announce something: by how many. */
  const eligible = new Map<string, number>();
  let known: ReadonlySet<string> | undefined;

  const hold = (key: string, is: boolean): void => {
    for (const address of answered.get(key)?.service.assigned ?? []) index(holders, address, key, is);
  };
  const count = ({ eligible: own }: Shared, by: 1 | -1): void => {
    for (const { node } of own) {
      const next = (eligible.get(node) ?? 0) + by;
      if (next === 0) eligible.delete(node);
      else eligible.set(node, next);
    }
  };
  const unplace = (key: string): void => {
    const place = places.get(key);
    if (place !== undefined) load.set(place, load.get(place)! - 1);
    places.delete(key);
  };
  /** Gives the keys of what is other than before, and takes out what is no more. */
  const regroup = (): readonly string[] => {
    const keys = new Set<string>(dirty);
    for (const key of keys)
      for (const address of answered.get(key)?.service.assigned ?? [])
        for (const other of holders.get(address) ?? []) keys.add(other);
    dirty.clear();
    for (const key of keys) {
      unplace(key);
      const group = sharedBy.get(key);
      const before = group === undefined ? undefined : shared.get(group);
      sharedBy.delete(key);
      if (group === undefined || before === undefined) continue;
      count(before, -1);
      shared.delete(group);
    }
    const now = sharedAmong([...keys].flatMap((key) => answered.get(key) ?? []));
    for (const [group, each] of now) {
      shared.set(group, each);
      count(each, 1);
      for (const { key } of each.services) sharedBy.set(key, group);
    }
    return [...now.keys()];
  };

  return {
    set(key, next) {
      // Who shared with it may do so with nobody, now.
      const group = sharedBy.get(key);
      const before = group === undefined ? undefined : shared.get(group);
      for (const each of before?.services ?? []) dirty.add(each.key);
      hold(key, false);
      if (next === undefined) answered.delete(key);
      else answered.set(key, next);
      hold(key, true);
      dirty.add(key);
    },
    settle(absent, anew) {
      const changed = regroup();
      const hasJoined = known !== undefined && [...eligible.keys()].some((node) => !known?.has(node));
      known = new Set(eligible.keys());
      const isWhole = anew || hasJoined;
      const own = isWhole ? [...shared.keys()] : changed;
      if (isWhole) for (const key of own) unplace(key);
      const groups = own.flatMap((key) => shared.get(key) ?? []);
      const found = isWhole ? spread(groups, absent, hasJoined) : spreadMore(groups, load, absent);
      for (const [key, place] of found) {
        if (place === undefined) continue;
        places.set(key, place);
        if (isWhole) load.set(place, (load.get(place) ?? 0) + 1);
      }
      return groups.flatMap((each): Choice[] => {
        const place = places.get(each.key);
        // Without anybody who may it stays as it is: whoever had it has it again.
        return place === undefined ? [] : [{ shared: each, place }];
      });
    },
  };
}

function sharedOf(key: string, own: readonly Answered[]): Shared {
  const services = own.map(({ service }) => service);
  return {
    key,
    address: services[0]?.assigned[0],
    eligible: eligibleFor(own.flatMap(({ answers }) => answers)),
    announcer: services.find(({ announcer }) => announcer !== undefined)?.announcer,
    services,
  };
}

/** Nodes that may answer for all of the addresses, or where there is none, for the first. */
function eligibleFor(answers: readonly Answer[]): Announced['eligible'] {
  const [first, ...more] = answers;
  const all = first!.eligible.filter(({ node }) =>
    more.every(({ eligible }) => eligible.some((each) => each.node === node)),
  );
  return all.length > 0 ? all : first!.eligible;
}
