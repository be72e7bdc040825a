/** What Services cost the node: the load of all of them, one change among them, and a connection through one. */
import type { KubeObject } from '#api/object.ts';
import { createServiceCompiler } from '#compile/services/compile.ts';
import type { IntentChange, ServiceIntent } from '#intent/node.ts';
import { readEndpointSlice, readService } from '#model/service.ts';
import { type Bench, type BenchOptions, type Goal, type Row, row } from '#programs/cli/bench/row.ts';
import { median, percentile } from '#programs/cli/bench/statistics.ts';
import { kubeProxyLayout } from './kube-proxy-layout.ts';
import { type Ground, type OurNode, openGround, services, startNode } from './nodes.ts';
import { measureTraffic } from './services-traffic.ts';

export const serviceChanges: Bench = {
  name: 'services',
  summary: 'loading Services, changing one, and connections through one, against the layout of kube-proxy',
  run: async (options) => {
    const ground = await openGround();
    try {
      return [...(await measureChanges(ground, options)), ...(await measureTraffic(ground, options))];
    } finally {
      await ground.close();
    }
  },
};

const backends = 4;
/** The layout takes most of a minute to load at the largest. */
const sizesOf = (quick: boolean) => (quick ? [100, 1_000] : [100, 1_000, 10_000]);
/** So few that starting a process is most of it have no goal. */
const loadGoals: Readonly<Record<number, Goal>> = {
  1000: { of: 'ratio', atMost: 1 },
  10000: { of: 'ratio', atMost: 1 / 20 },
};
const layout = "kube-proxy's layout, nft -f";

async function measureChanges(ground: Ground, { quick, progress }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  let smallest: number | undefined;
  for (const [index, size] of sizesOf(quick).entries()) {
    const names = { ours: `node${index}`, theirs: `theirs${index}` };
    await ground.run(
      `for net in ${names.ours} ${names.theirs}; do
        ip netns add $net; ip -n $net link set lo up
        ip -n $net link add eth0 type bridge; ip -n $net addr add 192.168.70.11/24 dev eth0; ip -n $net link set eth0 up
      done`,
    );
    const node = await startNode(ground, {
      name: names.ours,
      address: '192.168.70.11',
      block: '10.244.0.0/24',
    });
    const all = services(size, 0, backends);
    const load = await timed(() => node.send({ services: all }));
    const { samples, empty } = await changes(node, all, quick ? 40 : 300);
    await ground.run(`cat >/tmp/layout.nft <<'END'\n${kubeProxyLayout(Object.values(all), 0, true)}END`);
    const theirLoad = await nftFile(ground, names.theirs, '/tmp/layout.nft');
    progress(
      `${size} Services: loaded in ${load.toFixed(0)} ms, as kube-proxy in ${theirLoad.toFixed(0)} ms`,
    );
    const theirs = await theirChanges(ground, names.theirs, size, quick ? 5 : 15);
    node.close();
    const one = median(samples);
    smallest ??= one;
    progress(`one change: ${one.toFixed(2)} ms, as kube-proxy ${theirs.toFixed(2)} ms`);
    const p99 = (values: readonly number[]) => percentile(values, 99);
    const figure = (name: string, value: number, what: string, reference: number, goal: Goal | undefined) =>
      rows.push(
        row({
          name,
          size,
          unit: 'ms',
          value,
          against: { what, value: reference },
          ...(goal === undefined ? {} : { goal }),
        }),
      );
    figure('load of all', load, layout, theirLoad, loadGoals[size]);
    figure('one change, event to kernel', one, layout, theirs, { of: 'value', atMost: 2 });
    // What a busy machine does to any two processes that talk shows in the reference.
    figure('one change, p99', p99(samples), 'an empty question to the datapath, p99', p99(empty), {
      of: 'value',
      atMost: 5,
    });
    figure('one change, growth', one, `${sizesOf(quick)[0]} Services`, smallest, {
      of: 'ratio',
      atMost: 1.5,
    });
  }
  return rows;
}

/** Rounds before those that count: a datapath that has run for a while is what a change meets. */
const warmUp = 100;

/**
 * Milliseconds from a watch event of an EndpointSlice, as it comes off the wire, until the kernel has it and the datapath has said
 * so: the model's reading, the compile, the handover, the engine. One endpoint of one Service is replaced each time.
 */
async function changes(
  node: OurNode,
  all: Readonly<Record<string, ServiceIntent>>,
  rounds: number,
): Promise<{ readonly samples: readonly number[]; readonly empty: readonly number[] }> {
  const compiler = createServiceCompiler();
  const list = Object.values(all);
  for (const [index, service] of list.entries()) {
    compiler.setService(`default/service-${index}`, readService(serviceObject(index, service)).value);
    compiler.setSlice(
      `default/slice-${index}`,
      readEndpointSlice(sliceObject(index, service.backends)).value,
    );
  }
  compiler.flush();
  const samples: number[] = [];
  const empty: number[] = [];
  for (let round = -warmUp; round < rounds; round++) {
    const index = Math.abs(round * 7919) % list.length;
    const moved = [
      ...list[index]!.backends.slice(1),
      { address: `10.201.${round >> 8}.${round & 255}`, port: 8080 },
    ];
    const event = JSON.stringify(sliceObject(index, moved));
    const taken = await timed(async () => {
      compiler.setSlice(`default/slice-${index}`, readEndpointSlice(JSON.parse(event) as KubeObject).value);
      const { put, remove } = compiler.flush() as Pick<IntentChange, 'put' | 'remove'>;
      await node.send(put, { remove });
    });
    const idle = await timed(() => node.client.status());
    if (round < 0) continue;
    samples.push(taken);
    empty.push(idle);
  }
  return { samples, empty };
}

/** A Service that comes, without the time of the shell and of nsenter: what nft itself took. */
async function theirChanges(ground: Ground, netns: string, size: number, rounds: number): Promise<number> {
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const number = size + round;
    const one = Object.values(services(1, number, backends));
    await ground.run(`cat >/tmp/one.nft <<'END'\n${kubeProxyLayout(one, number, false)}END`);
    samples.push(await nftFile(ground, netns, '/tmp/one.nft'));
  }
  return median(samples);
}

async function nftFile(ground: Ground, netns: string, file: string): Promise<number> {
  return (
    Number(await ground.run(`a=$(date +%s%N); nft -f ${file}; b=$(date +%s%N); echo $((b - a))`, netns)) / 1e6
  );
}

function serviceObject(index: number, { frontends }: ServiceIntent): KubeObject {
  const { address, port } = frontends[0]!;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: `service-${index}`, namespace: 'default' },
    spec: { clusterIP: address, clusterIPs: [address], ports: [{ name: 'http', port, protocol: 'TCP' }] },
  };
}

function sliceObject(index: number, places: ServiceIntent['backends']): KubeObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `slice-${index}`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': `service-${index}` },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: places.map(({ address }) => ({ addresses: [address], conditions: { ready: true } })),
  } as KubeObject;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
