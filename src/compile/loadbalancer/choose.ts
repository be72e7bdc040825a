/** What a Service keeps of its addresses, and which it gets: MetalLB's order. */
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { Labels } from '#model/selector.ts';
import type { Family } from '#net/addr.ts';
import type { Ledger } from './ledger.ts';
import { byPriority, isPinned, type ServedPools, takes } from './pools.ts';

/** What a Service has. */
export type Allocation = {
  /** In the order of the Service's families. */
  readonly addresses: readonly string[];
  /** The pool that they are of, or were of before it was changed. */
  readonly pool: string | undefined;
};

export type Choice = {
  readonly add: readonly string[];
  /** What it still waits for. */
  readonly lack?: Lack;
};

export type Lack = {
  readonly field: string;
  /** Pools that it gets something of when something there comes free. */
  readonly pools: readonly string[];
  /** Nothing free in these pools. */
  readonly families?: readonly Family[];
  readonly reason?: string;
  /** PreferDualStack: it does with what it has. */
  readonly content?: true;
};

export type Market = {
  readonly ledger: Ledger;
  readonly labelsOf: (namespace: string) => Labels;
};

/** Who comes first, of those that have addresses as of those that wait. */
export function olderFirst(
  a: Pick<LoadBalancerModel, 'created' | 'key'>,
  b: Pick<LoadBalancerModel, 'created' | 'key'>,
): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.key < b.key ? -1 : 1;
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

/**
 * Whether a Service still wants an address that it has. What pools say meanwhile matters only where the Service asks for a pool: an
 * address is released when its Service no longer wants it, not when its pool is changed.
 */
export function isWanted(
  service: LoadBalancerModel,
  address: string,
  from: string | undefined,
  pools: { readonly poolOf: Ledger['poolOf'] },
): boolean {
  if (service.unreadable === true || service.deleted) return true;
  if (!service.families.includes(familyOf(address))) return false;
  if (service.requested !== undefined) return service.requested.addresses.includes(address);
  if (service.pool === undefined) return true;
  return from === service.pool || pools.poolOf(address)?.name === service.pool;
}

/** What the Service gets besides what it has. */
export function choose(service: LoadBalancerModel, has: Allocation, market: Market): Choice {
  if (service.unreadable === true || service.deleted || service.families.length === 0) return { add: [] };
  if (service.requested !== undefined) return chooseRequested(service, service.requested, has, market);
  const missing = service.families.filter(
    (family) => !has.addresses.some((each) => familyOf(each) === family),
  );
  if (missing.length === 0) return { add: [] };
  if (has.addresses.length > 0) return chooseSecond(service, missing, has, market);
  return chooseFirst(service, market);
}

function chooseRequested(
  service: LoadBalancerModel,
  { field, addresses }: NonNullable<LoadBalancerModel['requested']>,
  has: Allocation,
  { ledger, labelsOf }: Market,
): Choice {
  const missing = addresses.filter((address) => !has.addresses.includes(address));
  if (missing.length === 0) return { add: [] };
  const pools = missing.flatMap((address) => ledger.poolOf(address)?.name ?? []);
  const no = (reason: string): Choice => ({ add: [], lack: { field, pools, reason } });
  for (const address of missing) {
    const pool = ledger.poolOf(address);
    if (pool === undefined) return no(`${address} is in no IPAddressPool`);
    if (service.pool !== undefined && service.pool !== pool.name)
      return no(`${address} is in IPAddressPool ${pool.name}, and the Service asks for ${service.pool}`);
    if (!takes(pool, service, labelsOf(service.namespace)))
      return no(
        `IPAddressPool ${pool.name}, which has ${address}, is not for this Service (spec.serviceAllocation)`,
      );
    if (ledger.isLeftOut(pool, address))
      return no(`IPAddressPool ${pool.name} leaves ${address} out (avoidBuggyIPs)`);
    const conflict = ledger.conflict(service, address);
    if (conflict !== undefined)
      return no(`${address} is held by Service ${conflict.key}, which ${conflict.why}`);
  }
  const names = new Set(addresses.map((address) => ledger.poolOf(address)?.name));
  if (service.familyPolicy === 'RequireDualStack' && names.size > 1)
    return no(`${addresses.join(' and ')} are in two IPAddressPools, and RequireDualStack needs them in one`);
  return { add: missing };
}

/** The family that a dual-stack Service lacks comes of the pool that it has the other one of. */
function chooseSecond(
  service: LoadBalancerModel,
  missing: readonly Family[],
  has: Allocation,
  { ledger, labelsOf }: Market,
): Choice {
  const content = service.familyPolicy === 'RequireDualStack' ? {} : ({ content: true } as const);
  const pool = ledger.poolOf(has.addresses[0] ?? '') ?? ledger.pools.byName.get(has.pool ?? '');
  if (pool === undefined || !takes(pool, service, labelsOf(service.namespace))) {
    const reason = `no IPv${missing[0]} address: ${has.addresses[0]} is of no IPAddressPool that is for this Service`;
    return { add: [], lack: { field: 'spec.ipFamilyPolicy', pools: [], reason, ...content } };
  }
  const add = pickAll(ledger, pool, missing, service);
  if (add !== undefined) return { add };
  return {
    add: [],
    lack: { field: 'spec.ipFamilyPolicy', pools: [pool.name], families: missing, ...content },
  };
}

function chooseFirst(service: LoadBalancerModel, { ledger, labelsOf }: Market): Choice {
  const labels = labelsOf(service.namespace);
  const field = service.pool === undefined ? '' : 'metadata.annotations[metallb.io/address-pool]';
  const groups = groupsFor(service, labels, ledger.pools);
  if (typeof groups === 'string') return { add: [], lack: { field, pools: [], reason: groups } };
  for (const group of groups) {
    for (const families of attempts(service)) {
      for (const pool of group) {
        const add = pickAll(ledger, pool, families, service);
        if (add === undefined) continue;
        return add.length === service.families.length
          ? { add }
          : { add, lack: { field, pools: [pool.name], families: [], content: true } };
      }
    }
  }
  return {
    add: [],
    lack: { field, pools: groups.flat().map(({ name }) => name), families: service.families },
  };
}

/** Pools in their order; those of one group are as good as each other. Or why there is none. */
function groupsFor(
  service: LoadBalancerModel,
  labels: Labels,
  { byName, list }: ServedPools,
): readonly (readonly AddressPoolModel[])[] | string {
  if (service.pool !== undefined) {
    const pool = byName.get(service.pool);
    if (pool === undefined) return `there is no IPAddressPool ${service.pool}`;
    return takes(pool, service, labels)
      ? [[pool]]
      : `IPAddressPool ${pool.name} is not for this Service (spec.serviceAllocation)`;
  }
  const automatic = list.filter(({ autoAssign }) => autoAssign);
  const pinned = automatic.filter((pool) => isPinned(pool) && takes(pool, service, labels)).sort(byPriority);
  const open = automatic.filter(({ allocation }) => allocation === undefined);
  if (pinned.length + open.length === 0)
    return 'no IPAddressPool is for this Service without being asked (autoAssign, serviceAllocation)';
  return [...pinned.map((pool) => [pool]), open];
}

/** Families to ask for at once, one attempt after another. */
function attempts({ families, familyPolicy }: LoadBalancerModel): readonly (readonly Family[])[] {
  if (families.length < 2 || familyPolicy === 'RequireDualStack') return [families];
  return [families, ...families.map((family) => [family])];
}

function pickAll(
  ledger: Ledger,
  pool: AddressPoolModel,
  families: readonly Family[],
  service: LoadBalancerModel,
): readonly string[] | undefined {
  const found = families.map((family) => ledger.pick(pool, family, service));
  return found.includes(undefined) ? undefined : (found as readonly string[]);
}

/** Why a Service waits, for its user. */
export function lackText({ reason, pools, families = [] }: Lack): string {
  if (reason !== undefined) return reason;
  const kinds = families.map((family) => `IPv${family}`).join(' and ');
  const where = pools.length === 1 ? `IPAddressPool ${pools[0]}` : `IPAddressPools ${pools.join(', ')}`;
  const joined =
    families.length > 1 && pools.length > 1 ? `none of ${where} has a free ${kinds} address` : undefined;
  return joined ?? `no free ${kinds} address in ${where}`;
}
