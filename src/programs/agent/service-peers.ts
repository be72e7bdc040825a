/** To whom this node announces each Service, by the sessions that stand; pure. */
import type { AnnouncedChanges } from '#compile/loadbalancer/bgp.ts';
import type { BGPSession } from '#intent/handover.ts';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { NodeIntent } from '#intent/node.ts';

export type ServicePeers = {
  /** Names of BGPPeers and BGPNeighbors whose sessions stand, sorted. */
  readonly peers: readonly string[];
  /** Whom it would be announced to besides. */
  readonly down: readonly string[];
};

/** By `namespace/name` of the Service; undefined: nobody is to be told of it any more. */
export type ServicePeersChanges = ReadonlyMap<string, ServicePeers | undefined>;

export type ServiceStatuses = {
  /** Services whose answer may be another one: those of `changes`, or all where neighbors or sessions are others than before. */
  update(
    changes: AnnouncedChanges,
    neighbors: NodeIntent['bgpNeighbors'],
    sessions: readonly BGPSession[],
  ): ServicePeersChanges;
};

/** The same, change by change: it is asked with every change and every status of the datapath while Services are many. */
export function createServiceStatuses(): ServiceStatuses {
  const announced = new Map<string, ReadonlyMap<string, AnnouncementIntent>>();
  let asked: readonly unknown[] = [];
  return {
    update(changes, neighbors, sessions) {
      for (const [key, prefixes] of changes)
        if (prefixes === undefined) announced.delete(key);
        else announced.set(key, prefixes);
      const now = [neighbors, sessions.map(({ neighbor, state }) => `${neighbor} ${state}`).join()];
      const isSame = now.every((each, index) => each === asked[index]);
      asked = now;
      if (isSame && changes.size === 0) return new Map();
      const keys = isSame ? changes.keys() : new Set([...changes.keys(), ...announced.keys()]);
      const answer = serviceStatuses(isSame ? given(changes) : announced, neighbors, sessions);
      return new Map([...keys].map((key) => [key, answer.get(key)]));
    },
  };
}

function given(changes: AnnouncedChanges): ReadonlyMap<string, ReadonlyMap<string, AnnouncementIntent>> {
  return new Map([...changes].flatMap(([key, own]) => (own === undefined ? [] : [[key, own] as const])));
}

/** By `namespace/name` of the Service. One that nobody is to be told of is not here. */
export function serviceStatuses(
  announced: ReadonlyMap<string, ReadonlyMap<string, AnnouncementIntent>>,
  neighbors: NodeIntent['bgpNeighbors'],
  sessions: readonly BGPSession[],
): ReadonlyMap<string, ServicePeers> {
  const standing = new Set(
    sessions.filter(({ state }) => state === 'Established').map(({ neighbor }) => neighbor),
  );
  const routers = Object.entries(neighbors).filter(([, { mesh }]) => mesh === undefined);
  /** Of one family and set of neighbors the answer is the same, and Services are many. */
  const known = new Map<string, ServicePeers>();
  const told = (prefix: string, { neighbors: named, others = [] }: AnnouncementIntent): ServicePeers => {
    const family = prefix.includes(':') ? 6 : 4;
    const wanted =
      named === undefined ? undefined : [...named, ...others.flatMap(({ neighbors: more }) => more)];
    const id = JSON.stringify([family, wanted]);
    const found = known.get(id);
    if (found !== undefined) return found;
    const own = routers.filter(
      ([key, { families }]) => families.includes(family) && (wanted === undefined || wanted.includes(key)),
    );
    const names = (up: boolean) =>
      own.filter(([key]) => standing.has(key) === up).map(([, { origin }]) => origin.name);
    const answer = { peers: names(true), down: names(false) };
    known.set(id, answer);
    return answer;
  };
  return new Map(
    [...announced].flatMap(([service, prefixes]): [string, ServicePeers][] => {
      const all = [...prefixes].map(([prefix, entry]) => told(prefix, entry));
      const down = new Set(all.flatMap((each) => each.down));
      const peers = new Set(all.flatMap((each) => each.peers).filter((name) => !down.has(name)));
      if (peers.size + down.size === 0) return [];
      return [[service, { peers: [...peers].sort(), down: [...down].sort() }]];
    }),
  );
}
