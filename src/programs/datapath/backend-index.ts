/** Which Services have a backend at an address: what a node's death costs is its own Services, not all of them. Pure. */
import type { ServiceIntent } from '#intent/node.ts';
import { placesKept } from '#intent/places.ts';

export type BackendIndex = {
  /** The Service as it is now; undefined: it is gone. */
  set(key: string, service: ServiceIntent | undefined): void;
  clear(): void;
  /** Keys of Services with a backend at one of these addresses, or at one that `concerns` takes. */
  keysOf(addresses: {
    readonly listed: readonly string[];
    readonly concerns: ((address: string) => boolean) | undefined;
  }): ReadonlySet<string>;
};

export function createBackendIndex(): BackendIndex {
  const services = new Map<string, ServiceIntent>();
  /** Mostly one Service an address, and one key is smaller than a set of them. */
  const keys = new Map<string, string | Set<string>>();

  const add = (address: string, key: string): void => {
    const known = keys.get(address);
    if (known === undefined) keys.set(address, key);
    else if (typeof known !== 'string') known.add(key);
    else if (known !== key) keys.set(address, new Set([known, key]));
  };
  const drop = (address: string, key: string): void => {
    const known = keys.get(address);
    if (known === key) keys.delete(address);
    else if (typeof known === 'object' && known.delete(key) && known.size === 0) keys.delete(address);
  };
  return {
    set(key, service) {
      const before = services.get(key);
      if (before !== undefined) for (const { address } of placesKept(before)) drop(address, key);
      if (service === undefined) services.delete(key);
      else {
        services.set(key, service);
        for (const { address } of placesKept(service)) add(address, key);
      }
    },
    clear() {
      services.clear();
      keys.clear();
    },
    keysOf({ listed, concerns }) {
      const found = new Set<string>();
      const take = (known: string | Set<string> | undefined): void => {
        if (typeof known === 'string') found.add(known);
        else for (const key of known ?? []) found.add(key);
      };
      for (const address of listed) take(keys.get(address));
      if (concerns !== undefined) for (const [address, known] of keys) if (concerns(address)) take(known);
      return found;
    },
  };
}
