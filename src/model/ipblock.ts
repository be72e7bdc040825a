/** Prefixes as policies write them: stored for years, in forms that no new object may have. */
import { type Prefix, parseInterfacePrefix, prefixContains } from '#net/prefix.ts';
import type { PolicyPeer } from './policy.ts';
import type { Refuse } from './problem.ts';
import { rawOf, shown, strangersOf } from './raw.ts';

/**
 * The prefix that a text stands for. As the API server reads it, octets may have leading zeros (decimal all the same), host bits
 * may be set, and an IPv4-mapped prefix is one of IPv4: that is how its packets look.
 */
export function readPrefix(value: unknown): Prefix | undefined {
  if (typeof value !== 'string' || value.length > 64) return undefined;
  const plain = value.replace(/(^|[.:/])0+(?=[0-9])/g, '$1');
  const prefix = parseInterfacePrefix(plain)?.prefix;
  if (prefix?.family !== 6 || prefix.length < 96 || prefix.value >> 32n !== 0xffffn) return prefix;
  return { family: 4, value: prefix.value & 0xffff_ffffn, length: prefix.length - 96 };
}

/** A NetworkPolicy's ipBlock. An exception that can't be read takes its block with it: what it would have taken away is unknown. */
export function readBlock(value: unknown, field: string, refuse: Refuse): PolicyPeer | undefined {
  const raw = rawOf(value);
  if (raw === undefined) return refuse(field, 'Required', `${shown(value)} has no cidr`);
  const [stranger] = strangersOf(raw, ['cidr', 'except']);
  if (stranger !== undefined)
    return refuse(
      `${field}.${stranger}`,
      'NotSupported',
      'is not known to this release; the peer is left out',
    );
  const prefix = readPrefix(raw['cidr']);
  if (prefix === undefined)
    return refuse(`${field}.cidr`, 'InvalidCIDR', `${shown(raw['cidr'])} is no prefix; the peer is left out`);
  const exceptions: unknown = raw['except'] ?? [];
  if (!Array.isArray(exceptions))
    return refuse(`${field}.except`, 'InvalidCIDR', `${shown(exceptions)} is no list; the peer is left out`);
  const except: Prefix[] = [];
  for (const [index, each] of exceptions.entries()) {
    const where = `${field}.except[${index}]`;
    const hole = readPrefix(each);
    if (hole === undefined)
      return refuse(where, 'InvalidCIDR', `${shown(each)} is no prefix; the peer is left out`);
    if (prefixContains(hole, prefix))
      return refuse(where, 'ExceptionOutside', `${shown(each)} leaves nothing of the block`);
    if (prefixContains(prefix, hole)) except.push(hole);
    else refuse(where, 'ExceptionOutside', `${shown(each)} is no part of the block, and has no effect`);
  }
  return { kind: 'cidr', prefix, except };
}
