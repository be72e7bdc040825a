/** Immutable sets of addresses of both families, as sorted intervals; cost follows the intervals, not the addresses. */
import type { Addr, Family } from './addr.ts';
import type { Prefix } from './prefix.ts';
import { type Range, rangeHas, rangeOfAddr, rangeOfPrefix, rangeSize, rangeToPrefixes } from './range.ts';

/** Sorted, disjoint and never adjacent (adjacent ranges are merged), IPv4 before IPv6: equal sets have equal ranges. */
export type AddrSet = { readonly ranges: readonly Range[] };

export const emptySet: AddrSet = { ranges: [] };

/** The set of all addresses of some ranges, in any order, overlapping or not. */
export function setOfRanges(ranges: Iterable<Range>): AddrSet {
  const sorted = [...ranges].sort(compareRange);
  const merged: Range[] = [];
  for (const range of sorted) {
    const last = merged.at(-1);
    if (last !== undefined && last.family === range.family && range.first <= last.last + 1n) {
      if (range.last > last.last) merged[merged.length - 1] = { ...last, last: range.last };
    } else merged.push(range);
  }
  return { ranges: merged };
}

export function setOfPrefixes(prefixes: Iterable<Prefix>): AddrSet {
  return setOfRanges(Array.from(prefixes, rangeOfPrefix));
}

export function setOfAddrs(addrs: Iterable<Addr>): AddrSet {
  return setOfRanges(Array.from(addrs, rangeOfAddr));
}

export function union(a: AddrSet, b: AddrSet): AddrSet {
  return setOfRanges([...a.ranges, ...b.ranges]);
}

export function intersect(a: AddrSet, b: AddrSet): AddrSet {
  const ranges: Range[] = [];
  for (let i = 0, j = 0; i < a.ranges.length && j < b.ranges.length; ) {
    const left = a.ranges[i]!;
    const right = b.ranges[j]!;
    if (left.family === right.family) {
      const first = higher(left.first, right.first);
      const last = lower(left.last, right.last);
      if (first <= last) ranges.push({ family: left.family, first, last });
    }
    if (endsBefore(left, right)) i++;
    else j++;
  }
  return { ranges };
}

/** All addresses of `a` that are not in `b`. */
export function subtract(a: AddrSet, b: AddrSet): AddrSet {
  const ranges: Range[] = [];
  let j = 0;
  for (const range of a.ranges) {
    while (j < b.ranges.length && liesBefore(b.ranges[j]!, range)) j++;
    let first = range.first;
    for (let k = j; k < b.ranges.length; k++) {
      const cut = b.ranges[k]!;
      if (cut.family !== range.family || cut.first > range.last) break;
      if (cut.first > first) ranges.push({ family: range.family, first, last: cut.first - 1n });
      if (cut.last + 1n > first) first = cut.last + 1n;
    }
    if (first <= range.last) ranges.push({ family: range.family, first, last: range.last });
  }
  return { ranges };
}

export function has(set: AddrSet, addr: Addr): boolean {
  let low = 0;
  let high = set.ranges.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const range = set.ranges[middle]!;
    if (rangeHas(range, addr)) return true;
    if (liesBefore(range, rangeOfAddr(addr))) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

/** How many addresses, of one family or of both. */
export function size(set: AddrSet, family?: Family): bigint {
  return set.ranges.reduce(
    (sum, range) => (family === undefined || range.family === family ? sum + rangeSize(range) : sum),
    0n,
  );
}

export function isEmpty(set: AddrSet): boolean {
  return set.ranges.length === 0;
}

export function equals(a: AddrSet, b: AddrSet): boolean {
  return (
    a.ranges.length === b.ranges.length &&
    a.ranges.every((range, i) => compareRange(range, b.ranges[i]!) === 0)
  );
}

/** Only the addresses of one family. */
export function ofFamily(set: AddrSet, family: Family): AddrSet {
  return { ranges: set.ranges.filter((range) => range.family === family) };
}

/** The fewest prefixes that make up exactly the set, in order. */
export function toPrefixes(set: AddrSet): Prefix[] {
  return set.ranges.flatMap(rangeToPrefixes);
}

/** The address at a position counted from the lowest, IPv4 first; `undefined` past the end. */
export function nth(set: AddrSet, index: bigint): Addr | undefined {
  let rest = index;
  if (rest < 0n) return undefined;
  for (const range of set.ranges) {
    const count = rangeSize(range);
    if (rest < count) return { family: range.family, value: range.first + rest };
    rest -= count;
  }
  return undefined;
}

/** The lowest address of `from`'s family at or above `from`; if there is none, the lowest of that family. */
export function nextFrom(set: AddrSet, from: Addr): Addr | undefined {
  const ranges = set.ranges.filter((range) => range.family === from.family);
  for (const range of ranges) {
    if (range.last < from.value) continue;
    return { family: from.family, value: higher(range.first, from.value) };
  }
  const lowest = ranges[0];
  return lowest === undefined ? undefined : { family: from.family, value: lowest.first };
}

function compareRange(a: Range, b: Range): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.first !== b.first) return a.first < b.first ? -1 : 1;
  return a.last < b.last ? -1 : a.last > b.last ? 1 : 0;
}

function liesBefore(a: Range, b: Range): boolean {
  return a.family === b.family ? a.last < b.first : a.family < b.family;
}

function endsBefore(a: Range, b: Range): boolean {
  return a.family === b.family ? a.last < b.last : a.family < b.family;
}

// Math.max and Math.min don't take bigints.
function higher(a: bigint, b: bigint): bigint {
  return compareBigint(a, b) > 0 ? a : b;
}

function lower(a: bigint, b: bigint): bigint {
  return compareBigint(a, b) < 0 ? a : b;
}

function compareBigint(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
