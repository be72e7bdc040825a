/** Which Service holds which address, over one set of pools. */
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import { type Addr, type Family, parseAddr } from '#net/addr.ts';
import { type Range, rangeSize } from '#net/range.ts';
import { createFreeAddresses, type FreeAddresses, isBuggy } from './free.ts';
import type { ServedPools } from './pools.ts';
import { conflictOf, createSharedAddresses } from './sharing.ts';

export type PoolCount = { readonly assigned: number; readonly available: bigint };

export type Ledger = {
  readonly pools: ServedPools;
  poolOf(address: string): AddressPoolModel | undefined;
  hold(service: LoadBalancerModel, address: string): void;
  /** Does nothing where the Service doesn't hold it. */
  drop(key: string, address: string): void;
  /** Whether a pool has the address, and doesn't hand it out. */
  isLeftOut(pool: AddressPoolModel, address: string): boolean;
  /** Who keeps the Service from an address, and why. */
  conflict(service: LoadBalancerModel, address: string): { key: string; why: string } | undefined;
  /** The first address of a pool that the Service can have: a free one, or one that it can join. */
  pick(pool: AddressPoolModel, family: Family, service: LoadBalancerModel): string | undefined;
  count(pool: AddressPoolModel, family: Family): PoolCount;
};

type Stock = {
  readonly free: FreeAddresses;
  /** Without those that are left out. */
  readonly usable: bigint;
  assigned: number;
  /** Of them those that would be left out now. */
  assignedBuggy: number;
};

export function createLedger(pools: ServedPools): Ledger {
  /** By address, then by Service: as it was when it took hold. */
  const holders = new Map<string, Map<string, LoadBalancerModel>>();
  const shared = createSharedAddresses();
  const stocks = new Map<string, Stock>();
  const scopeOf = (pool: AddressPoolModel, family: Family) => `${pool.name} ${family}`;
  for (const pool of pools.list) {
    for (const family of [4, 6] as const) {
      const isUsable = (address: string) => !holders.has(address) && !leftOut(pool, parseAddr(address));
      stocks.set(scopeOf(pool, family), {
        free: createFreeAddresses(pool.ranges, family, isUsable),
        usable: usableOf(pool, family),
        assigned: 0,
        assignedBuggy: 0,
      });
    }
  }

  const find = (address: string) => {
    const addr = parseAddr(address);
    const pool = addr && pools.of(addr);
    if (addr === undefined || pool === undefined) return undefined;
    const scope = scopeOf(pool, addr.family);
    return { pool, addr, scope, stock: stocks.get(scope)! };
  };
  /** Of addresses that are held: each is asked for several times. */
  const places = new Map<string, ReturnType<typeof find>>();
  const place = (address: string): ReturnType<typeof find> => places.get(address) ?? find(address);
  const tally = (address: string, by: 1 | -1): void => {
    const where = place(address);
    if (where === undefined) return;
    where.stock.assigned += by;
    if (leftOut(where.pool, where.addr)) where.stock.assignedBuggy += by;
  };

  return {
    pools,
    poolOf: (address) => place(address)?.pool,
    isLeftOut: (pool, address) => leftOut(pool, parseAddr(address)),
    hold(service, address) {
      const those = holders.get(address) ?? new Map<string, LoadBalancerModel>();
      if (those.has(service.key)) return;
      if (those.size === 0) {
        places.set(address, find(address));
        tally(address, 1);
      }
      holders.set(address, those.set(service.key, service));
      const where = place(address);
      if (where !== undefined) shared.add(where.scope, address, service);
    },
    drop(key, address) {
      const those = holders.get(address);
      const service = those?.get(key);
      if (those === undefined || service === undefined) return;
      those.delete(key);
      const where = place(address);
      if (where !== undefined) shared.remove(where.scope, address, service);
      if (those.size > 0) return;
      holders.delete(address);
      places.delete(address);
      tally(address, -1);
      where?.stock.free.released(address);
    },
    conflict(service, address) {
      const found = [...(holders.get(address) ?? [])].flatMap(([key, holder]) => {
        const why = key === service.key ? undefined : conflictOf(holder, service);
        return why === undefined ? [] : [{ key, why }];
      });
      return found.length < 2
        ? found[0]
        : found.reduce((least, each) => (each.key < least.key ? each : least));
    },
    pick(pool, family, service) {
      const scope = scopeOf(pool, family);
      const stock = stocks.get(scope);
      if (stock === undefined) return undefined;
      const free = stock.free.first();
      const candidates = shared
        .joinable(scope, service)
        .filter((address) => !leftOut(pool, parseAddr(address)));
      if (candidates.length === 0) return free;
      return [...candidates, ...(free === undefined ? [] : [free])]
        .map((address) => ({ address, at: stock.free.position(address) ?? 0n }))
        .reduce((least, each) => (each.at < least.at ? each : least)).address;
    },
    count(pool, family) {
      const stock = stocks.get(scopeOf(pool, family));
      if (stock === undefined) return { assigned: 0, available: 0n };
      const { assigned, assignedBuggy, usable } = stock;
      return { assigned, available: usable - BigInt(assigned - assignedBuggy) };
    },
  };
}

function leftOut(pool: AddressPoolModel, addr: Addr | undefined): boolean {
  return pool.avoidsBuggyAddresses && addr !== undefined && isBuggy(addr);
}

function usableOf({ ranges, avoidsBuggyAddresses }: AddressPoolModel, family: Family): bigint {
  const own = ranges.filter((range) => range.family === family);
  const all = own.reduce((sum, range) => sum + rangeSize(range), 0n);
  return avoidsBuggyAddresses && family === 4
    ? all - own.reduce((sum, range) => sum + buggyIn(range), 0n)
    : all;
}

/** How many addresses of a range end in .0 or .255. */
function buggyIn({ first, last }: Range): bigint {
  const upTo = (value: bigint, byte: bigint) => (value < byte ? 0n : (value - byte) / 256n + 1n);
  const count = (byte: bigint) => upTo(last, byte) - (first === 0n ? 0n : upTo(first - 1n, byte));
  return count(0n) + count(255n);
}
