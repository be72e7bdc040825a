/** Connections through a Service, against the same pair of pods direct and behind kube-proxy's layout. */
import type { ServiceIntent } from '#intent/node.ts';
import { type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { median, pairedRatio } from '#programs/cli/bench/statistics.ts';
import { kubeProxyLayout } from './kube-proxy-layout.ts';
import { take } from './load.ts';
import { type Ground, services } from './nodes.ts';
import { wireOurs } from './wiring.ts';

const kinds = { crr: 'short connections', rr: 'request/response' } as const;
type Kind = keyof typeof kinds;
type Series = Record<Kind, number[]>;

/** Never below it: what is behind the decimal point is noise between two nodes. */
const evenly = 0.97;

const virtual = { address: '10.96.255.1', port: 7000 };

/**
 * Two pods on one node of ours. Three ways between them: direct, through a Service among so many, and through the same Service as
 * kube-proxy writes it, on an equal node without Services of its own.
 */
export async function measureTraffic(ground: Ground, { quick, progress }: BenchOptions): Promise<Row[]> {
  const timer = await ground.compile('plugin-timer.c');
  const load = await ground.compile('load.c');
  const sizes = quick ? [10, 1_000] : [10, 10_000];
  const setups = [];
  for (const [index, size] of sizes.entries()) {
    const ours = await wireOurs(ground, { label: `so${index}`, services: size - 1, timer });
    const theirs = await wireOurs(ground, { label: `st${index}`, services: 0, timer });
    await ours.send({ services: { 'bench/target//4': target(ours.near.address) } });
    const list = [...Object.values(services(size - 1, 0, 4)), target(theirs.near.address)];
    await ground.run(`cat >/tmp/traffic.nft <<'END'\n${kubeProxyLayout(list, 0, true)}END`);
    await ground.run('nft -f /tmp/traffic.nft', `st${index}1`);
    progress(`two nodes with ${size} Services, one as kube-proxy has them`);
    const series = (): Series => ({ crr: [], rr: [] });
    setups.push({ size, ours, theirs, direct: series(), service: series(), layout: series() });
  }
  const rounds = quick ? 3 : 9;
  const milliseconds = quick ? 150 : 400;
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}`);
    for (const { ours, theirs, direct, service, layout } of setups) {
      const through = { address: virtual.address };
      const ways = [
        { series: direct, pair: ours.near },
        { series: service, pair: { ...ours.near, ...through } },
        { series: layout, pair: { ...theirs.near, ...through } },
      ];
      for (const kind of Object.keys(kinds) as Kind[]) {
        // In turns, so that none is always the one after another's noise.
        for (const step of ways.keys()) {
          const { series, pair } = ways[(round + step) % ways.length]!;
          series[kind].push(await take(ground, load, pair, kind, milliseconds));
        }
      }
    }
  }
  for (const { ours, theirs } of setups) {
    ours.close();
    theirs.close();
  }
  const [small] = setups;
  return setups.flatMap(({ size, direct, service, layout }) =>
    (Object.keys(kinds) as Kind[]).flatMap((kind) => {
      const against = (what: string, other: readonly number[], atLeast: number) =>
        row({
          name: `${kinds[kind]} through a Service vs ${what}`,
          size,
          unit: 'k/CPU-s',
          value: median(service[kind]) / 1e3,
          against: { what, value: median(other) / 1e3 },
          ratio: pairedRatio(service[kind], other),
          goal: { of: 'ratio', atLeast },
        });
      return [
        against('direct', direct[kind], 0.8),
        against("kube-proxy's layout", layout[kind], evenly),
        ...(size === small!.size ? [] : [against(`${small!.size} Services`, small!.service[kind], 0.95)]),
      ];
    }),
  );
}

function target(address: string): ServiceIntent {
  return {
    origin: { kind: 'Service', namespace: 'bench', name: 'target' },
    protocol: 'tcp',
    frontends: [virtual],
    backends: [{ address, port: 7000 }],
  };
}
