/** What Netloom's programs on a node take as the cluster grows: memory, stalls of the datapath, writes to the API. */

import { endpointSliceType, nodeType, podType, serviceType } from '#api/core.ts';
import { blockClaimKind } from '#api/kinds/blockclaim.ts';
import type { KubeObject } from '#api/object.ts';
import { type Client, createClient } from '#kube/client.ts';
import { ApiError } from '#kube/errors.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Lab } from '#lab/client.ts';
import { eventually } from '#lab/eventually.ts';
import { labDown } from '#lab/lifecycle.ts';
import { type Bench, type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median } from '#programs/cli/bench/statistics.ts';
import { clusterUp } from '#programs/cli/cluster.ts';
import { ports } from '#system/registry.ts';
import { scrape, writesDuring } from './api-writes.ts';
import {
  endpointsPerService,
  podsPerNode,
  remoteClaim,
  remoteNode,
  remoteService,
  remoteSlice,
} from './cluster-objects.ts';
import { memoryOf, type ProcessMemory } from './process-memory.ts';

const lab = 'bench-memory';
const node = 'node1';

export const memory: Bench = {
  name: 'memory',
  summary:
    'memory of our programs on a node, stalls of the datapath, API writes, at 10, 1,000 and 5,000 remote pods',
  run: async (options) => {
    await labDown(lab);
    try {
      const shape = { nodes: 1, family: 'dual', mode: 'overlay', mtu: 1500 } as const;
      // The first start after a change of the sources strips their types, which a second one needs no more.
      await clusterUp({ name: lab, ...shape, progress: () => {} });
      await labDown(lab);
      const machine = await clusterUp({ name: lab, ...shape, progress: options.progress });
      const config = await loadKubeconfig({ path: machine.kubeconfigPath });
      const client = createClient({ ...config, requestsPerSecond: 5_000, burst: 5_000 });
      try {
        return await measure(machine, client, options);
      } finally {
        client.close();
      }
    } finally {
      await labDown(lab);
    }
  },
};

const sizes = [10, 1_000, 5_000];
const mega = 1e6;

async function measure(machine: Lab, client: Client, { quick, progress }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  const bare = await bareProcesses(machine);
  let first: ProcessMemory | undefined;
  let pods = 0;
  for (const size of sizes) {
    await grow(client, pods, size);
    pods = size;
    await arrived(machine, Math.ceil(size / endpointsPerService), 8080);
    await quiet(quick ? 3_000 : 10_000);
    const taken = await ours(machine);
    progress(`${size} remote pods: ${Math.round(taken.proportional / mega)} MB`);
    rows.push(...memoryRows(size, taken, bare, first));
    first ??= taken;
  }
  rows.push(await storms(machine, client, quick ? 1 : 5, progress));
  await quiet(quick ? 3_000 : 10_000);
  const after = await ours(machine);
  const calm = { what: '5000 pods before it', value: sizedValue(rows, 5_000) };
  const name = 'agent + datapath, PSS after a storm of events';
  rows.push(row({ name, size: stormEvents, value: after.proportional / mega, unit: 'MB', against: calm }));
  rows.push(await writesPerPod(machine, client, quick ? 10 : 30, progress));
  return rows;
}

function sizedValue(rows: readonly Row[], size: number): number {
  return rows.find((each) => each.size === size && each.name.endsWith('PSS'))?.value ?? Number.NaN;
}

function memoryRows(
  size: number,
  taken: ProcessMemory,
  bare: ProcessMemory,
  first: ProcessMemory | undefined,
): Row[] {
  const common = { size, unit: 'MB' } as const;
  const two = 'two idle Node processes';
  const figure = (name: string, of: keyof ProcessMemory, what: string, other: ProcessMemory) => ({
    ...common,
    name,
    value: taken[of] / mega,
    against: { what, value: other[of] / mega },
  });
  return [
    row({
      ...figure('agent + datapath, PSS', 'proportional', two, bare),
      goal: { of: 'value', atMost: 130 },
    }),
    row(figure('agent + datapath, RSS', 'resident', two, bare)),
    ...(first === undefined
      ? []
      : [row(figure('agent + datapath, growth', 'proportional', '10 pods', first))]),
  ];
}

/** The floor: what the runtime itself takes. */
async function bareProcesses(machine: Lab): Promise<ProcessMemory> {
  const children = await Promise.all(
    [1, 2].map(() => machine.spawn(node, ['node', '-e', "setInterval(() => {}, 1e6); console.log('bare')"])),
  );
  try {
    await Promise.all(children.map((child) => new Promise((resolve) => child.stdout.once('data', resolve))));
    return memoryOf(await smapsOf(machine, '^node -e setInterval'));
  } finally {
    await machine.exec(node, ['pkill', '-f', '^node -e setInterval']);
  }
}

/** Agent and datapath, and the nft processes that the datapath keeps. */
async function ours(machine: Lab): Promise<ProcessMemory> {
  return memoryOf(await smapsOf(machine, '^node .*/src/programs/(agent|datapath)/main.ts'));
}

async function smapsOf(machine: Lab, pattern: string): Promise<string[]> {
  const script = `for pid in $(pgrep -f '${pattern}'); do for each in $pid $(pgrep -P $pid); do cat /proc/$each/smaps; echo =; done; done`;
  const result = await machine.exec(node, ['sh', '-c', script]);
  const texts = result.stdout.split(/^=$/m).filter((text) => text.trim() !== '');
  if (texts.length < 2) throw new Error(`found ${texts.length} processes of ${pattern}: ${result.stderr}`);
  return texts;
}

async function grow(client: Client, from: number, to: number): Promise<void> {
  const upTo = (per: number) => range(Math.ceil(from / per), Math.ceil(to / per));
  await inParallel(upTo(podsPerNode), async (index) => {
    const made = await client.create(nodeType, remoteNode(index));
    const { status } = remoteNode(index) as KubeObject & { status: object };
    await client.patch(
      nodeType,
      { name: made.metadata.name, subresource: 'status' },
      { kind: 'merge', body: { status } },
    );
    // A block that the real node has already stays its own.
    await client.create(blockClaimKind, remoteClaim(index, made.metadata.uid ?? '')).catch(ignoreConflict);
  });
  await inParallel(upTo(endpointsPerService), async (index) => {
    await client.create(serviceType, remoteService(index));
    await client.create(endpointSliceType, remoteSlice(index));
  });
}

function ignoreConflict(error: unknown): undefined {
  if (error instanceof ApiError && error.code === 409) return undefined;
  throw error;
}

/** The node's table holds every backend of the first so many Services, at this port. */
async function arrived(machine: Lab, count: number, port: number): Promise<void> {
  const backends = count * endpointsPerService;
  await eventually(
    async () => {
      const script = `nft list map inet netloom backends4 | grep -o ' : 10\\.244\\.[0-9.]* \\. ${port}' | wc -l`;
      const { stdout } = await machine.exec(node, ['sh', '-c', script]);
      if (Number(stdout) < backends) throw new Error(`${stdout.trim()} of ${backends} backends have arrived`);
    },
    120_000,
    500,
  );
}

const stormEvents = 5_000;

/** Storms one after the other, each with an idle loop beside it: the median of their longest stalls. */
async function storms(
  machine: Lab,
  client: Client,
  count: number,
  progress: (line: string) => void,
): Promise<Row> {
  const taken: { stall: number; idle: number }[] = [];
  for (let number = 0; number < count; number++) taken.push(await storm(machine, client, number, progress));
  return row({
    name: 'longest stall of the datapath in a storm of events',
    size: stormEvents,
    value: median(taken.map(({ stall }) => stall)),
    unit: 'ms',
    against: { what: 'an idle loop meanwhile', value: median(taken.map(({ idle }) => idle)) },
    goal: { of: 'value', atMost: 20 },
  });
}

/** Every endpoint slice changes, all of them more than once, as fast as the API server takes it. */
async function storm(
  machine: Lab,
  client: Client,
  number: number,
  progress: (line: string) => void,
): Promise<{ stall: number; idle: number }> {
  const slices = Math.ceil(sizes.at(-1)! / endpointsPerService);
  const turns = Math.ceil(stormEvents / slices);
  const idle = await machine.spawn(node, ['node', '-e', idleLoop]);
  let said = '';
  idle.stdout.on('data', (data) => (said += String(data)));
  await metric(machine, ports.datapathMetrics.value, 'process_event_loop_stall_seconds');
  const started = performance.now();
  for (let turn = number * turns + 1; turn <= (number + 1) * turns; turn++) {
    await inParallel(range(0, slices), async (index) => {
      const { metadata, ...change } = remoteSlice(index, turn) as KubeObject & Record<string, unknown>;
      const target = { name: metadata.name, namespace: 'default' };
      await client.patch(endpointSliceType, target, { kind: 'merge', body: change });
    });
  }
  await arrived(machine, slices, 8080 + (number + 1) * turns);
  const seconds = (performance.now() - started) / 1000;
  const stall =
    1000 * (await metric(machine, ports.datapathMetrics.value, 'process_event_loop_stall_seconds'));
  idle.stdin.end();
  await new Promise((resolve) => idle.once('close', resolve));
  progress(
    `${turns * slices} events in ${seconds.toFixed(1)} s; longest stall ${stall.toFixed(1)} ms, of an idle loop ${Number(said).toFixed(1)} ms`,
  );
  return { stall, idle: Number(said) };
}

/** Prints its longest stall in milliseconds when its input ends: what the machine alone does to a loop. */
const idleLoop = `
const delay = require('node:perf_hooks').monitorEventLoopDelay({ resolution: 10 });
delay.enable();
process.stdin.resume().on('end', () => { console.log(Math.max(0.1, delay.max / 1e6 - 10)); process.exit(); });`;

/** Ordinary pods, started one after the other; the node has addresses left. */
async function writesPerPod(
  machine: Lab,
  client: Client,
  count: number,
  progress: (line: string) => void,
): Promise<Row> {
  const made = await writesDuring(machine, client, [node], async () => {
    for (let index = 0; index < count; index++) {
      const name = `ordinary-${index}`;
      await client.create(podType, ordinaryPod(name));
      await eventually(async () => {
        const pod = await client.get<KubeObject & { status?: { phase?: string } }>(podType, name, 'default');
        if (pod.status?.phase !== 'Running') throw new Error(`pod ${name} is ${pod.status?.phase}`);
      }, 30_000);
    }
  });
  progress(`${count} pods started; ${made} writes beside lease renewals`);
  return row({
    name: 'API writes of agent and controller per ordinary pod',
    size: count,
    value: made / count,
    unit: 'writes',
    // A plugin that keeps its addresses in the API writes each of them there.
    against: { what: 'one object a pod', value: 1 },
    goal: { of: 'value', atMost: 0 },
  });
}

async function metric(machine: Lab, port: number, name: string): Promise<number> {
  const value = new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(await scrape(machine, node, port))?.[1];
  if (value === undefined) throw new Error(`no ${name} on port ${port}`);
  return Number(value);
}

function ordinaryPod(name: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: node,
      containers: [{ name: 'main', image: 'netloom/node', command: ['sleep', '600'] }],
    },
  } as KubeObject;
}

async function inParallel(indexes: readonly number[], work: (index: number) => Promise<void>): Promise<void> {
  const queue = [...indexes].reverse();
  const worker = async () => {
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) await work(next);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

function quiet(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
