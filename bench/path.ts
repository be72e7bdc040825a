/** What the way from pod to pod costs: work done in a second of CPU time of both ends together. */
import { type Bench, type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median, pairedRatio } from '#programs/cli/bench/statistics.ts';
import { take } from './load.ts';
import { type Ground, openGround } from './nodes.ts';
import { type Wiring, wireBare, wireByHand, wireOurs } from './wiring.ts';

export const path: Bench = {
  name: 'path',
  summary:
    'pod to pod, same node and across nodes, with 0, 1,000 and 10,000 Services, against wiring by hand',
  run: async (options) => {
    const ground = await openGround();
    try {
      return await measure(ground, options);
    } finally {
      await ground.close();
    }
  },
};

const sizes = [0, 1_000, 10_000];
const kinds = {
  bulk: { title: 'bulk', unit: 'GB/CPU-s', per: 1e9 },
  crr: { title: 'short connections', unit: 'k/CPU-s', per: 1e3 },
  rr: { title: 'request/response', unit: 'k/CPU-s', per: 1e3 },
} as const;
type Kind = keyof typeof kinds;
const ways = { near: 'same node', far: 'across nodes' } as const;
type Way = keyof typeof ways;
const goal = { of: 'ratio', atLeast: 0.95 } as const;

type Series = {
  readonly label: string;
  readonly wiring: Wiring;
  readonly samples: Record<Way, Record<Kind, number[]>>;
};

async function measure(ground: Ground, { quick, progress }: BenchOptions): Promise<Row[]> {
  const load = await ground.compile('load.c');
  const timer = await ground.compile('plugin-timer.c');
  const hand = series('hand', await wireByHand(ground, { label: 'hand', nat: false }));
  const handNat = series('hand with NAT', await wireByHand(ground, { label: 'nat', nat: true }));
  const bare = series('bare', await wireBare(ground));
  const ours: (Series & { readonly size: number; close(): void })[] = [];
  for (const [index, size] of sizes.entries()) {
    progress(`two nodes with ${size} Services`);
    const wiring = await wireOurs(ground, { label: `nl${'xyz'[index]}`, services: size, timer });
    ours.push({ size, ...series(`${size} Services`, wiring), close: () => wiring.close() });
  }
  const all: readonly Series[] = [hand, handNat, bare, ...ours];
  const rounds = quick ? 3 : 7;
  const milliseconds = quick ? 150 : 400;
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}`);
    for (const way of Object.keys(ways) as Way[]) {
      for (const kind of Object.keys(kinds) as Kind[]) {
        for (const step of all.keys()) {
          const each = all[(round + step) % all.length]!;
          each.samples[way][kind].push(await take(ground, load, each.wiring[way], kind, milliseconds));
        }
      }
    }
  }
  for (const each of ours) each.close();
  return (Object.keys(ways) as Way[]).flatMap((way) =>
    (Object.keys(kinds) as Kind[]).flatMap((kind) => rowsOf(way, kind, { hand, handNat, bare, ours })),
  );
}

function rowsOf(
  way: Way,
  kind: Kind,
  {
    hand,
    handNat,
    bare,
    ours,
  }: { hand: Series; handNat: Series; bare: Series; ours: readonly (Series & { readonly size: number })[] },
): Row[] {
  const { title, unit, per } = kinds[kind];
  const of = (each: Series) => each.samples[way][kind].map((value) => value / per);
  const compare = (
    size: number,
    mine: Series,
    other: Series,
    what: string,
    versus: string,
    isGoal: boolean,
  ) =>
    row({
      name: `${ways[way]}, ${title} vs ${versus}`,
      size,
      value: median(of(mine)),
      unit,
      against: { what, value: median(of(other)) },
      ratio: pairedRatio(of(mine), of(other)),
      ...(isGoal ? { goal } : {}),
    });
  const [none, ...loaded] = ours;
  const bareName = way === 'near' ? 'bare veth' : 'bare VXLAN';
  return [
    ...ours.map((each) => compare(each.size, each, hand, 'by hand', 'by hand', true)),
    ...loaded.map((each) => compare(each.size, each, none!, 'no Services', 'no Services', true)),
    ...ours.map((each) =>
      compare(each.size, each, handNat, 'by hand with NAT', 'by hand with NAT hooks', false),
    ),
    compare(none!.size, none!, bare, bareName, 'bare', false),
    compare(0, hand, bare, bareName, 'bare, by hand', false),
  ];
}

function series(label: string, wiring: Wiring): Series {
  const kindsOf = () => ({ bulk: [], crr: [], rr: [] });
  return { label, wiring, samples: { near: kindsOf(), far: kindsOf() } };
}
