/** The prefixes that anything looks at, as a tree: addresses with the same narrowest prefix are the same to every policy. */
import { type Addr, addressBits, type Family, formatAddr, parseAddr } from '#net/addr.ts';
import { formatPrefix, type Prefix, parsePrefix, prefixContains, prefixOf } from '#net/prefix.ts';
import { type AddrSet, has, isEmpty, nth, setOfPrefixes, subtract } from '#net/set.ts';

export type PrefixTree = {
  /** Number of the narrowest prefix that has the address. */
  readonly partOf: (addr: Addr) => number;
  /** What is left of each prefix without those inside of it. The whole of each family is always among them. */
  readonly parts: readonly Part[];
};

export type Part = {
  readonly number: number;
  readonly prefix: Prefix;
  readonly without: readonly Prefix[];
};

/** Addresses for documentation (RFC 5737, RFC 3849): they stand for the world where no policy looks closer. */
export const worldStandIns: Readonly<Record<Family, string>> = { 4: '192.0.2.1', 6: '2001:db8::1' };

export function treeOf(prefixes: Iterable<Prefix>): PrefixTree {
  const known = new Map<string, Prefix>();
  for (const family of [4, 6] as const) add(known, { family, value: 0n, length: 0 });
  for (const prefix of prefixes) add(known, prefix);
  const sorted = [...known.values()];
  const numbers = new Map(sorted.map((prefix, index) => [keyOf(prefix), index]));
  const lengths = (family: Family) =>
    [...new Set(sorted.filter((each) => each.family === family).map(({ length }) => length))].sort(
      (a, b) => b - a,
    );
  const descending = { 4: lengths(4), 6: lengths(6) } as const;
  const partOf = (addr: Addr): number => {
    for (const length of descending[addr.family]) {
      const number = numbers.get(keyOf(prefixOf(addr, length)));
      if (number !== undefined) return number;
    }
    return 0;
  };
  const inside = new Map<number, Prefix[]>();
  for (const prefix of sorted) {
    const parent = parentOf(prefix, descending[prefix.family], numbers);
    if (parent === undefined) continue;
    const siblings = inside.get(parent);
    if (siblings === undefined) inside.set(parent, [prefix]);
    else siblings.push(prefix);
  }
  const parts = sorted.map((prefix, number) => ({ number, prefix, without: inside.get(number) ?? [] }));
  return { partOf, parts };
}

/** An address of a part that none of `taken` is; `undefined` when there is none. */
export function sampleOf({ prefix, without }: Part, taken: ReadonlySet<string>): string | undefined {
  const set = subtract(setOfPrefixes([prefix]), setOfPrefixes(without));
  if (isEmpty(set)) return undefined;
  const usual = worldStandIns[prefix.family];
  const standIn = parseAddr(usual) as Addr;
  if (has(set, standIn) && !taken.has(usual)) return usual;
  return firstFree(set, taken);
}

/** `10.0.0.0/8`, `10.0.0.0/8 without 10.1.0.0/16`; the whole of a family is `world`. */
export function formatPart({ prefix, without }: Part): string {
  if (prefix.length === 0) return 'world';
  const shown = without.slice(0, 2).map(formatPrefix).join(', ');
  const more = without.length > 2 ? ` and ${without.length - 2} more` : '';
  return without.length === 0 ? formatPrefix(prefix) : `${formatPrefix(prefix)} without ${shown}${more}`;
}

export function parsedPrefixes(texts: Iterable<string>): Prefix[] {
  return [...texts].flatMap((text) => parsePrefix(text) ?? []);
}

/** Rather a host than the address of the network. Of so many, one is free. */
function firstFree(set: AddrSet, taken: ReadonlySet<string>): string | undefined {
  for (let index = 1n; index <= BigInt(taken.size) + 1n; index++) {
    const addr = nth(set, index);
    if (addr === undefined) break;
    const text = formatAddr(addr);
    if (!taken.has(text)) return text;
  }
  const first = nth(set, 0n);
  const text = first === undefined ? undefined : formatAddr(first);
  return text === undefined || taken.has(text) ? undefined : text;
}

function parentOf(
  prefix: Prefix,
  lengths: readonly number[],
  numbers: ReadonlyMap<string, number>,
): number | undefined {
  for (const length of lengths) {
    if (length >= prefix.length) continue;
    const parent = prefixOf(prefix, length);
    const number = numbers.get(keyOf(parent));
    if (number !== undefined && prefixContains(parent, prefix)) return number;
  }
  return undefined;
}

function add(known: Map<string, Prefix>, prefix: Prefix): void {
  if (prefix.length <= addressBits(prefix.family)) known.set(keyOf(prefix), prefix);
}

function keyOf({ family, value, length }: Prefix): string {
  return `${family} ${value.toString(36)}/${length}`;
}
