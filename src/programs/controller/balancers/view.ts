/** Services as they are: the cache, and own writes that the cache doesn't know yet. */
import { isOlder } from '#kube/cache.ts';
import { type SeenBalancer, shownBy } from './seen.ts';

export type View = {
  seen(key: string): SeenBalancer | undefined;
  /** Services whose status names an address. */
  showing(address: string): Iterable<string>;
  /** The cache was told. */
  heard(key: string, balancer: SeenBalancer | undefined): void;
  wrote(key: string, balancer: SeenBalancer | undefined): void;
};

export function createView(cached: (key: string) => SeenBalancer | undefined): View {
  const ahead = new Map<string, SeenBalancer>();
  const shown = new Map<string, readonly string[]>();
  const showing = new Map<string, Set<string>>();
  const show = (key: string, addresses: readonly string[]): void => {
    for (const address of shown.get(key) ?? []) {
      const keys = showing.get(address);
      keys?.delete(key);
      if (keys?.size === 0) showing.delete(address);
    }
    for (const address of addresses) showing.set(address, (showing.get(address) ?? new Set()).add(key));
    if (addresses.length === 0) shown.delete(key);
    else shown.set(key, addresses);
  };
  return {
    seen: (key) => ahead.get(key) ?? cached(key),
    showing: (address) => showing.get(address) ?? [],
    heard(key, balancer) {
      const own = ahead.get(key);
      const isOld =
        own !== undefined && balancer !== undefined && isOlder(balancer.resourceVersion, own.resourceVersion);
      if (isOld) return;
      ahead.delete(key);
      show(key, shownBy(balancer));
    },
    wrote(key, balancer) {
      const known = cached(key);
      // The cache may have been told before the answer came.
      if (
        balancer === undefined ||
        known === undefined ||
        !isOlder(known.resourceVersion, balancer.resourceVersion)
      )
        return;
      ahead.set(key, balancer);
      show(key, shownBy(balancer));
    },
  };
}
