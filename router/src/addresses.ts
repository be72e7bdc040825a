/** IP addresses and lists of CIDRs: sorted ranges of numbers, since there are no bit operators that mean the same in Lua and in Node. */

/** Of IPv4 only `low` counts. Of IPv6 three numbers below 2^53: the first 48 bits, the next 48, the last 32. */
export type RouterAddress = {
  readonly isIPv4: boolean;
  readonly high: number;
  readonly middle: number;
  readonly low: number;
};

export type AddressSet = {
  /** First and last address of each range, sorted, and no two touch. */
  readonly ipv4: readonly number[];
  /** The same, by three numbers an address. */
  readonly ipv6: readonly number[];
  /** Something in the list was no CIDR: whoever is kept out by the list is everybody. */
  readonly isBroken: boolean;
};

const colon = 58;
const dot = 46;
const lowest = 4_294_967_296;
const group = 65_536;

/** `undefined`: it is none. IPv4 inside IPv6 (`::ffff:192.0.2.1`) is IPv4. */
export function parseAddress(text: string): RouterAddress | undefined {
  if (text.indexOf(':') === -1) {
    const number = ipv4Number(text);
    return number === -1 ? undefined : { isIPv4: true, high: 0, middle: 0, low: number };
  }
  const groups = ipv6Groups(text);
  if (groups === undefined) return undefined;
  const high = (groups[0]! * group + groups[1]!) * group + groups[2]!;
  const middle = (groups[3]! * group + groups[4]!) * group + groups[5]!;
  const low = groups[6]! * group + groups[7]!;
  if (high === 0 && middle === 65_535) return { isIPv4: true, high: 0, middle: 0, low };
  return { isIPv4: false, high, middle, low };
}

/** An address alone is a range of one. */
export function prepareAddresses(cidrs: readonly string[]): AddressSet {
  const ipv4: number[][] = [];
  const ipv6: number[][] = [];
  let isBroken = false;
  for (let at = 0; at < cidrs.length; at++) {
    const range = parseRange(cidrs[at]!);
    if (range === undefined) isBroken = true;
    else if (range.length === 2) ipv4.push(range);
    else ipv6.push(range);
  }
  return { ipv4: joined(ipv4, 1), ipv6: joined(ipv6, 3), isBroken };
}

export function hasAddress(set: AddressSet, address: RouterAddress): boolean {
  return address.isIPv4 ? isWithin(set.ipv4, 1, address) : isWithin(set.ipv6, 3, address);
}

/**
 * What one client is counted by: IPv6 by its /64, since whoever has one has all of it. Lua writes fourteen digits of a number, and the first 48
 * bits of `fd00::/8` have fifteen.
 */
export function clientName(address: RouterAddress): string {
  if (address.isIPv4) return `${address.low}`;
  const { high, middle } = address;
  return `${Math.floor(high / lowest)}:${high % lowest}:${Math.floor(middle / lowest)}`;
}

/** In the last range that doesn't begin behind it. */
function isWithin(ranges: readonly number[], words: number, address: RouterAddress): boolean {
  let low = 0;
  let high = ranges.length / (2 * words);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (compare(ranges, middle * 2 * words, words, address) <= 0) low = middle + 1;
    else high = middle;
  }
  return low > 0 && compare(ranges, (2 * low - 1) * words, words, address) >= 0;
}

function compare(ranges: readonly number[], at: number, words: number, address: RouterAddress): number {
  if (words === 1) return ranges[at]! - address.low;
  if (ranges[at] !== address.high) return ranges[at]! - address.high;
  if (ranges[at + 1] !== address.middle) return ranges[at + 1]! - address.middle;
  return ranges[at + 2]! - address.low;
}

/** Two or six numbers: its first and its last address. Bits behind the prefix don't count. */
function parseRange(cidr: string): number[] | undefined {
  const slash = cidr.indexOf('/');
  let address = parseAddress(slash === -1 ? cidr : cidr.slice(0, slash));
  if (address === undefined) return undefined;
  let length = slash === -1 ? -1 : decimal(cidr, slash + 1, cidr.length);
  if (slash !== -1 && length < 0) return undefined;
  // `::ffff:192.0.2.0/120` is written as IPv6 and means IPv4; a shorter prefix is of IPv6 after all.
  if (slash !== -1 && address.isIPv4 && cidr.indexOf(':') !== -1) {
    if (length >= 96) length -= 96;
    else address = { isIPv4: false, high: 0, middle: 65_535, low: address.low };
  }
  const bits = address.isIPv4 ? 32 : 128;
  if (slash === -1) length = bits;
  if (length < 0 || length > bits) return undefined;
  if (address.isIPv4) {
    const size = 2 ** (32 - length);
    const first = address.low - (address.low % size);
    return [first, first + size - 1];
  }
  const high = 2 ** (48 - Math.min(48, length));
  const middle = 2 ** (48 - Math.min(48, Math.max(0, length - 48)));
  const low = 2 ** (32 - Math.max(0, length - 96));
  const first = [
    address.high - (address.high % high),
    address.middle - (address.middle % middle),
    address.low - (address.low % low),
  ];
  return [first[0]!, first[1]!, first[2]!, first[0]! + high - 1, first[1]! + middle - 1, first[2]! + low - 1];
}

/** Sorted, and what overlaps made one. */
function joined(ranges: number[][], words: number): number[] {
  ranges.sort((one, other) => difference(one, 0, other, 0, words));
  const all: number[] = [];
  for (let at = 0; at < ranges.length; at++) {
    const range = ranges[at]!;
    const last = all.length - words;
    if (last >= 0 && difference(all, last, range, 0, words) >= 0) {
      if (difference(all, last, range, words, words) < 0) {
        for (let word = 0; word < words; word++) all[last + word] = range[words + word]!;
      }
    } else {
      for (let word = 0; word < 2 * words; word++) all.push(range[word]!);
    }
  }
  return all;
}

function difference(
  one: readonly number[],
  oneAt: number,
  other: readonly number[],
  otherAt: number,
  words: number,
): number {
  for (let word = 0; word < words; word++) {
    const apart = one[oneAt + word]! - other[otherAt + word]!;
    if (apart !== 0) return apart;
  }
  return 0;
}

/** -1: it is none. No zeros in front: some read them as octal. */
function ipv4Number(text: string): number {
  let number = 0;
  let from = 0;
  for (let part = 0; part < 4; part++) {
    const end = part === 3 ? text.length : text.indexOf('.', from);
    if (end === -1) return -1;
    const byte = decimal(text, from, end);
    if (byte < 0 || byte > 255) return -1;
    number = number * 256 + byte;
    from = end + 1;
  }
  return number;
}

/** -1: it isn't a number without zeros in front. */
function decimal(text: string, from: number, end: number): number {
  if (end <= from || end - from > 3) return -1;
  if (text.charCodeAt(from) === 48 && end - from > 1) return -1;
  let number = 0;
  for (let at = from; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

/** Eight of them. */
function ipv6Groups(text: string): number[] | undefined {
  const groups: number[] = [];
  let gap = -1;
  let at = 0;
  const length = text.length;
  if (text.charCodeAt(0) === colon) {
    if (text.charCodeAt(1) !== colon) return undefined;
    gap = 0;
    at = 2;
  }
  while (at < length) {
    if (groups.length >= 8) return undefined;
    let end = at;
    let number = 0;
    while (end < length && text.charCodeAt(end) !== colon && text.charCodeAt(end) !== dot) {
      const digit = hexDigit(text.charCodeAt(end));
      if (digit < 0 || end - at >= 4) return undefined;
      number = number * 16 + digit;
      end += 1;
    }
    if (end < length && text.charCodeAt(end) === dot) {
      const last = ipv4Number(text.slice(at));
      if (last < 0 || groups.length > 6) return undefined;
      groups.push(Math.floor(last / group));
      groups.push(last % group);
      at = length;
    } else {
      if (end === at) return undefined;
      groups.push(number);
      at = end;
      if (at < length) {
        at += 1;
        if (at === length) return undefined;
        if (text.charCodeAt(at) === colon) {
          if (gap !== -1) return undefined;
          gap = groups.length;
          at += 1;
        }
      }
    }
  }
  if (gap === -1) return groups.length === 8 ? groups : undefined;
  if (groups.length > 7) return undefined;
  const all: number[] = [];
  for (let index = 0; index < gap; index++) all.push(groups[index]!);
  for (let missing = 8 - groups.length; missing > 0; missing--) all.push(0);
  for (let index = gap; index < groups.length; index++) all.push(groups[index]!);
  return all;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  return code >= 65 && code <= 70 ? code - 55 : -1;
}
