/** From a pod's label change as it comes off the wire to the kernel that holds what follows from it, under a hundred such a second. */
import { setTimeout as pause } from 'node:timers/promises';
import { type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median, percentile } from '#programs/cli/bench/statistics.ts';
import type { Ground } from './nodes.ts';
import { startAgent } from './policy-agent.ts';
import { chainApps, type PodNumber, podsPerNamespace } from './policy-cluster.ts';
import type { PolicyNode } from './policy-node.ts';

/** Milliseconds between two events, and how many of them come in one go; as many questions follow them. */
const everyMs = 10;
const burst = 100;
/** One event in so many is of a pod of this node. */
const localEach = 10;
/** Makes the engine read its table and repair it, as it reads it every minute: changes wait for that. */
const stranger = '192.0.2.1';
const foreignChange = `nft add element inet netloom nodes4 '{ ${stranger} }'`;
const goal = { of: 'value', atMost: 20 } as const;

/** Of labels that policies of these namespaces look at. Each change moves a pod to another identity, and one of ours to another class. */
export async function measurePolicyChanges(
  ground: Ground,
  policyNode: PolicyNode,
  { quick, progress }: BenchOptions,
): Promise<Row[]> {
  const { size } = policyNode;
  const agent = await startAgent(policyNode);
  const rounds = quick ? 2 : 10;
  progress(`label changes under ${size} policies, ${rounds} times ${burst}`);
  const questions: number[] = [];
  const events = eventsOf(policyNode);
  // A path that has run for a while is what a change meets.
  await paced((at) => agent.take(events(), at));
  await agent.settled();
  agent.samples.splice(0);
  agent.compiles.splice(0);
  for (let round = 0; round < rounds; round++) {
    await paced((at) => agent.take(events(), at));
    await agent.settled();
    const asked: Promise<void>[] = [];
    await paced((at) => {
      asked.push(policyNode.node.client.status().then(() => void questions.push(performance.now() - at)));
    });
    await Promise.all(asked);
  }
  const samples = agent.samples.splice(0);
  const compiles = agent.compiles.splice(0);
  const behind: number[] = [];
  for (let time = 0; time < (quick ? 1 : 3); time++) {
    await ground.run(foreignChange, policyNode.name);
    // One after the other until it is repaired: one of them meets the reading.
    while ((await ground.run('nft list set inet netloom nodes4', policyNode.name)).includes(stranger)) {
      agent.take(events(), performance.now());
      await agent.settled();
    }
    behind.push(Math.max(...agent.samples.splice(0)));
  }
  const against = (percent: number) => ({
    what: `an empty question to the datapath, p${percent}`,
    value: percentile(questions, percent),
  });
  const figure = (percent: number, of: typeof goal | undefined) =>
    row({
      name: `label change, event to kernel, p${percent}`,
      size,
      unit: 'ms',
      value: percentile(samples, percent),
      against: against(percent),
      ...(of === undefined ? {} : { goal: of }),
    });
  agent.close();
  return [
    figure(50, undefined),
    figure(90, undefined),
    figure(99, goal),
    row({
      name: 'of that reading and compile, median',
      size,
      unit: 'ms',
      value: median(compiles),
      against: { what: 'all of it', value: median(samples) },
    }),
    row({
      name: 'label change while the table is read again',
      size,
      unit: 'ms',
      value: median(behind),
      against: { what: 'any time, p50', value: median(samples) },
    }),
  ];
}

/** Watch events of pods that this node's policies look at, one after the other over all of them. */
function eventsOf({ cluster, object }: PolicyNode): () => string {
  const spaces = [...new Set(cluster.local.map((pod) => Math.floor(pod / podsPerNamespace)))];
  const peers = spaces.flatMap((space) =>
    Array.from({ length: podsPerNamespace }, (_, slot) => space * podsPerNamespace + slot),
  );
  const apps = new Map<PodNumber, number>();
  let count = 0;
  return () => {
    count++;
    const list = count % localEach === 0 ? cluster.local : peers;
    const pod = list[(count * 7919) % list.length]!;
    const app = ((apps.get(pod) ?? pod) + 1) % (chainApps.last + 2);
    apps.set(pod, app);
    return JSON.stringify({ type: 'MODIFIED', object: object(pod, app) });
  };
}

/** By the clock, however long one takes: who comes late is late. */
async function paced(work: (due: number) => void): Promise<void> {
  const started = performance.now();
  for (let index = 0; index < burst; index++) {
    const due = started + index * everyMs;
    const wait = due - performance.now();
    if (wait > 0) await pause(wait);
    work(due);
  }
}
