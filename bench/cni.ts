/** CNI ADD and DEL as a runtime sees them, beside the standard plugins. */
import { type Bench, type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median, percentile } from '#programs/cli/bench/statistics.ts';
import { type Ground, type OurNode, openGround, ourPlugin, startNode } from './nodes.ts';
import { makePods, openPlugin, type Plugin, removePods } from './plugins.ts';

export const cni: Bench = {
  name: 'cni',
  summary: 'ADD and DEL of a pod, whole process, against the plugins bridge and ptp with host-local',
  run: async (options) => {
    const ground = await openGround();
    try {
      return await measure(ground, options);
    } finally {
      await ground.close();
    }
  },
};

const sizes = [10, 50, 200];
const commands = ['ADD', 'DEL'] as const;
const contenders = ['netloom', 'bridge', 'ptp'] as const;
type Contender = (typeof contenders)[number];
const addAtMost = { bridge: 0.5, ptp: 0.8 };
const delAtMost = 0.8;

async function measure(ground: Ground, { quick, progress }: BenchOptions): Promise<Row[]> {
  const { node, plugins } = await openContenders(ground);
  const rounds = quick ? 30 : 200;
  const rows: Row[] = [];
  let pods = 0;
  for (const size of sizes) {
    await fill(ground, node, plugins, pods, size);
    pods = size;
    progress(`${size} pods on each node; ${rounds} rounds`);
    const taken = await takeRounds(ground, node, plugins, rounds, size);
    rows.push(...compare(taken, size));
  }
  for (const plugin of Object.values(plugins)) plugin.close();
  node.close();
  return rows;
}

/** Each on a node of its own, with its own pods only. */
async function openContenders(
  ground: Ground,
): Promise<{ readonly node: OurNode; readonly plugins: Record<Contender, Plugin> }> {
  const timer = await ground.compile('plugin-timer.c');
  for (const [index, netns] of contenders.entries()) {
    const net = `192.168.${66 + index}`;
    await ground.run(
      `ip netns add ${netns}; ip -n ${netns} link set lo up
      ip netns add wire-${netns}
      ip -n ${netns} link add eth0 type veth peer name eth0 netns wire-${netns}
      ip -n ${netns} addr add ${net}.11/24 dev eth0; ip -n ${netns} link set eth0 up
      ip -n wire-${netns} link set eth0 up
      ip -n ${netns} route add default via ${net}.1`,
    );
  }
  const node = await startNode(ground, { name: 'netloom', address: '192.168.66.11', block: '10.244.0.0/20' });
  const hostLocal = (subnet: string) => ({
    ipam: { type: 'host-local', ranges: [[{ subnet }]], routes: [{ dst: '0.0.0.0/0' }] },
  });
  const standard = (netns: Contender, config: Readonly<Record<string, unknown>>) =>
    openPlugin(ground, {
      timer,
      netns,
      executable: `/usr/lib/cni/${netns}`,
      config: { name: netns, type: netns, ...config },
    });
  const plugins = {
    netloom: await openPlugin(ground, {
      timer,
      netns: 'netloom',
      executable: ourPlugin,
      config: { name: 'netloom', type: 'netloom', socket: node.cniSocket },
    }),
    bridge: await standard('bridge', {
      bridge: 'cni0',
      isGateway: true,
      mtu: 1450,
      ...hostLocal('10.1.0.0/16'),
    }),
    ptp: await standard('ptp', { mtu: 1450, ...hostLocal('10.2.0.0/16') }),
  };
  return { node, plugins };
}

async function fill(
  ground: Ground,
  node: OurNode,
  plugins: Record<Contender, Plugin>,
  from: number,
  to: number,
): Promise<void> {
  for (const contender of contenders) {
    const names = Array.from({ length: to - from }, (_, i) => `${contender}-${from + i}`);
    await makePods(ground, names);
    if (contender === 'netloom') await node.know(names);
    for (const name of names) await plugins[contender].call('ADD', name);
  }
}

type Taken = Record<Contender, Record<(typeof commands)[number], number[]>>;

async function takeRounds(
  ground: Ground,
  node: OurNode,
  plugins: Record<Contender, Plugin>,
  rounds: number,
  size: number,
): Promise<Taken> {
  const taken = Object.fromEntries(
    contenders.map((each) => [each, { ADD: [], DEL: [] }]),
  ) as unknown as Taken;
  for (let round = 0; round < rounds; round++) {
    const names = contenders.map((contender) => `${contender}-${size}-${round}`);
    await makePods(ground, names);
    await node.know([names[contenders.indexOf('netloom')]!]);
    for (const command of commands) {
      // The turn goes round: what one leaves for the kernel to do after its exit meets each of the others as often.
      for (const step of contenders.keys()) {
        const index = (round + step) % contenders.length;
        const contender = contenders[index]!;
        taken[contender][command].push(await plugins[contender].call(command, names[index]!));
      }
    }
    await removePods(ground, names);
  }
  return taken;
}

function compare(taken: Taken, size: number): Row[] {
  return commands.flatMap((command) =>
    (['bridge', 'ptp'] as const).flatMap((other) => {
      const figures = [
        ['median', median],
        ['p99', (samples: readonly number[]) => percentile(samples, 99)],
      ] as const;
      return figures.map(([figure, of]) =>
        row({
          name: `${command} ${figure} vs ${other}`,
          size,
          value: of(taken.netloom[command]),
          unit: 'ms',
          against: { what: `${other} + host-local`, value: of(taken[other][command]) },
          goal: { of: 'ratio', atMost: command === 'ADD' ? addAtMost[other] : delAtMost },
        }),
      );
    }),
  );
}
