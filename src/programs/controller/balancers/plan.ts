/** Which writes bring Services' statuses to what was decided, so that at no moment two show one address that they can't share; pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '#api/object.ts';
import type { Allocation } from '#compile/loadbalancer/choose.ts';
import { type NewCondition, removeCondition, setCondition } from '#kube/conditions.ts';
import { type SeenBalancer, shownBy } from './seen.ts';

/** On a Service: False while an address of it is in no pool. */
export const inPoolCondition = 'netloom.dev/AddressInPool';

export type ServiceWrite = {
  readonly key: string;
  readonly seen: SeenBalancer;
  readonly addresses: readonly string[];
  readonly pool: string | undefined;
  readonly conditions: readonly Condition[];
  readonly gained: readonly string[];
  readonly lost: readonly string[];
};

export type Situation = {
  readonly seen: (key: string) => SeenBalancer | undefined;
  readonly wanted: (key: string) => Allocation | undefined;
  /** Services whose status names an address. */
  readonly showing: (address: string) => Iterable<string>;
  /** Why an address of a Service is in no pool. */
  readonly stranded: (key: string) => string | undefined;
  readonly now: Date;
};

export type Plan = {
  readonly writes: readonly ServiceWrite[];
  /** Services that are as they should be. */
  readonly settled: readonly string[];
};

/**
 * A Service that gains what another one still shows waits until that one's write is done; what it loses it loses meanwhile. Asked again
 * after the writes, until there is none.
 */
export function planWrites(due: Iterable<string>, situation: Situation): Plan {
  const writes: ServiceWrite[] = [];
  const settled: string[] = [];
  for (const key of due) {
    const seen = situation.seen(key);
    const write = seen && writeOf(key, seen, situation);
    if (write === 'blocked') continue;
    if (write === undefined) settled.push(key);
    else writes.push(write);
  }
  return { writes, settled };
}

function writeOf(
  key: string,
  seen: SeenBalancer,
  situation: Situation,
): ServiceWrite | 'blocked' | undefined {
  const shown = shownBy(seen);
  const { addresses: wanted, pool } = (seen.model === undefined ? undefined : situation.wanted(key)) ?? {
    addresses: [],
    pool: undefined,
  };
  // What another implementation wrote is replaced, not taken away.
  const isForeign = seen.model !== undefined && seen.from === undefined && seen.ingress.length > 0;
  if (isForeign && wanted.length === 0) return undefined;
  const conditions = conditionsOf(key, seen, situation);
  const lost = shown.filter((address) => !wanted.includes(address));
  const isFree = (address: string) =>
    shown.includes(address) ||
    [...situation.showing(address)].every(
      (other) => other === key || situation.wanted(other)?.addresses.includes(address) === true,
    );
  const addresses = wanted.filter(isFree);
  const gained = addresses.filter((address) => !shown.includes(address));
  const same =
    isDeepStrictEqual(seen.ingress, addresses.map(ingressOf)) &&
    (addresses.length < wanted.length || seen.from === pool) &&
    conditions === (seen.conditions ?? none);
  if (same) return addresses.length < wanted.length ? 'blocked' : undefined;
  return { key, seen, addresses, pool, conditions, gained, lost };
}

const none: readonly Condition[] = [];

function conditionsOf(key: string, seen: SeenBalancer, { stranded, now }: Situation): readonly Condition[] {
  const held = seen.conditions ?? none;
  const message = seen.model === undefined ? undefined : stranded(key);
  if (message === undefined) return removeCondition(held, inPoolCondition);
  const condition: NewCondition = { type: inPoolCondition, status: 'False', reason: 'AddressKept', message };
  return setCondition(held, condition, now);
}

/** The datapath takes what is sent to the address as it came (KEP-1860). */
export function ingressOf(ip: string): { readonly ip: string; readonly ipMode: 'VIP' } {
  return { ip, ipMode: 'VIP' };
}
