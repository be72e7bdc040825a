/** Addresses of Services, change by change: nothing moves without a reason, and what comes free goes to who waits longest. */
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { Problem } from '#model/problem.ts';
import type { Labels } from '#model/selector.ts';
import { type Allocation, choose, familyOf, isWanted, type Lack, lackText, olderFirst } from './choose.ts';
import { createLedger, type Ledger } from './ledger.ts';
import { servePools } from './pools.ts';
import { exhaustedProblems, type PoolUsage, poolUsage, strandedProblems } from './usage.ts';

export type AllocationBook = {
  setPools(pools: readonly AddressPoolModel[]): void;
  setNamespace(name: string, labels: Labels | undefined): void;
  setService(key: string, service: LoadBalancerModel | undefined): void;
  /** Brings all to what was set. Gives the Services that have other addresses than before. */
  settle(): readonly string[];
  /** Undefined of a Service that was not set; it has no addresses when it waits. */
  get(key: string): Allocation | undefined;
  /** What is wrong between pools, who waits for what, and whose addresses are in no pool any longer. */
  problems(): readonly Problem[];
  usage(): readonly PoolUsage[];
};

const nobody: Allocation = { addresses: [], pool: undefined };

/** Set everything before the first `settle`: Services that have addresses come before those that have none. */
export function createAllocationBook(): AllocationBook {
  let models: readonly AddressPoolModel[] = [];
  let served = servePools([]);
  let ledger: Ledger = createLedger(served.value);
  let poolsChanged = false;
  const namespaces = new Map<string, Labels>();
  const services = new Map<string, LoadBalancerModel>();
  const allocations = new Map<string, Allocation>();
  const waiting = new Map<string, Lack>();
  /** How many Services have addresses of a pool, by its name. */
  const holders = new Map<string, number>();
  /** Services with an address that is in no pool. */
  const stranded = new Set<string>();
  /** To be looked at again, and of them those that say something else than before. */
  const dirty = new Set<string>();
  const changed = new Set<string>();
  /** Pools of which something may be had that could not before. */
  let freed = new Set<string>();

  const record = (key: string, next: Allocation | undefined): void => {
    const before = allocations.get(key)?.pool;
    if (next === undefined) allocations.delete(key);
    else allocations.set(key, next);
    const count = (pool: string | undefined, by: 1 | -1): void => {
      if (pool !== undefined) holders.set(pool, (holders.get(pool) ?? 0) + by);
    };
    if (before === next?.pool) return;
    count(before, -1);
    count(next?.pool, 1);
    if (before !== undefined && holders.get(before) === 0) holders.delete(before);
  };
  const labelsOf = (namespace: string): Labels => namespaces.get(namespace) ?? {};
  const note = (address: string): void => {
    const pool = ledger.poolOf(address);
    if (pool !== undefined) freed.add(pool.name);
  };
  const letGo = (key: string): readonly string[] => {
    const { addresses } = allocations.get(key) ?? nobody;
    for (const address of addresses) ledger.drop(key, address);
    return addresses;
  };
  /** What it gave up, and what it may share otherwise than before. */
  const noteChanges = ({ key, sharingKey }: LoadBalancerModel, before: Allocation = nobody): void => {
    const { addresses } = allocations.get(key) ?? nobody;
    for (const address of before.addresses) if (!addresses.includes(address)) note(address);
    if (sharingKey !== undefined) for (const address of addresses) note(address);
  };
  const write = (
    service: LoadBalancerModel,
    addresses: readonly string[],
    from: string | undefined,
  ): void => {
    const { key } = service;
    const rank = (address: string) => service.families.indexOf(familyOf(address));
    const sorted = [...addresses].sort((a, b) => rank(a) - rank(b));
    const now = sorted.map((address) => ledger.poolOf(address)?.name);
    const asked = service.pool !== undefined && service.pool === from;
    const pool = asked ? from : (now.find((name) => name !== undefined) ?? from);
    record(key, { addresses: sorted, pool: sorted.length === 0 ? undefined : pool });
    if (now.includes(undefined)) stranded.add(key);
    else stranded.delete(key);
  };

  /** What a Service has stays with it unless it no longer wants it, or can't have it beside another one's. */
  const keep = (service: LoadBalancerModel): void => {
    const had = allocations.get(service.key);
    const isOurs = had !== undefined && had.addresses.length > 0;
    const from = isOurs ? had.pool : service.assignedFrom;
    const kept: string[] = [];
    for (const address of isOurs ? had.addresses : service.assigned) {
      const isKnown = isOurs || from !== undefined || ledger.poolOf(address) !== undefined;
      if (!isKnown || !isWanted(service, address, from, ledger)) continue;
      if (kept.some((other) => familyOf(other) === familyOf(address))) continue;
      if (ledger.conflict(service, address) !== undefined) continue;
      ledger.hold(service, address);
      kept.push(address);
    }
    write(service, kept, from);
  };
  const seek = (service: LoadBalancerModel): void => {
    const has = allocations.get(service.key) ?? nobody;
    const { add, lack } = choose(service, has, { ledger, labelsOf });
    if (lack === undefined) waiting.delete(service.key);
    else waiting.set(service.key, lack);
    if (add.length === 0) return;
    for (const address of add) ledger.hold(service, address);
    write(service, [...has.addresses, ...add], has.pool);
  };
  /** These, and who waits for something of a pool that has more than before. */
  const serve = (due: readonly LoadBalancerModel[]): void => {
    const open = freed;
    freed = new Set();
    const those =
      open.size === 0 ? [] : [...waiting].filter(([, { pools }]) => pools.some((pool) => open.has(pool)));
    const all = new Set([...due, ...those.flatMap(([key]) => services.get(key) ?? [])]);
    for (const service of [...all].sort(olderFirst)) seek(service);
  };

  const lackProblem = (key: string, lack: Lack): readonly Problem[] => {
    const service = services.get(key);
    if (service === undefined || lack.content === true) return [];
    // A reason names others, who may be other ones by now.
    const again =
      lack.reason === undefined
        ? lack
        : choose(service, allocations.get(key) ?? nobody, { ledger, labelsOf }).lack;
    const { origin } = service;
    return [
      { object: origin, field: lack.field, code: 'AllocationFailed', message: lackText(again ?? lack) },
    ];
  };
  const usage = () => poolUsage(ledger, waiting.values(), holders);

  return {
    setPools(pools) {
      models = pools;
      poolsChanged = true;
    },
    setNamespace(name, labels) {
      if (JSON.stringify(labels) === JSON.stringify(namespaces.get(name))) return;
      if (labels === undefined) namespaces.delete(name);
      else namespaces.set(name, labels);
      for (const { key, namespace } of services.values()) if (namespace === name) dirty.add(key);
    },
    setService(key, service) {
      const before = services.get(key);
      if (before === undefined && service === undefined) return;
      const same = before !== undefined && service !== undefined && before.uid === service.uid;
      if (same && wishText(before) === wishText(service)) {
        services.set(key, service);
        return;
      }
      if (!same) {
        for (const address of letGo(key)) note(address);
        record(key, undefined);
        waiting.delete(key);
        stranded.delete(key);
      }
      if (service === undefined) {
        services.delete(key);
        dirty.delete(key);
        changed.delete(key);
        return;
      }
      services.set(key, service);
      dirty.add(key);
      changed.add(key);
    },
    settle() {
      if (!poolsChanged && dirty.size === 0 && freed.size === 0) return [];
      if (poolsChanged) {
        served = servePools(models);
        ledger = createLedger(served.value);
        for (const key of services.keys()) dirty.add(key);
      }
      poolsChanged = false;
      const due = [...dirty].flatMap((key) => services.get(key) ?? []).sort(olderFirst);
      const touched = new Map(
        [...due.map(({ key }) => key), ...waiting.keys()].map((key) => [key, allocations.get(key)]),
      );
      for (const { key } of due) letGo(key);
      // Where two can't share any longer, the one that changed moves.
      for (const service of due.filter(({ key }) => !changed.has(key))) keep(service);
      for (const service of due.filter(({ key }) => changed.has(key))) keep(service);
      for (const service of due) noteChanges(service, touched.get(service.key));
      // Without a pool nothing of a Service is touched.
      if (served.value.list.length === 0) {
        waiting.clear();
        freed.clear();
      } else serve(due);
      dirty.clear();
      changed.clear();
      return [...touched]
        .filter(([key, before]) => !sameAs(before, allocations.get(key)))
        .map(([key]) => key);
    },
    get: (key) => allocations.get(key),
    problems: () => [
      ...served.problems,
      ...exhaustedProblems(usage(), ledger),
      ...[...waiting].flatMap(([key, lack]) => lackProblem(key, lack)),
      ...strandedProblems(
        [...stranded].flatMap((key) => services.get(key) ?? []),
        (key) => allocations.get(key) ?? nobody,
        ledger,
      ),
    ],
    usage,
  };
}

/** All but what is written on it by the controller itself. */
function wishText(service: LoadBalancerModel): string {
  return JSON.stringify({ ...service, assigned: undefined, assignedFrom: undefined, announcer: undefined });
}

function sameAs(a: Allocation | undefined, b: Allocation | undefined): boolean {
  return a?.pool === b?.pool && (a?.addresses ?? []).join() === (b?.addresses ?? []).join();
}
