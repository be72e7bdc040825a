/** What Services cost the node's datapath: the load of all of them, and one change among them. */
import { type Bench, type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median } from '#programs/cli/bench/statistics.ts';
import { type Ground, type OurNode, openGround, services, startNode } from './nodes.ts';

export const serviceChanges: Bench = {
  name: 'services',
  summary:
    'loading 1,000 and 10,000 Services and changing one, against a chain a Service (as kube-proxy does)',
  run: async (options) => {
    const ground = await openGround();
    try {
      return await measure(ground, options);
    } finally {
      await ground.close();
    }
  },
};

const sizes = [1_000, 10_000];

async function measure(ground: Ground, { quick, progress }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [index, size] of sizes.entries()) {
    const names = { ours: `node${index}`, chains: `chains${index}` };
    await ground.run(
      `for net in ${names.ours} ${names.chains}; do
        ip netns add $net; ip -n $net link set lo up
        ip -n $net link add eth0 type bridge; ip -n $net addr add 192.168.70.11/24 dev eth0; ip -n $net link set eth0 up
      done`,
    );
    const node = await startNode(ground, {
      name: names.ours,
      address: '192.168.70.11',
      block: '10.244.0.0/24',
    });
    const all = services(size);
    const load = await timed(() => node.send({ services: all }));
    await ground.run(`cat >/tmp/chains.nft <<'END'\n${chains(0, size)}\nEND`);
    const loadChains = await timed(() => ground.run('nft -f /tmp/chains.nft', names.chains));
    progress(`${size} Services: loaded in ${load.toFixed(0)} ms, as chains in ${loadChains.toFixed(0)} ms`);
    const one = await changeOne(ground, { node, netns: names.chains, size, rounds: quick ? 5 : 15 });
    node.close();
    const what = 'a chain a Service, nft -f';
    const common = { size, unit: 'ms', goal: { of: 'ratio', atMost: 1 } } as const;
    rows.push(
      row({ ...common, name: 'load of all', value: load, against: { what, value: loadChains } }),
      row({ ...common, name: 'one Service comes', value: one.ours, against: { what, value: one.chains } }),
    );
  }
  return rows;
}

/** Milliseconds, medians of interleaved rounds. Ours goes the whole way through the datapath's socket. */
async function changeOne(
  ground: Ground,
  options: { readonly node: OurNode; readonly netns: string; readonly size: number; readonly rounds: number },
): Promise<{ ours: number; chains: number }> {
  const { node, netns, size, rounds } = options;
  const ours: number[] = [];
  const others: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const number = size + round;
    ours.push(await timed(() => node.send({ services: services(1, number) })));
    // Without the time of the shell and of nsenter: what nft itself took.
    const script = `cat >/tmp/one.nft <<'END'\n${chains(number, number + 1)}\nEND`;
    await ground.run(script);
    const began = await ground.run(
      'a=$(date +%s%N); nft -f /tmp/one.nft; b=$(date +%s%N); echo $((b - a))',
      netns,
    );
    others.push(Number(began) / 1e6);
  }
  return { ours: median(ours), chains: median(others) };
}

/** The layout of kube-proxy's nftables mode: a chain a Service with an anonymous map, a chain an endpoint. */
function chains(from: number, to: number): string {
  const entries = Object.values(services(to - from, from));
  const lines = [
    'add table inet chains',
    'add chain inet chains pre { type nat hook prerouting priority dstnat; }',
    'add map inet chains services { type ipv4_addr . inet_proto . inet_service : verdict; }',
    ...(from === 0 ? ['add rule inet chains pre ip daddr . meta l4proto . th dport vmap @services'] : []),
  ];
  for (const [index, service] of entries.entries()) {
    const number = from + index;
    const backends = service.backends.map((backend, slot) => {
      const name = `endpoint-${number}-${slot}`;
      lines.push(`add chain inet chains ${name}`);
      lines.push(
        `add rule inet chains ${name} meta l4proto tcp dnat ip to ${backend.address}:${backend.port}`,
      );
      return `${slot} : goto ${name}`;
    });
    lines.push(`add chain inet chains service-${number}`);
    lines.push(`add rule inet chains service-${number} numgen random mod 3 vmap { ${backends.join(', ')} }`);
    const frontend = service.frontends[0]!;
    lines.push(
      `add element inet chains services { ${frontend.address} . tcp . ${frontend.port} : goto service-${number} }`,
    );
  }
  return lines.join('\n');
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}
