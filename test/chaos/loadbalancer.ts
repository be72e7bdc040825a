/**
 * A lab with balancers under random deeds, then what must be true of it. `node test/chaos/loadbalancer.ts [--minutes 10] [--seed N]`; what is
 * wrong is printed with what was done last, and ends it with 1.
 */
import { parseArgs } from 'node:util';
import { podType } from '#api/core.ts';
import { eventually } from '#lab/eventually.ts';
import { openNeighbors } from '#lab/neighbors.ts';
import { type Cluster, startCluster } from '../lab/cluster.ts';
import { isReady, type PodObject } from '../lab/pods.ts';
import { deeds, emptyWorld, mend, type Random, serviceComes, type World } from './loadbalancer-deeds.ts';
import { segmentAddresses, wrongAtTheEnd } from './loadbalancer-end.ts';
import { apps, echo, ground, nodes, placesOf, pool } from './loadbalancer-objects.ts';
import { clock, startWatch } from './loadbalancer-watch.ts';

export type ChaosResult = {
  readonly deeds: number;
  /** Empty: all is as it must be. */
  readonly wrong: readonly string[];
  readonly evidence: readonly string[];
  readonly history: readonly string[];
};

/** Between deeds: some meet the last one's consequences, some don't. */
const longestPauseMs = 1_500;
const settleMs = 120_000;

export async function chaosOfBalancers(
  minutes: number,
  seed: number,
  progress: (line: string) => void = () => {},
): Promise<ChaosResult> {
  const random = randomOf(seed);
  const cluster = await startCluster('lb-chaos', { nodes: nodes.length, bgpRouter: true });
  try {
    const neighbors = await openNeighbors(cluster.lab);
    const world = emptyWorld();
    const pods = apps.flatMap((app) => placesOf[app].map((node) => echo(app, node)));
    await cluster.apply(...ground, pool('segment', true), pool('fabric', true), ...pods);
    const watch = await startWatch(cluster, neighbors, segmentAddresses());
    const history: string[] = [];
    const tell = (text: string): void => {
      const line = `${clock(Date.now())} ${text}`;
      history.push(line);
      progress(line);
    };
    try {
      await fill(cluster, world, random);
      await operate(cluster, world, random, performance.now() + minutes * 60_000, tell);
      await mend(cluster, world);
      await fill(cluster, world, random);
      tell('all is mended');
      await eventually(() => expectReady(cluster), settleMs, 500);
      const wrong = await settled(() => wrongAtTheEnd(cluster, neighbors, world));
      const faults = [...watch.faults(), ...wrong];
      return { deeds: history.length - 1, wrong: faults, evidence: await watch.evidence(), history };
    } finally {
      watch.stop();
    }
  } finally {
    await cluster.down();
  }
}

/** So many there are at the beginning, and at least at the end. */
const fewest = 10;

async function fill(cluster: Cluster, world: World, random: Random): Promise<void> {
  while (world.services.size < fewest) await serviceComes.run(cluster, world, random);
}

async function operate(
  cluster: Cluster,
  world: World,
  random: Random,
  until: number,
  tell: (line: string) => void,
): Promise<void> {
  const bag = deeds.flatMap((deed) => Array.from({ length: deed.weight }, () => deed));
  let count = 0;
  while (performance.now() < until) {
    const { name, run } = random.of(bag);
    const done = await run(cluster, world, random);
    if (done === undefined) continue;
    tell(`${++count}. ${name}: ${done}`);
    const pause = random.number() * longestPauseMs;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** What is still wrong after a while. */
async function settled(look: () => Promise<readonly string[]>): Promise<readonly string[]> {
  let wrong: readonly string[] = [];
  await eventually(
    async () => {
      wrong = await look();
      if (wrong.length > 0) throw new Error(wrong.join('\n'));
    },
    settleMs,
    500,
  ).catch(() => {});
  return wrong;
}

async function expectReady({ client }: Cluster): Promise<void> {
  const { items } = await client.list<PodObject>(podType);
  const late = items.filter((pod) => !isReady(pod)).map(({ metadata }) => metadata.name);
  if (late.length > 0) throw new Error(`not ready: ${late.join(', ')}`);
}

/** By xorshift; the same for the same seed. */
function randomOf(seed: number): Random {
  let state = (seed * 2_654_435_761 + 1) | 0;
  const number = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return {
    number,
    of: (all) => {
      const list = [...all];
      const found = list[Math.floor(number() * list.length)];
      if (found === undefined) throw new RangeError('nothing to choose from');
      return found;
    },
  };
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    },
  });
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  print(`seed ${values.seed}, ${values.minutes} minutes`);
  const found = await chaosOfBalancers(Number(values.minutes), Number(values.seed), print);
  print(
    found.wrong.length === 0
      ? `${found.deeds} deeds, all is as it must be`
      : `WRONG after ${found.deeds} deeds:`,
  );
  for (const line of [...found.wrong, ...found.evidence]) print(line);
  process.exit(found.wrong.length > 0 ? 1 : 0);
}
