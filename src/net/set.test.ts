/** Ranges and address sets against plain sets of numbers, at the edges of both families. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Addr, type Family, formatAddr, maxValue, parseAddr } from './addr.ts';
import { formatPrefix, prefixHas } from './prefix.ts';
import { formatRange, parseRange, type Range, rangeSize, rangeToPrefixes } from './range.ts';
import {
  type AddrSet,
  equals,
  has,
  intersect,
  isEmpty,
  nextFrom,
  nth,
  ofFamily,
  setOfPrefixes,
  setOfRanges,
  size,
  subtract,
  toPrefixes,
  union,
} from './set.ts';

// A small window at the very bottom and the very top of each family, so that ranges meet, touch and hit the edges.
const window = 24n;
const bases = ([4, 6] as const).flatMap((family) => [
  { family, base: 0n },
  { family, base: maxValue(family) - window + 1n },
]);
const universe: Addr[] = bases.flatMap(({ family, base }) =>
  Array.from({ length: Number(window) }, (_, i) => ({ family, value: base + BigInt(i) })),
);
const range = fc.tuple(fc.constantFrom(...bases), fc.nat(Number(window) - 1), fc.nat(Number(window) - 1)).map(
  ([{ family, base }, a, b]): Range => ({
    family,
    first: base + BigInt(Math.min(a, b)),
    last: base + BigInt(Math.max(a, b)),
  }),
);
const ranges = fc.array(range, { maxLength: 6 });

const members = (set: AddrSet) => universe.filter((each) => has(set, each)).map(formatAddr);
const plain = (some: readonly Range[]) =>
  universe
    .filter((a) => some.some((r) => r.family === a.family && r.first <= a.value && a.value <= r.last))
    .map(formatAddr);

describe('ranges', () => {
  test('are read in all three forms', () => {
    expect(parseRange('10.0.0.5-10.0.0.9')).toEqual({ family: 4, first: 0x0a000005n, last: 0x0a000009n });
    expect(formatRange(parseRange('fd00::5 - fd00::9')!)).toBe('fd00::5-fd00::9');
    expect(formatRange(parseRange('10.0.0.0/30')!)).toBe('10.0.0.0-10.0.0.3');
    expect(formatRange(parseRange('10.0.0.7')!)).toBe('10.0.0.7');
  });

  test.each([
    '',
    '-',
    '10.0.0.9-10.0.0.5',
    '10.0.0.1-fd00::1',
    '10.0.0.1-10.0.0.2-10.0.0.3',
    '10.0.0.1/24',
    '10.0.0.1-',
    '10.0.0.1-5',
  ])('%j is no range', (text) => {
    expect(parseRange(text)).toBeUndefined();
  });

  test('become prefixes that hold exactly the range, and none of them could be joined', () => {
    fc.assert(
      fc.property(range, (r) => {
        const prefixes = rangeToPrefixes(r);
        expect(universe.filter((a) => prefixes.some((p) => prefixHas(p, a))).map(formatAddr)).toEqual(
          plain([r]),
        );
        expect(prefixes.length).toBeLessThanOrEqual(2 * rangeSize(r).toString(2).length);
      }),
    );
    expect(rangeToPrefixes(parseRange('0.0.0.0-255.255.255.255')!).map(formatPrefix)).toEqual(['0.0.0.0/0']);
    expect(rangeToPrefixes(parseRange('::/0')!).map(formatPrefix)).toEqual(['::/0']);
    expect(rangeToPrefixes(parseRange('10.0.0.1-10.0.0.6')!).map(formatPrefix)).toEqual([
      '10.0.0.1/32',
      '10.0.0.2/31',
      '10.0.0.4/31',
      '10.0.0.6/32',
    ]);
  });
});

describe('sets', () => {
  test('union, intersection and difference are those of plain sets', () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const [x, y] = [setOfRanges(a), setOfRanges(b)];
        const [left, right] = [plain(a), plain(b)];
        expect(members(x)).toEqual(left);
        expect(members(union(x, y))).toEqual(plain([...a, ...b]));
        expect(members(intersect(x, y))).toEqual(left.filter((each) => right.includes(each)));
        expect(members(subtract(x, y))).toEqual(left.filter((each) => !right.includes(each)));
      }),
    );
  });

  test('equal sets have equal form, however they were made', () => {
    fc.assert(
      fc.property(ranges, ranges, (a, b) => {
        const [x, y] = [setOfRanges(a), setOfRanges(b)];
        expect(equals(union(subtract(x, y), intersect(x, y)), x)).toBe(true);
        expect(equals(setOfPrefixes(toPrefixes(x)), x)).toBe(true);
        expect(isEmpty(subtract(x, x))).toBe(true);
        expect(union(x, y)).toEqual(union(y, x));
      }),
    );
  });

  test('sizes, positions and the next member are those of the sorted list', () => {
    fc.assert(
      fc.property(ranges, fc.constantFrom(...universe), (a, from) => {
        const set = setOfRanges(a);
        const list = universe.filter((each) => has(set, each));
        expect(size(set)).toBe(BigInt(list.length));
        for (const family of [4, 6] satisfies Family[]) {
          expect(size(set, family)).toBe(size(ofFamily(set, family)));
        }
        expect(list.map((_, i) => nth(set, BigInt(i)))).toEqual(list);
        expect(nth(set, BigInt(list.length))).toBeUndefined();
        const same = list.filter((each) => each.family === from.family);
        expect(nextFrom(set, from)).toEqual(same.find((each) => each.value >= from.value) ?? same[0]);
      }),
    );
  });

  test('aggregation is minimal', () => {
    const set = setOfRanges(
      ['10.0.0.0/25', '10.0.0.128/26', '10.0.0.192-10.0.0.255'].map((each) => parseRange(each)!),
    );
    expect(toPrefixes(set).map(formatPrefix)).toEqual(['10.0.0.0/24']);
    expect(has(set, parseAddr('::a00:1')!)).toBe(false);
  });
});
