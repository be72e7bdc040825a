/** What policy costs packets: a pair of pods on one node, without policy, beside pods that have one, and under it itself. */
import { type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { percentile } from '#programs/cli/bench/statistics.ts';
import { type LoadKind, take } from './load.ts';
import type { Ground } from './nodes.ts';
import type { PolicyNode } from './policy-node.ts';
import { type Pair, wireByHand } from './wiring.ts';

const kinds = ['crr', 'rr', 'datagrams', 'answered'] as const satisfies readonly LoadKind[];
type Kind = (typeof kinds)[number];
/** Nanoseconds of CPU time for one operation, round by round. */
type Series = Record<Kind, number[]>;

/** Who on the node is restricted: nobody, everybody but the pair, everybody. */
const states = ['none', 'others', 'all'] as const;
type State = (typeof states)[number];
type Measured = { readonly size: number } & Record<State, Series>;

/** Round trip: a packet each way. */
const packetsOfRoundTrip = 2;
const perPacket = { of: 'value', atMost: 150 } as const;

/** The elements stay loaded in every state; without a restricted pod no chain leads to them. */
export async function measurePolicyTraffic(
  ground: Ground,
  nodes: readonly PolicyNode[],
  { quick, progress }: BenchOptions,
): Promise<Row[]> {
  const load = await ground.compile('load.c');
  const hand = { pair: (await wireByHand(ground, { label: 'hand', nat: false })).near, series: series() };
  const measured = nodes.map(({ size }) => ({ size, none: series(), others: series(), all: series() }));
  // Many short takes rather than few long ones: the machine's moods last for seconds.
  const rounds = quick ? 8 : 25;
  const milliseconds = quick ? 40 : 50;
  const takeAll = async (pair: Pair, into: Series) => {
    for (const kind of kinds) into[kind].push(1e9 / (await take(ground, load, pair, kind, milliseconds)));
  };
  for (let round = 0; round < rounds; round++) {
    progress(`traffic, round ${round + 1} of ${rounds}`);
    await takeAll(hand.pair, hand.series);
    for (const [index, node] of nodes.entries()) {
      // In turns, so that none is always the one after another's noise.
      for (const step of states.keys()) {
        const state = states[(round + step) % states.length]!;
        await restrict(node, state);
        await takeAll(node.pair, measured[index]![state]);
      }
    }
  }
  for (const node of nodes) await restrict(node, 'all');
  return measured.flatMap((each) => rowsOf(each, hand.series, measured[0]!));
}

async function restrict({ node, policy, pair }: PolicyNode, state: State): Promise<void> {
  const { policySubjects = {} } = policy;
  const wanted = Object.entries(policySubjects).filter(
    ([key]) => state === 'all' || (state === 'others' && !pair.pods.includes(key)),
  );
  const keys = new Set(wanted.map(([key]) => key));
  const remove = Object.keys(policySubjects).filter((key) => !keys.has(key));
  await node.send({ policySubjects: Object.fromEntries(wanted) }, { remove: { policySubjects: remove } });
}

function rowsOf(measured: Measured, hand: Series, smallest: Measured): Row[] {
  const { size, none, others, all } = measured;
  /** What `mine` takes more than `other`: nanoseconds a packet. */
  const added = (
    name: string,
    mine: Series,
    what: string,
    other: Series,
    of: { readonly kind: Kind; readonly packets?: number; readonly goal?: typeof perPacket },
  ) => {
    const { kind, packets = 1, goal } = of;
    return row({
      name,
      size,
      unit: 'ns',
      value: (quiet(mine[kind]) - quiet(other[kind])) / packets,
      against: { what: `${what}, whole packet`, value: quiet(other[kind]) / packets },
      ratio: quiet(mine[kind]) / quiet(other[kind]),
      ...(goal === undefined ? {} : { goal }),
    });
  };
  const whole = (name: string, kind: Kind, what: string, other: Series, atMost?: number) =>
    row({
      name,
      size,
      unit: 'µs CPU',
      value: quiet(all[kind]) / 1e3,
      against: { what, value: quiet(other[kind]) / 1e3 },
      ...(atMost === undefined ? {} : { goal: { of: 'ratio', atMost } as const }),
    });
  const isLarger = measured !== smallest;
  const before = `${smallest.size} policies`;
  return [
    added('established packet, added by policy', all, 'no policy', none, {
      kind: 'answered',
      goal: perPacket,
    }),
    added('first packet, added by policy', all, 'no policy', none, { kind: 'datagrams', goal: perPacket }),
    added('established packet, added beside policy', others, 'no policy', none, { kind: 'answered' }),
    added('first packet, added beside policy', others, 'no policy', none, { kind: 'datagrams' }),
    added('established packet, over connection tracking', all, 'by hand', hand, { kind: 'answered' }),
    added('first packet, over connection tracking', all, 'by hand', hand, { kind: 'datagrams' }),
    added('request/response, added by policy, a packet', all, 'no policy', none, {
      kind: 'rr',
      packets: packetsOfRoundTrip,
    }),
    whole('short connection, vs no policy', 'crr', 'no policy', none),
    whole('short connection, vs by hand', 'crr', 'by hand', hand),
    ...(isLarger
      ? [
          whole(`short connection, vs ${before}`, 'crr', before, smallest.all, 1.05),
          whole(`first packet, vs ${before}`, 'datagrams', before, smallest.all, 1.05),
        ]
      : []),
  ];
}

/** The lower quartile: neighbours on the machine only ever add, and a difference of few percent drowns in what they add to a median. */
function quiet(samples: readonly number[]): number {
  return percentile(samples, 25);
}

function series(): Series {
  return { crr: [], rr: [], datagrams: [], answered: [] };
}
