/** Closed address ranges: `first-last`, a CIDR, or a single address. */
import { type Addr, addressBits, type Family, formatAddr, parseAddr } from './addr.ts';
import { lastAddr, type Prefix, parsePrefix } from './prefix.ts';

/** All addresses from `first` to `last`, both included; `first <= last`. */
export type Range = { readonly family: Family; readonly first: bigint; readonly last: bigint };

/**
 * Reads `10.0.0.5-10.0.0.9` (blanks around the dash allowed), `10.0.0.0/28` (host bits zero) or `10.0.0.7`.
 * Reversed ends, mixed families and everything else are `undefined`.
 */
export function parseRange(text: string): Range | undefined {
  if (text.includes('/')) {
    const prefix = parsePrefix(text);
    return prefix === undefined ? undefined : rangeOfPrefix(prefix);
  }
  const ends = text.split('-').map((end) => parseAddr(end.trim()));
  const [first, last] = ends.length === 1 ? [ends[0], ends[0]] : ends;
  if (ends.length > 2 || first === undefined || last === undefined) return undefined;
  if (first.family !== last.family || first.value > last.value) return undefined;
  return { family: first.family, first: first.value, last: last.value };
}

/** A single address as such, any other range as `first-last`. */
export function formatRange(range: Range): string {
  const first = formatAddr({ family: range.family, value: range.first });
  return range.first === range.last
    ? first
    : `${first}-${formatAddr({ family: range.family, value: range.last })}`;
}

export function rangeOfPrefix(prefix: Prefix): Range {
  return { family: prefix.family, first: prefix.value, last: lastAddr(prefix).value };
}

export function rangeOfAddr(addr: Addr): Range {
  return { family: addr.family, first: addr.value, last: addr.value };
}

export function rangeSize(range: Range): bigint {
  return range.last - range.first + 1n;
}

export function rangeHas(range: Range, addr: Addr): boolean {
  return range.family === addr.family && range.first <= addr.value && addr.value <= range.last;
}

/** The fewest prefixes that make up exactly the range, lowest first. */
export function rangeToPrefixes(range: Range): Prefix[] {
  const bits = addressBits(range.family);
  const prefixes: Prefix[] = [];
  let at = range.first;
  while (at <= range.last) {
    // The largest power of two that is aligned at `at` and does not pass the end.
    let host = 0;
    while (host < bits && (at >> BigInt(host)) % 2n === 0n && at + (2n << BigInt(host)) - 1n <= range.last) {
      host++;
    }
    prefixes.push({ family: range.family, value: at, length: bits - host });
    at += 1n << BigInt(host);
  }
  return prefixes;
}
