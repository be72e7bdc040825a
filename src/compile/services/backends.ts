/** Which endpoints of a Service's slices take its new connections. */
import type { Place } from '#intent/node.ts';
import type { EndpointModel, EndpointSliceModel, ServicePort } from '#model/service.ts';
import { type Addr, compareAddr, type Family, parseAddr } from '#net/addr.ts';

/** Where the compile is for. */
export type Locality = { readonly node: string; readonly zone?: string | undefined };

/** Each sorted by address and port. */
export type Backends = {
  /** For connections that may go to any node. */
  readonly cluster: readonly Place[];
  /** For connections that must stay on this node. */
  readonly local: readonly Place[];
  /** Terminating ones that serve on, beside ready ones: for the flows that they have. */
  readonly leaving: readonly Place[];
};

/** An endpoint of the port that is asked for, once, although a controller may list it in two slices while it moves it. */
type Candidate = {
  readonly place: Place;
  readonly endpoint: EndpointModel;
  readonly ready: boolean;
  readonly untilGone?: boolean | undefined;
};

type Chosen = { readonly publishNotReadyAddresses: boolean; readonly untilGone?: boolean };

/**
 * Ready endpoints; when there are none, those that are terminating but still serve (KEP-1669), or, where the Service's pods end later than
 * they say (`untilGone`), any that are terminating. For connections that may go anywhere
 * topology hints narrow the choice: to endpoints meant for this node when every ready one has such a hint and some are meant for it,
 * else to those meant for this zone in the same way, else not at all (KEP-2433, KEP-3015: hints that don't cover all are void).
 */
export function chooseBackends(
  service: Chosen,
  port: ServicePort,
  family: Family,
  slices: readonly EndpointSliceModel[],
  { node, zone }: Locality,
): Backends {
  const candidates = candidatesOf(service, port, family, slices);
  const ready = candidates.filter((each) => each.ready);
  const meant = meantFor(ready, node, zone);
  const near = candidates.filter(({ endpoint }) => meant(endpoint));
  // Hints judge the ready ones; when none is ready, any that still serves is better than nothing.
  const cluster = usable(ready.length === 0 ? candidates : near);
  const local = usable(candidates.filter(({ endpoint }) => endpoint.node === node));
  const leaving = ready.length === 0 ? [] : candidates.filter((each) => rank(each) === 1);
  return { cluster: sorted(cluster), local: sorted(local), leaving: sorted(leaving) };
}

/** Ready endpoints of a Service on this node, each address once, of the family that has more: what a load balancer is told. */
export function countLocal(
  service: { readonly publishNotReadyAddresses: boolean },
  slices: readonly EndpointSliceModel[],
  { node }: Locality,
): number {
  const addresses = (family: Family) =>
    new Set(
      slices
        .filter((slice) => slice.family === family)
        .flatMap((slice) => slice.endpoints)
        .filter((endpoint) => endpoint.node === node && (endpoint.ready || service.publishNotReadyAddresses))
        .map((endpoint) => endpoint.address),
    ).size;
  return Math.max(addresses(4), addresses(6));
}

function candidatesOf(
  { publishNotReadyAddresses, untilGone }: Chosen,
  port: ServicePort,
  family: Family,
  slices: readonly EndpointSliceModel[],
): readonly Candidate[] {
  const found = new Map<string, Candidate>();
  for (const slice of slices) {
    if (slice.family !== family) continue;
    const target = slice.ports.find((each) => each.name === port.name && each.protocol === port.protocol);
    if (target === undefined) continue;
    for (const endpoint of slice.endpoints) {
      const place = { address: endpoint.address, port: target.port };
      const key = `${place.address} ${place.port}`;
      const ready = endpoint.ready || publishNotReadyAddresses;
      const known = found.get(key);
      // Of two that say otherwise the better one counts, whichever slice comes first.
      if (known === undefined || rank({ ready, endpoint, untilGone }) > rank(known))
        found.set(key, { place, endpoint, ready, untilGone });
    }
  }
  return [...found.values()];
}

function rank({ ready, endpoint, untilGone }: Omit<Candidate, 'place'>): number {
  if (ready) return 2;
  return endpoint.terminating && (endpoint.serving || untilGone === true) ? 1 : 0;
}

function usable(candidates: readonly Candidate[]): readonly Candidate[] {
  const best = candidates.some((each) => rank(each) === 2) ? 2 : 1;
  return candidates.filter((each) => rank(each) === best);
}

function meantFor(
  ready: readonly Candidate[],
  node: string,
  zone: string | undefined,
): (endpoint: EndpointModel) => boolean {
  const covers = (hintsOf: (endpoint: EndpointModel) => readonly string[] | undefined, name: string) =>
    ready.length > 0 &&
    ready.every(({ endpoint }) => hintsOf(endpoint) !== undefined) &&
    ready.some(({ endpoint }) => hintsOf(endpoint)?.includes(name));
  if (covers((endpoint) => endpoint.forNodes, node))
    return (endpoint) => endpoint.forNodes?.includes(node) ?? false;
  if (zone !== undefined && covers((endpoint) => endpoint.forZones, zone))
    return (endpoint) => endpoint.forZones?.includes(zone) ?? false;
  return () => true;
}

function sorted(candidates: readonly Candidate[]): readonly Place[] {
  return candidates
    .map(({ place }) => ({ place, addr: parseAddr(place.address) as Addr }))
    .sort((a, b) => compareAddr(a.addr, b.addr) || a.place.port - b.place.port)
    .map(({ place }) => place);
}
