/** To whom this node announces each Service, by the sessions that stand; pure. */
import type { BGPSession } from '#intent/handover.ts';
import type { AnnouncementIntent } from '#intent/loadbalancer.ts';
import type { NodeIntent } from '#intent/node.ts';

export type ServicePeers = {
  /** Names of BGPPeers and BGPNeighbors whose sessions stand, sorted. */
  readonly peers: readonly string[];
  /** Whom it would be announced to besides. */
  readonly down: readonly string[];
};

export type ServiceStatuses = typeof serviceStatuses;

/** The same answer for the same question, which is asked with every status of the datapath while Services are many. */
export function rememberingServiceStatuses(): ServiceStatuses {
  let asked: readonly unknown[] = [];
  let answer: ReturnType<ServiceStatuses> = new Map();
  return (announced, neighbors, sessions) => {
    const now = [announced, neighbors, sessions.map(({ neighbor, state }) => `${neighbor} ${state}`).join()];
    if (now.some((each, index) => each !== asked[index]))
      answer = serviceStatuses(announced, neighbors, sessions);
    asked = now;
    return answer;
  };
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
