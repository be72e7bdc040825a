/**
 * Routes that want the same of one listener. HTTPRoutes and GRPCRoutes with hostnames in common can't both be there: the younger is
 * refused. Of TLSRoutes, TCPRoutes and UDPRoutes the oldest has a hostname.
 */
import type { RouteKind, RouteModel } from '#model/gateway/types.ts';
import { byText, olderFirst } from '../age.ts';
import { type ClaimIndex, createClaimIndex } from './claims.ts';

export type Claimant = Pick<RouteModel, 'kind' | 'key' | 'created'>;

export type Contention = {
  /** What a route wants of which listener, in place of what it wanted before. `id` is `KIND/namespace/name`. */
  set(id: string, route: Claimant | undefined, wants: ReadonlyMap<string, readonly string[]>): void;
  /** Routes that lose something else than before. */
  settle(): readonly string[];
  /** Hostnames that a route wants of a listener in vain; empty: it gets all. */
  lost(id: string, listener: string): readonly string[];
};

type Claim = { readonly id: string; readonly route: Claimant; readonly listener: string };

export function createContention(): Contention {
  const claimants = new Map<
    string,
    { readonly route: Claimant; readonly wants: ReadonlyMap<string, readonly string[]> }
  >();
  /** By listener and kind; all routes of connections are one kind. */
  const indexes = new Map<string, ClaimIndex>();
  const losses = new Map<string, Map<string, readonly string[]>>();
  const due = new Map<string, Claim>();
  /** Claims of HTTPRoutes and GRPCRoutes that rivals don't know of yet: they concern those only if they win. */
  const fresh = new Set<string>();
  /** Names of routes of connections that somebody came to or left: all who want one are looked at again. */
  const touched = new Map<string, { readonly listener: string; readonly host: string }>();
  const changed = new Set<string>();

  const keyOf = (listener: string, kind: RouteKind): string =>
    `${rivalOf(kind) === undefined ? 'stream' : kind} ${listener}`;
  const demand = (id: string, listener: string): void => {
    const claimant = claimants.get(id);
    if (claimant !== undefined) due.set(`${listener} ${id}`, { id, route: claimant.route, listener });
  };
  const holders = (listener: string, host: string): readonly string[] =>
    indexes.get(`stream ${listener}`)?.at(host) ?? [];
  const touch = (listener: string, hosts: readonly string[]): void => {
    for (const host of hosts) touched.set(`${listener} ${host}`, { listener, host });
  };
  /** While it is settled: who has a name among routes of connections. */
  const oldest = new Map<string, string | undefined>();
  const holderOf = (listener: string, host: string): string | undefined => {
    const name = `${listener} ${host}`;
    if (!oldest.has(name)) {
      let first: string | undefined;
      for (const id of holders(listener, host)) {
        const claimant = claimants.get(id);
        const held = first === undefined ? undefined : claimants.get(first);
        if (claimant !== undefined && (held === undefined || before(claimant.route, held.route))) first = id;
      }
      oldest.set(name, first);
    }
    return oldest.get(name);
  };
  const rivals = (kind: RouteKind, listener: string, hosts: readonly string[]): Iterable<string> => {
    const other = rivalOf(kind);
    return (other && indexes.get(keyOf(listener, other))?.overlapping(hosts)) ?? [];
  };
  const wantedBy = (id: string, listener: string): readonly string[] =>
    claimants.get(id)?.wants.get(listener) ?? [];

  const isWinner = (id: string, listener: string): boolean => losses.get(id)?.has(listener) !== true;
  const lossOf = ({ id, route, listener }: Claim): readonly string[] => {
    const hosts = wantedBy(id, listener);
    const isOlder = (other: string): boolean => {
      const rival = claimants.get(other)?.route;
      return rival !== undefined && before(rival, route);
    };
    if (rivalOf(route.kind) === undefined) return hosts.filter((host) => holderOf(listener, host) !== id);
    for (const other of rivals(route.kind, listener, hosts))
      if (isWinner(other, listener) && isOlder(other)) return hosts;
    return [];
  };
  const record = ({ id, listener }: Claim, loss: readonly string[]): boolean => {
    const own = losses.get(id) ?? new Map<string, readonly string[]>();
    if (JSON.stringify(own.get(listener) ?? []) === JSON.stringify(loss)) return false;
    if (loss.length === 0) own.delete(listener);
    else own.set(listener, loss);
    if (own.size === 0) losses.delete(id);
    else losses.set(id, own);
    changed.add(id);
    return true;
  };

  return {
    set(id, route, wants) {
      const known = claimants.get(id);
      const isSame = (listener: string): boolean =>
        known !== undefined &&
        route !== undefined &&
        olderFirst(known.route, route) === 0 &&
        sameHosts(known.wants.get(listener), wants.get(listener));
      for (const [listener, hosts] of known?.wants ?? []) {
        if (isSame(listener)) continue;
        const { kind } = known!.route;
        const index = indexes.get(keyOf(listener, kind));
        for (const host of hosts) index?.remove(host, id);
        if (index?.isEmpty() === true) indexes.delete(keyOf(listener, kind));
        // Who had nothing stood in nobody's way.
        if (rivalOf(kind) === undefined) touch(listener, hosts);
        else if (isWinner(id, listener))
          for (const other of rivals(kind, listener, hosts)) demand(other, listener);
        if (route === undefined || !wants.has(listener)) {
          due.delete(`${listener} ${id}`);
          fresh.delete(`${listener} ${id}`);
          record({ id, route: known!.route, listener }, []);
        }
      }
      claimants.delete(id);
      if (route === undefined) return;
      claimants.set(id, { route, wants });
      for (const [listener, hosts] of wants) {
        if (isSame(listener)) continue;
        const key = keyOf(listener, route.kind);
        const index = indexes.get(key) ?? createClaimIndex();
        indexes.set(key, index);
        for (const host of hosts) index.add(host, id);
        demand(id, listener);
        if (rivalOf(route.kind) !== undefined) fresh.add(`${listener} ${id}`);
        else touch(listener, hosts);
      }
    },
    settle() {
      for (const { listener, host } of touched.values())
        for (const id of holders(listener, host)) demand(id, listener);
      touched.clear();
      oldest.clear();
      // What becomes of a route depends on older ones only, so each is decided once.
      const queue = [...due.values()].sort(compare);
      due.clear();
      /** Names whose younger rivals are all in the queue: thousands of routes for one name cost no square of it. */
      const spread = new Set<string>();
      for (let next = 0; next < queue.length; next += 1) {
        const claim = queue[next]!;
        const { kind } = claim.route;
        const loss = lossOf(claim);
        const isOther = record(claim, loss);
        const isFresh = fresh.delete(`${claim.listener} ${claim.id}`);
        if (rivalOf(kind) === undefined || (isFresh ? loss.length > 0 : !isOther)) continue;
        const hosts = wantedBy(claim.id, claim.listener).filter((host) => {
          const name = `${kind} ${claim.listener} ${host}`;
          return !spread.has(name) && spread.add(name);
        });
        for (const id of rivals(kind, claim.listener, hosts)) {
          const rival = claimants.get(id)?.route;
          if (rival === undefined || !before(claim.route, rival)) continue;
          insert(queue, next + 1, { id, route: rival, listener: claim.listener });
        }
      }
      const result = [...changed].sort(byText);
      changed.clear();
      return result;
    },
    lost: (id, listener) => losses.get(id)?.get(listener) ?? [],
  };
}

function sameHosts(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((host, at) => host === b[at]);
}

function rivalOf(kind: RouteKind): RouteKind | undefined {
  return kind === 'HTTPRoute' ? 'GRPCRoute' : kind === 'GRPCRoute' ? 'HTTPRoute' : undefined;
}

function before(a: Claimant, b: Claimant): boolean {
  return (olderFirst(a, b) || byText(a.kind, b.kind)) < 0;
}

function compare(a: Claim, b: Claim): number {
  return olderFirst(a.route, b.route) || byText(a.route.kind, b.route.kind) || byText(a.listener, b.listener);
}

/** Into its place among those from `from` on, unless it is there. */
function insert(queue: Claim[], from: number, claim: Claim): void {
  let low = from;
  let high = queue.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(queue[middle]!, claim) < 0) low = middle + 1;
    else high = middle;
  }
  const there = queue[low];
  if (there === undefined || compare(there, claim) !== 0) queue.splice(low, 0, claim);
}
