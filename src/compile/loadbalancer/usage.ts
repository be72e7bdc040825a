/** How much of its addresses a pool has left, and what is held that is in no pool any longer. */
import type { LoadBalancerModel } from '#model/loadbalancer.ts';
import type { Problem } from '#model/problem.ts';
import type { Family } from '#net/addr.ts';
import type { Allocation, Lack } from './choose.ts';
import type { Ledger, PoolCount } from './ledger.ts';

export type PoolUsage = {
  readonly name: string;
  readonly ipv4: PoolCount;
  readonly ipv6: PoolCount;
  /** Services that have addresses of it. */
  readonly services: number;
  /** Services that would take an address of it if one came free, and have none. */
  readonly waiting: number;
};

/** `holders`: how many Services have addresses of a pool, by its name. */
export function poolUsage(
  ledger: Ledger,
  waiting: Iterable<Lack>,
  holders: ReadonlyMap<string, number>,
): readonly PoolUsage[] {
  const waits = tally(
    [...waiting].flatMap(({ content, families, pools }) =>
      content === true || families === undefined ? [] : pools,
    ),
  );
  return ledger.pools.list.map((pool) => ({
    name: pool.name,
    ipv4: ledger.count(pool, 4 satisfies Family),
    ipv6: ledger.count(pool, 6 satisfies Family),
    services: holders.get(pool.name) ?? 0,
    waiting: waits.get(pool.name) ?? 0,
  }));
}

/** Pools that somebody waits for an address of. */
export function exhaustedProblems(usage: readonly PoolUsage[], ledger: Ledger): readonly Problem[] {
  return usage.flatMap(({ name, waiting }): Problem[] => {
    const pool = ledger.pools.byName.get(name);
    if (waiting === 0 || pool === undefined) return [];
    const message = `no address that they can have is free for ${waiting} Service${waiting === 1 ? '' : 's'}`;
    return [{ object: pool.origin, field: 'spec.addresses', code: 'NoFreeAddress', message }];
  });
}

/** Told on the Service, and together on the pool that its addresses came from if that is still there. */
export function strandedProblems(
  services: readonly LoadBalancerModel[],
  allocationOf: (key: string) => Allocation,
  ledger: Ledger,
): readonly Problem[] {
  const lost = services.map((service) => {
    const { addresses, pool } = allocationOf(service.key);
    return { service, pool, addresses: addresses.filter((each) => ledger.poolOf(each) === undefined) };
  });
  const byPool = Map.groupBy(lost, ({ pool }) => pool ?? '');
  return [
    ...lost.map(({ service, pool, addresses }): Problem => {
      const where = pool === undefined ? 'any IPAddressPool' : `IPAddressPool ${pool}`;
      const message = `${addresses.join(' and ')} is no longer in ${where}, and stays with the Service`;
      return { object: service.origin, field: 'status.loadBalancer', code: 'AddressKept', message };
    }),
    ...[...byPool].flatMap(([name, those]): Problem[] => {
      const pool = ledger.pools.byName.get(name);
      if (pool === undefined) return [];
      const list = those.flatMap(({ service, addresses }) =>
        addresses.map((each) => `${each} (${service.key})`),
      );
      const shown = list.sort().slice(0, 10).join(', ');
      const more = list.length > 10 ? ` and ${list.length - 10} more` : '';
      const message = `taken out of the pool, but Services have them and keep them: ${shown}${more}`;
      return [{ object: pool.origin, field: 'spec.addresses', code: 'AddressKept', message }];
    }),
  ];
}

function tally(names: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
