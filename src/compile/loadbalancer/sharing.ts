/** Which Services may have one address together. */
import type { LoadBalancerModel } from '#model/loadbalancer.ts';

type Sharer = Pick<LoadBalancerModel, 'key' | 'sharingKey' | 'local' | 'selector' | 'ports'>;

/** Why two Services can't have one address; undefined when they can. */
export function conflictOf(a: Sharer, b: Sharer): string | undefined {
  if (a.sharingKey === undefined || a.sharingKey !== b.sharingKey)
    return 'has not the same metallb.io/allow-shared-ip';
  if (backendsOf(a) !== backendsOf(b))
    return 'has another externalTrafficPolicy, or Local and another selector';
  const taken = new Set(portsOf(a));
  const port = portsOf(b).find((each) => taken.has(each));
  return port === undefined ? undefined : `has port ${port}, too`;
}

/** With policy Local all Services of an address must have their endpoints on the same nodes: the address is announced there. */
function backendsOf({ local, selector }: Sharer): string {
  return local ? `Local ${selector}` : 'Cluster';
}

export function portsOf({ ports }: Pick<Sharer, 'ports'>): readonly string[] {
  return ports.map(({ protocol, port }) => `${protocol}/${port}`);
}

/**
 * Addresses that Services with a sharing key have, found by what a Service of that key could join. `scope`: pool and family, as text;
 * only addresses of one scope are looked for at a time.
 */
export type SharedAddresses = {
  add(scope: string, address: string, holder: Sharer): void;
  remove(scope: string, address: string, holder: Sharer): void;
  /** In no order. Nothing is looked at when one of the Service's ports is taken on all of them. */
  joinable(scope: string, service: Sharer): readonly string[];
};

type Group = {
  /** By address: how many Services. */
  readonly addresses: Map<string, number>;
  readonly byPort: Map<string, Set<string>>;
};

export function createSharedAddresses(): SharedAddresses {
  const groups = new Map<string, Group>();
  const keyOf = (scope: string, holder: Sharer) =>
    JSON.stringify([scope, holder.sharingKey, backendsOf(holder)]);
  return {
    add(scope, address, holder) {
      if (holder.sharingKey === undefined) return;
      const key = keyOf(scope, holder);
      const group = groups.get(key) ?? { addresses: new Map(), byPort: new Map() };
      groups.set(key, group);
      group.addresses.set(address, (group.addresses.get(address) ?? 0) + 1);
      for (const port of portsOf(holder)) {
        const users = group.byPort.get(port) ?? new Set();
        group.byPort.set(port, users.add(address));
      }
    },
    remove(scope, address, holder) {
      if (holder.sharingKey === undefined) return;
      const key = keyOf(scope, holder);
      const group = groups.get(key);
      if (group === undefined) return;
      const left = (group.addresses.get(address) ?? 1) - 1;
      if (left > 0) group.addresses.set(address, left);
      else group.addresses.delete(address);
      for (const port of portsOf(holder)) {
        const users = group.byPort.get(port);
        users?.delete(address);
        if (users?.size === 0) group.byPort.delete(port);
      }
      if (group.addresses.size === 0) groups.delete(key);
    },
    joinable(scope, service) {
      if (service.sharingKey === undefined) return [];
      const group = groups.get(keyOf(scope, service));
      if (group === undefined) return [];
      const taken = portsOf(service).flatMap((port) => group.byPort.get(port) ?? []);
      if (taken.some((users) => users.size === group.addresses.size)) return [];
      return [...group.addresses.keys()].filter((address) => !taken.some((users) => users.has(address)));
    },
  };
}
