/** Which writes bring Services' statuses to what was decided, so that at no moment two show one address that they can't share; pure. */
import { isDeepStrictEqual } from 'node:util';
import type { Condition } from '#api/object.ts';
import type { Allocation } from '#compile/loadbalancer/choose.ts';
import { type NewCondition, removeCondition, setCondition } from '#kube/conditions.ts';
import { loadBalancerConditions } from '#model/loadbalancerservice.ts';
import type { Problem } from '#model/problem.ts';
import { type SeenBalancer, shownBy } from './seen.ts';

const conditionTypes = {
  AddressKept: loadBalancerConditions.inPool,
  AllocationFailed: loadBalancerConditions.allocated,
} as const;

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
  /** What is wrong with a Service's addresses. */
  readonly problems: (key: string) => readonly Problem[];
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

function conditionsOf(
  key: string,
  { conditions = none, model, problems: unread }: SeenBalancer,
  { problems, now }: Situation,
): readonly Condition[] {
  const wrong = model === undefined ? [] : [...unread, ...problems(key)];
  return Object.entries(conditionTypes).reduce((list, [code, type]) => {
    // What can't be read is asked for in vain, too.
    const own = wrong.filter(
      (each) => (each.code === 'AddressKept' ? 'AddressKept' : 'AllocationFailed') === code,
    );
    const [first] = own;
    if (first === undefined) return removeCondition(list, type);
    const message = own
      .map(({ field, message: text }) => (field === '' ? text : `${field}: ${text}`))
      .join('; ');
    const condition: NewCondition = { type, status: 'False', reason: first.code, message };
    return setCondition(list, condition, now);
  }, conditions);
}

/** The datapath takes what is sent to the address as it came (KEP-1860). */
export function ingressOf(ip: string): { readonly ip: string; readonly ipMode: 'VIP' } {
  return { ip, ipMode: 'VIP' };
}
