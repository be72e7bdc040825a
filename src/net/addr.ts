/** IP addresses as values: strict parsing, canonical text, order, bytes. */

export type Family = 4 | 6;

/** An IPv4 address (value < 2^32) or an IPv6 address (value < 2^128), without zone. */
export type Addr = { readonly family: Family; readonly value: bigint };

/** Bits of an address: 32 or 128. */
export function addressBits(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** The highest value of a family. */
export function maxValue(family: Family): bigint {
  return family === 4 ? 0xffff_ffffn : (1n << 128n) - 1n;
}

/**
 * Reads one address. IPv4: four decimal octets without leading zeros (they mean octal elsewhere). IPv6: RFC 4291 §2.2, all
 * three forms, any case. Zones, brackets, blanks and prefix lengths are refused with `undefined`.
 */
export function parseAddr(text: string): Addr | undefined {
  if (text.includes(':')) {
    const value = parseIPv6(text);
    return value === undefined ? undefined : { family: 6, value };
  }
  const value = parseIPv4(text);
  return value === undefined ? undefined : { family: 4, value };
}

/** Canonical text: dotted decimal, or RFC 5952 (lower case, longest run of zeros cut, IPv4-mapped addresses in mixed notation). */
export function formatAddr(addr: Addr): string {
  return addr.family === 4 ? formatIPv4(addr.value) : formatIPv6(addr.value);
}

/** The canonical text of an address text; `undefined` if it isn't an address. */
export function canonicalAddr(text: string): string | undefined {
  const addr = parseAddr(text);
  return addr === undefined ? undefined : formatAddr(addr);
}

/** Order for `sort`: IPv4 before IPv6, then by value. */
export function compareAddr(a: Addr, b: Addr): number {
  if (a.family !== b.family) return a.family - b.family;
  return a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
}

/** Network byte order: 4 or 16 bytes. */
export function addrBytes(addr: Addr): Uint8Array {
  const bytes = new Uint8Array(addressBits(addr.family) / 8);
  let rest = addr.value;
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return bytes;
}

/** The address in 4 or 16 bytes of network byte order; `undefined` for any other length. */
export function addrFromBytes(bytes: Uint8Array): Addr | undefined {
  if (bytes.length !== 4 && bytes.length !== 16) return undefined;
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return { family: bytes.length === 4 ? 4 : 6, value };
}

const octet = /^(?:0|[1-9][0-9]{0,2})$/;
const group = /^[0-9a-fA-F]{1,4}$/;

function parseIPv4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0n;
  for (const part of parts) {
    if (!octet.test(part) || Number(part) > 255) return undefined;
    value = (value << 8n) | BigInt(part);
  }
  return value;
}

function parseIPv6(text: string): bigint | undefined {
  const cut = text.indexOf('::');
  if (cut === -1) {
    const groups = parseGroups(text, true);
    return groups?.length === 8 ? joinGroups(groups) : undefined;
  }
  const head = text.slice(0, cut);
  const tail = text.slice(cut + 2);
  const left = head === '' ? [] : parseGroups(head, false);
  const right = tail === '' ? [] : parseGroups(tail, true);
  if (left === undefined || right === undefined || left.length + right.length > 7) return undefined;
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => 0);
  return joinGroups([...left, ...zeros, ...right]);
}

function parseGroups(text: string, mayEndInIPv4: boolean): number[] | undefined {
  const groups: number[] = [];
  const parts = text.split(':');
  for (const [index, part] of parts.entries()) {
    if (group.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const embedded = mayEndInIPv4 && index === parts.length - 1 ? parseIPv4(part) : undefined;
    if (embedded === undefined) return undefined;
    groups.push(Number(embedded >> 16n), Number(embedded & 0xffffn));
  }
  return groups;
}

function joinGroups(groups: readonly number[]): bigint {
  return groups.reduce((value, each) => (value << 16n) | BigInt(each), 0n);
}

function formatIPv4(value: bigint): string {
  const bits = Number(value);
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}`;
}

function formatIPv6(value: bigint): string {
  if (value >> 32n === 0xffffn) return `::ffff:${formatIPv4(value & 0xffff_ffffn)}`;
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(112 - 16 * i)) & 0xffffn));
  const zeros = longestZeros(groups);
  const hex = (some: readonly number[]) => some.map((each) => each.toString(16)).join(':');
  if (zeros.length < 2) return hex(groups);
  return `${hex(groups.slice(0, zeros.start))}::${hex(groups.slice(zeros.start + zeros.length))}`;
}

/** RFC 5952 §4.2.3: the longest run, the first of equals. */
function longestZeros(groups: readonly number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  for (let start = 0; start < groups.length; start++) {
    let length = 0;
    while (groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  return best;
}
