/** CIDR prefixes as values: parsing, containment, overlap, splitting. */
import { type Addr, addressBits, type Family, formatAddr, parseAddr } from './addr.ts';

/** A prefix; `value` has its host bits zero. */
export type Prefix = { readonly family: Family; readonly value: bigint; readonly length: number };

/** Reads `address/length` with all host bits zero; anything else, also a bare address, is `undefined`. */
export function parsePrefix(text: string): Prefix | undefined {
  const parsed = parseInterfacePrefix(text);
  return parsed !== undefined && parsed.addr.value === parsed.prefix.value ? parsed.prefix : undefined;
}

/** Reads `address/length` as an interface address: host bits may be set; gives the address and the prefix it lies in. */
export function parseInterfacePrefix(
  text: string,
): { readonly addr: Addr; readonly prefix: Prefix } | undefined {
  const slash = text.indexOf('/');
  if (slash === -1) return undefined;
  const addr = parseAddr(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (addr === undefined || !/^(?:0|[1-9][0-9]{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  if (length > addressBits(addr.family)) return undefined;
  return { addr, prefix: prefixOf(addr, length) };
}

/** The prefix of a length that an address lies in. */
export function prefixOf(addr: Addr, length: number): Prefix {
  const host = BigInt(addressBits(addr.family) - length);
  return { family: addr.family, value: (addr.value >> host) << host, length };
}

/** The prefix of one address alone: /32 or /128. */
export function hostPrefix(addr: Addr): Prefix {
  return { family: addr.family, value: addr.value, length: addressBits(addr.family) };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddr(prefix)}/${prefix.length}`;
}

/** The canonical text of a prefix text; `undefined` if it isn't a prefix or has host bits set. */
export function canonicalPrefix(text: string): string | undefined {
  const prefix = parsePrefix(text);
  return prefix === undefined ? undefined : formatPrefix(prefix);
}

/** Order for `sort`: IPv4 first, then by first address, then the shorter (larger) prefix. */
export function comparePrefix(a: Prefix, b: Prefix): number {
  if (a.family !== b.family) return a.family - b.family;
  if (a.value !== b.value) return a.value < b.value ? -1 : 1;
  return a.length - b.length;
}

/** How many addresses: 1n for a single one. */
export function prefixSize(prefix: Prefix): bigint {
  return 1n << BigInt(addressBits(prefix.family) - prefix.length);
}

export function firstAddr(prefix: Prefix): Addr {
  return { family: prefix.family, value: prefix.value };
}

export function lastAddr(prefix: Prefix): Addr {
  return { family: prefix.family, value: prefix.value + prefixSize(prefix) - 1n };
}

export function prefixHas(prefix: Prefix, addr: Addr): boolean {
  return prefix.family === addr.family && prefixOf(addr, prefix.length).value === prefix.value;
}

/** Whether every address of `inner` is in `outer`; equal prefixes contain each other. */
export function prefixContains(outer: Prefix, inner: Prefix): boolean {
  return outer.length <= inner.length && prefixHas(outer, inner);
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return prefixContains(a, b) || prefixContains(b, a);
}

/** How many prefixes of a length fit; 0n if `length` is shorter than the prefix's or longer than the family's. */
export function splitCount(prefix: Prefix, length: number): bigint {
  if (length < prefix.length || length > addressBits(prefix.family)) return 0n;
  return 1n << BigInt(length - prefix.length);
}

/** The `index`th prefix of a length in a prefix; `undefined` when there is none. */
export function nthSubprefix(prefix: Prefix, length: number, index: bigint): Prefix | undefined {
  if (index < 0n || index >= splitCount(prefix, length)) return undefined;
  const step = 1n << BigInt(addressBits(prefix.family) - length);
  return { family: prefix.family, value: prefix.value + index * step, length };
}

/** All prefixes of a length in a prefix, lowest first; lazily, since an IPv6 prefix may hold 2^64 of them. */
export function* splitPrefix(prefix: Prefix, length: number): Generator<Prefix> {
  for (let index = 0n; ; index++) {
    const part = nthSubprefix(prefix, length, index);
    if (part === undefined) return;
    yield part;
  }
}
