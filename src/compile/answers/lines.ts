/** Changed pairs become lines for people: equal ones of many sources, destinations and both families are one line. */
import type { Family } from '#net/addr.ts';
import type { End } from './ends.ts';
import type { Cell, Decider, Pair } from './pairs.ts';
import type { Book, Reason } from './reasons.ts';
import { joined, type Segment } from './segments.ts';
import type { Sides } from './units.ts';
import { type Witness, witnessOf } from './witness.ts';

export type Line = {
  readonly kind: Cell['kind'];
  /** Workloads (`Deployment shop/web`), nodes and parts of the world. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly families: readonly Family[];
  /** At the destination, after translation. */
  readonly ports: readonly Segment[];
  /** What decides: the policy of the source or of the destination, or the destination's Subnet. */
  readonly decider: Decider;
  readonly before: Reason;
  readonly after: Reason;
  readonly witness: Witness;
  /** Connections of real traffic that it covers, where some were given. */
  readonly observed?: number;
};

/** `covers`: whether a connection between two ends is one of the line's. */
export type CoveringLine = Line & {
  readonly covers: (from: End, to: End, family: Family, own: boolean) => boolean;
};

type Bundle = {
  readonly cell: Cell;
  readonly ports: readonly Segment[];
  readonly from: Set<string>;
  readonly to: Set<string>;
  readonly families: Set<Family>;
  readonly pairs: Pair[];
};

export function linesOf(
  pairs: Iterable<Pair>,
  segments: readonly Segment[],
  book: Book,
  sides: Sides,
): readonly CoveringLine[] {
  const single = new Map<string, Bundle>();
  for (const pair of pairs) {
    for (const cell of pair.cells) {
      const key = `${pair.from.label}\n${pair.to.label}\n${cell.key}\n${cell.segments.join()}`;
      const found = single.get(key);
      if (found === undefined) single.set(key, bundleOf(pair, cell, segments));
      else {
        found.families.add(pair.family);
        found.pairs.push(pair);
      }
    }
  }
  const change = ({ cell, families }: Bundle) =>
    `${cell.key}\n${cell.segments.join()}\n${[...families].sort((a, b) => a - b).join()}`;
  const bySource = merged(single.values(), (each) => `${[...each.to].join()}\n${change(each)}`);
  const bundles = merged(bySource, (each) => `${[...each.from].sort().join()}\n${change(each)}`);
  return bundles.flatMap((bundle): CoveringLine[] => {
    const { cell, ports, from, to, families, pairs: own } = bundle;
    const witness = firstWitness(own, ports, sides);
    if (witness === undefined) return [];
    return [
      {
        kind: cell.kind,
        from: sorted(from),
        to: sorted(to),
        families: [...families].sort((a, b) => a - b),
        ports,
        decider: cell.decider,
        before: book.reason(cell.before),
        after: book.reason(cell.after),
        witness,
        covers: coverOf(own),
      },
    ];
  });
}

function bundleOf(pair: Pair, cell: Cell, segments: readonly Segment[]): Bundle {
  return {
    cell,
    ports: joined(segments, cell.segments),
    from: new Set([pair.from.label]),
    to: new Set([pair.to.label]),
    families: new Set([pair.family]),
    pairs: [pair],
  };
}

function merged(bundles: Iterable<Bundle>, keyOf: (bundle: Bundle) => string): readonly Bundle[] {
  const found = new Map<string, Bundle>();
  for (const bundle of bundles) {
    const key = keyOf(bundle);
    const known = found.get(key);
    if (known === undefined) {
      found.set(key, {
        ...bundle,
        from: new Set(bundle.from),
        to: new Set(bundle.to),
        pairs: [...bundle.pairs],
      });
      continue;
    }
    for (const label of bundle.from) known.from.add(label);
    for (const label of bundle.to) known.to.add(label);
    for (const pair of bundle.pairs) known.pairs.push(pair);
  }
  return [...found.values()];
}

/** A pair between pods says more than one with a node or the world. */
function firstWitness(pairs: readonly Pair[], ports: readonly Segment[], sides: Sides): Witness | undefined {
  const ranked = [
    ...pairs.filter(({ from, to }) => from.kind === 'pods' && to.kind === 'pods'),
    ...pairs.filter(({ from, to }) => from.kind !== 'pods' || to.kind !== 'pods'),
  ];
  for (const pair of ranked) {
    const witness = witnessOf(pair, ports, sides);
    if (witness !== undefined) return witness;
  }
  return undefined;
}

function coverOf(pairs: readonly Pair[]): CoveringLine['covers'] {
  let known: Map<End, Pair[]> | undefined;
  return (from, to, family, own) => {
    known ??= Map.groupBy(pairs, (pair) => pair.from);
    return (
      known.get(from)?.some((pair) => pair.to === to && pair.family === family && pair.own === own) ?? false
    );
  };
}

/** Workloads first, then nodes, then the world. */
function sorted(labels: Iterable<string>): string[] {
  const rank = (label: string) => (/^[A-Z]/.test(label) ? 0 : label.includes('node') ? 1 : 2);
  return [...labels].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : a > b ? 1 : 0));
}
