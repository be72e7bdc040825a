/** Where a Service's connections and flows may be. */
import type { Place, ServiceIntent } from './node.ts';

/** All places that a new one may be sent to. */
export function placesOfService({ backends, published }: ServiceIntent): readonly Place[] {
  const local = published?.localBackends ?? [];
  return local.length === 0 ? backends : [...local, ...backends];
}

/** All places that one may stay at. */
export function placesKept(service: ServiceIntent): readonly Place[] {
  const { leaving = [] } = service;
  const chosen = placesOfService(service);
  return leaving.length === 0 ? chosen : [...chosen, ...leaving];
}
