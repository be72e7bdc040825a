/** Overlapping CIDRs with exceptions become disjoint ones, each with the set of those that have it. */
import { type Family, maxValue } from '#net/addr.ts';
import { comparePrefix, formatPrefix, lastAddr, type Prefix, prefixContains } from '#net/prefix.ts';
import { rangeToPrefixes } from '#net/range.ts';

/** What has some addresses: a CIDR of a rule, or a Subnet of pods. */
export type AtomSource = {
  readonly id: string;
  readonly prefix: Prefix;
  readonly except: readonly Prefix[];
};

export type Atom = { readonly prefix: Prefix; readonly ids: readonly string[] };

/**
 * Sorted; neighbours with one set are joined as far as prefixes can be. Addresses that no source has are in none. `idsOf` may change
 * a set before it is compared; an empty one gives no atom.
 */
export function atomsOf(
  sources: Iterable<AtomSource>,
  idsOf: (ids: readonly string[]) => readonly string[] = (ids) => ids,
): Atom[] {
  const points = pointsOf(sources);
  return ([4, 6] as const).flatMap((family) => {
    const spans: Span[] = [];
    const add = (first: bigint, last: bigint, ids: readonly string[]): void => {
      if (first > last) return;
      const kept = idsOf(ids);
      const before = spans.at(-1);
      if (before !== undefined && before.last + 1n === first && sameIds(before.ids, kept)) before.last = last;
      else spans.push({ first, last, ids: kept });
    };
    sweep(
      points.filter(({ prefix }) => prefix.family === family),
      family,
      add,
    );
    return spans.flatMap(({ first, last, ids }) =>
      ids.length === 0
        ? []
        : [...rangeToPrefixes({ family, first, last })].map((prefix) => ({ prefix, ids })),
    );
  });
}

type Span = { readonly first: bigint; last: bigint; readonly ids: readonly string[] };

/** A place where sets change: sources that begin with a prefix, and those that leave it out. */
type Point = { readonly prefix: Prefix; readonly begin: string[]; readonly end: string[] };

/** In an order in which a prefix comes before those inside of it. */
function pointsOf(sources: Iterable<AtomSource>): Point[] {
  const points = new Map<string, Point>();
  const pointAt = (prefix: Prefix): Point => {
    const text = formatPrefix(prefix);
    const point = points.get(text) ?? { prefix, begin: [], end: [] };
    points.set(text, point);
    return point;
  };
  for (const { id, prefix, except } of sources) {
    if (except.some((each) => prefixContains(each, prefix))) continue;
    pointAt(prefix).begin.push(id);
    for (const each of except) if (prefixContains(prefix, each)) pointAt(each).end.push(id);
  }
  return [...points.values()].sort((a, b) => comparePrefix(a.prefix, b.prefix));
}

/** Prefixes nest or are apart: a stack holds those that are open, and what is between two changes has the set of its top. */
function sweep(
  points: readonly Point[],
  family: Family,
  add: (first: bigint, last: bigint, ids: readonly string[]) => void,
): void {
  const open: { readonly last: bigint; readonly ids: readonly string[] }[] = [
    { last: maxValue(family), ids: [] },
  ];
  let next = 0n;
  const closeBefore = (value: bigint): void => {
    for (let top = open.at(-1); top !== undefined && top.last < value; top = open.at(-1)) {
      add(next, top.last, top.ids);
      next = top.last + 1n;
      open.pop();
    }
  };
  for (const { prefix, begin, end } of points) {
    closeBefore(prefix.value);
    const above = open.at(-1)?.ids ?? [];
    add(next, prefix.value - 1n, above);
    next = prefix.value;
    const left = new Set(end);
    const ids = [...new Set([...above.filter((id) => !left.has(id)), ...begin])].sort();
    open.push({ last: lastAddr(prefix).value, ids });
  }
  closeBefore(maxValue(family) + 1n);
}

function sameIds(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}
