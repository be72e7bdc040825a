/** Which endpoints of a Service's slices take its new connections. */
import type { ServiceIntent } from '#intent/node.ts';
import type { EndpointModel, EndpointSliceModel, ServiceModel, ServicePort } from '#model/service.ts';
import { type Addr, compareAddr, type Family, parseAddr } from '#net/addr.ts';

/**
 * Ready endpoints; when there are none, those that are terminating but still serve (KEP-1669). Sorted by address and port, each
 * once, although a slice controller may list one endpoint in two slices while it moves it.
 */
export function chooseBackends(
  service: Pick<ServiceModel, 'publishNotReadyAddresses'>,
  port: ServicePort,
  family: Family,
  slices: readonly EndpointSliceModel[],
): ServiceIntent['backends'] {
  const ready = new Map<string, Place>();
  const fallback = new Map<string, Place>();
  for (const slice of slices) {
    if (slice.family !== family) continue;
    const target = slice.ports.find((each) => each.name === port.name && each.protocol === port.protocol);
    if (target === undefined) continue;
    for (const endpoint of slice.endpoints) {
      const place = { address: endpoint.address, port: target.port };
      const key = `${place.address} ${place.port}`;
      if (isReady(endpoint, service.publishNotReadyAddresses)) ready.set(key, place);
      else if (endpoint.serving && endpoint.terminating) fallback.set(key, place);
    }
  }
  const chosen = ready.size > 0 ? ready : fallback;
  return [...chosen.values()]
    .map((place) => ({ place, addr: parseAddr(place.address) as Addr }))
    .sort((a, b) => compareAddr(a.addr, b.addr) || a.place.port - b.place.port)
    .map(({ place }) => place);
}

type Place = ServiceIntent['backends'][number];

function isReady(endpoint: EndpointModel, publishNotReady: boolean): boolean {
  return endpoint.ready || publishNotReady;
}
