/** EndpointSlices by the Service that they are of. */
import type { EndpointSliceModel } from '#model/endpointslice.ts';
import { index, store } from './maps.ts';

export type ServiceSlices = {
  /** Undefined removes. The Services whose endpoints are others now. */
  set(key: string, slice: EndpointSliceModel | undefined): readonly string[];
  of(service: string): readonly EndpointSliceModel[];
};

export function createServiceSlices(): ServiceSlices {
  const slices = new Map<string, EndpointSliceModel>();
  const keysOf = new Map<string, Set<string>>();
  return {
    set(key, slice) {
      const before = slices.get(key);
      if (before !== undefined) index(keysOf, before.service, key, false);
      store(slices, key, slice);
      if (slice !== undefined) index(keysOf, slice.service, key, true);
      return [before, slice].flatMap((each) => each?.service ?? []);
    },
    of: (service) => [...(keysOf.get(service) ?? [])].flatMap((key) => slices.get(key) ?? []),
  };
}
