/** What IPAddressPools say of themselves: how many addresses they have left, and whether all of the pool is in effect. */
import { isDeepStrictEqual } from 'node:util';
import { type IPAddressPool, ipAddressPoolKind } from '#api/kinds/ipaddresspool.ts';
import type { PoolUsage } from '#compile/loadbalancer/usage.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { type NewCondition, setConditions } from '#kube/conditions.ts';
import type { Problem } from '#model/problem.ts';
import { catalogue } from '#telemetry/catalogue.ts';
import type { Log } from '#telemetry/log.ts';
import type { SeenAddressPool } from '../caches.ts';
import { differOnlyInWords, type Pace } from '../subnets.ts';

type Status = NonNullable<IPAddressPool['status']>;

/** Pure. Of a pool that is not in effect there is no usage. */
export function poolStatus(
  usage: PoolUsage | undefined,
  problems: readonly Problem[],
): { readonly counts: Omit<Status, 'conditions'>; readonly conditions: readonly NewCondition[] } {
  const count = (family: 'ipv4' | 'ipv6') => usage?.[family] ?? { assigned: 0, available: 0n };
  const most = BigInt(Number.MAX_SAFE_INTEGER);
  const number = (value: bigint) => Number(value > most ? most : value);
  return {
    counts: {
      assignedIPv4: count('ipv4').assigned,
      assignedIPv6: count('ipv6').assigned,
      availableIPv4: number(count('ipv4').available),
      availableIPv6: number(count('ipv6').available),
    },
    conditions: [readyOf(usage, problems), ...(usage === undefined ? [] : [availableOf(usage)])],
  };
}

function readyOf(usage: PoolUsage | undefined, problems: readonly Problem[]): NewCondition {
  const told = problems.filter(({ code }) => code !== 'NoFreeAddress');
  const [first] = told;
  const message = told.map(({ field, message: text }) => `${field}: ${text}`).join('; ');
  const isBad = usage === undefined || told.some(({ code }) => catalogue[code].severity === 'error');
  if (first === undefined) {
    const says = 'Services get addresses of it';
    return { type: 'Ready', status: 'True', reason: 'Served', message: says };
  }
  return { type: 'Ready', status: isBad ? 'False' : 'True', reason: first.code, message };
}

function availableOf({ ipv4, ipv6, waiting }: PoolUsage): NewCondition {
  const full = [
    ...(ipv4.assigned > 0 && ipv4.available === 0n ? [`all ${ipv4.assigned} IPv4 addresses are held`] : []),
    ...(ipv6.assigned > 0 && ipv6.available === 0n ? [`all ${ipv6.assigned} IPv6 addresses are held`] : []),
  ];
  const type = 'AddressesAvailable';
  const wait =
    waiting === 0 ? [] : [`${waiting} Service${waiting === 1 ? '' : 's'} wait${waiting === 1 ? 's' : ''}`];
  if (full.length + wait.length > 0)
    return { type, status: 'False', reason: 'Exhausted', message: [...full, ...wait].join('; ') };
  return { type, status: 'True', reason: 'Available', message: 'addresses are free' };
}

/**
 * Writes only what differs; what can't be written is left to the next pass, and holds up no other. Whether numbers were held back, since
 * the last ones were written a moment ago.
 */
export async function writePoolStatuses(
  client: Client,
  pools: readonly SeenAddressPool[],
  usages: readonly PoolUsage[],
  problems: readonly Problem[],
  pace: Pace,
  log: Log,
): Promise<boolean> {
  let isHeldBack = false;
  for (const pool of pools) {
    const { namespace, name, generation } = pool.ref;
    // Of two pools with one name the older one is in effect.
    const twins = problems.some(
      ({ object, code }) =>
        code === 'DuplicatePool' && object.namespace === namespace && object.name === name,
    );
    const usage = twins || pool.value === undefined ? undefined : usages.find((each) => each.name === name);
    const own = problems.filter(
      ({ object }) =>
        object.kind === 'IPAddressPool' && object.namespace === namespace && object.name === name,
    );
    const { counts, conditions: wanted } = poolStatus(usage, own);
    const { conditions: held, ...before } = pool.status ?? {};
    const observed = generation === undefined ? {} : { observedGeneration: generation };
    const conditions = setConditions(
      held,
      wanted.map((each) => ({ ...each, ...observed })),
      new Date(),
    );
    if (conditions === held && isDeepStrictEqual(before, counts)) continue;
    const key = `${namespace}/${name}`;
    if (held !== undefined && differOnlyInWords(held, conditions) && !pace.mayCount(key)) {
      isHeldBack = true;
      continue;
    }
    pace.counted(key);
    try {
      const body = { status: { ...counts, conditions } };
      await client.patch(
        ipAddressPoolKind,
        { name, namespace, subresource: 'status' },
        { kind: 'merge', body },
      );
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) continue;
      log.warn("an IPAddressPool's status can't be written and is tried again", { pool: key, error });
    }
  }
  return isHeldBack;
}
