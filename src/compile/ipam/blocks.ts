/** Blocks of a Subnet: their object names, and the addresses that pods may have. */
import { addressBits, type Family, maxValue } from '#net/addr.ts';
import { formatPrefix, lastAddr, type Prefix, parsePrefix, prefixSize } from '#net/prefix.ts';
import { type Range, rangeOfPrefix } from '#net/range.ts';
import { type AddrSet, setOfPrefixes, setOfRanges, subtract, union } from '#net/set.ts';

/** The part of a Subnet that decides its pods' addresses. All are canonical prefixes. */
export type SubnetAddresses = {
  readonly cidrs: readonly string[];
  /** Prefixes that no address is given of any more. */
  readonly retired?: readonly string[];
  readonly excluded: readonly string[];
  readonly reserved?: readonly string[];
};

/**
 * The name of the BlockClaim for a block, a DNS-1123 subdomain: `v4-10-244-0-64-26`, `v6-fd10-244-0-0-0-0-0-40-122` (all
 * eight groups, since a cut `::` would give one block two names). `undefined` if `cidr` is no canonical prefix.
 */
export function blockName(cidr: string): string | undefined {
  const prefix = parsePrefix(cidr);
  if (prefix === undefined || formatPrefix(prefix) !== cidr) return undefined;
  return [`v${prefix.family}`, ...parts(prefix), prefix.length].join('-');
}

/** The canonical CIDR that a claim's name stands for; `undefined` for a name that `blockName` never makes. */
export function parseBlockName(name: string): string | undefined {
  const [family, ...numbers] = name.split('-');
  const length = numbers.pop();
  const address = family === 'v4' ? numbers.join('.') : family === 'v6' ? numbers.join(':') : '';
  const prefix = parsePrefix(`${address}/${length}`);
  if (prefix === undefined) return undefined;
  const cidr = formatPrefix(prefix);
  return blockName(cidr) === name ? cidr : undefined;
}

/**
 * The addresses of a Subnet that a pod gets without asking for one: without the excluded, reserved and retired ones, without each CIDR's first address (network,
 * RFC 4291 §2.6.1 anycast) and without an IPv4 CIDR's last (broadcast). CIDRs of fewer than four addresses are used whole.
 */
export function assignable(subnet: SubnetAddresses): AddrSet {
  const cidrs = prefixes(subnet.cidrs);
  const ends = cidrs.filter((cidr) => prefixSize(cidr) >= 4n).flatMap(endsOf);
  const { excluded, reserved = [], retired = [] } = subnet;
  const kept = setOfPrefixes(prefixes([...excluded, ...reserved, ...retired]));
  return subtract(setOfPrefixes(cidrs), union(kept, setOfRanges(ends)));
}

/** The well-formed ones of some canonical prefixes. */
export function prefixes(cidrs: readonly string[]): Prefix[] {
  return cidrs.map(parsePrefix).filter((cidr) => cidr !== undefined);
}

function endsOf(cidr: Prefix): Range[] {
  const range = rangeOfPrefix(cidr);
  const first = { ...range, last: range.first };
  return cidr.family === 4 ? [first, { ...range, first: lastAddr(cidr).value }] : [first];
}

function parts(prefix: Prefix): string[] {
  const [width, radix] = unit[prefix.family];
  const count = addressBits(prefix.family) / width;
  const mask = maxValue(prefix.family) >> BigInt(addressBits(prefix.family) - width);
  return Array.from({ length: count }, (_, i) =>
    ((prefix.value >> BigInt(width * (count - 1 - i))) & mask).toString(radix),
  );
}

const unit: Readonly<Record<Family, readonly [width: number, radix: number]>> = { 4: [8, 10], 6: [16, 16] };
