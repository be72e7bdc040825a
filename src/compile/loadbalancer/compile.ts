/** The whole allocation: which Service has which addresses, of pools and of what Services have already. */
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { Problem } from '#model/problem.ts';
import type { Labels } from '#model/selector.ts';
import { createAllocationBook } from './book.ts';
import type { Allocation } from './choose.ts';
import type { PoolUsage } from './usage.ts';

export type AllocationSnapshot = {
  readonly pools: readonly AddressPoolModel[];
  readonly services: readonly LoadBalancerModel[];
  /** Labels by namespace. */
  readonly namespaces: ReadonlyMap<string, Labels>;
};

export type Allocated = {
  /** By Service; without addresses when it waits. */
  readonly allocations: ReadonlyMap<string, Allocation>;
  readonly usage: readonly PoolUsage[];
};

export function compileAllocation({ pools, services, namespaces }: AllocationSnapshot): {
  readonly value: Allocated;
  readonly problems: readonly Problem[];
} {
  const book = createAllocationBook();
  for (const [name, labels] of namespaces) book.setNamespace(name, labels);
  book.setPools(pools);
  for (const service of services) book.setService(service.key, service);
  book.settle();
  const allocations = new Map(
    services.flatMap(({ key }) => {
      const allocation = book.get(key);
      return allocation === undefined ? [] : [[key, allocation] as const];
    }),
  );
  return { value: { allocations, usage: book.usage() }, problems: book.problems() };
}
