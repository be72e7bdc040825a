/** Whatever ends or restarts in the control plane, packets flow on: no ping is lost, no connection cut, no request refused. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DatapathStatus } from '#intent/handover.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { askDatapath, isReady, service, serviceIPs, startPods, systemPodOn } from './pods.ts';
import { type Flow, startTraffic, type Traffic } from './traffic.ts';

let cluster: Cluster;
let podTraffic: Traffic;
let nodeTraffic: Traffic;
const nodes = ['node1', 'node2'] as const;

beforeAll(async () => {
  cluster = await startCluster('continuity');
  await cluster.apply(service('echo', 'echo'));
  const [client, , far] = await startPods(cluster, [
    { name: 'client', node: 'node1' },
    { name: 'near', node: 'node1', app: 'echo', image: 'netloom/echo' },
    { name: 'far', node: 'node2', app: 'echo', image: 'netloom/echo' },
  ]);
  const [service4 = '', service6 = ''] = await serviceIPs(cluster, 'echo');
  const flows: Flow[] = [
    { id: 'ping IPv4', kind: 'ping', host: far!.ipv4, port: 0 },
    { id: 'ping IPv6', kind: 'ping', host: far!.ipv6, port: 0 },
    { id: 'TCP IPv4', kind: 'stream', host: far!.ipv4, port: 8081 },
    { id: 'TCP IPv6', kind: 'stream', host: far!.ipv6, port: 8081 },
    { id: 'TCP to a Service IPv4', kind: 'stream', host: service4, port: 81 },
    { id: 'TCP to a Service IPv6', kind: 'stream', host: service6, port: 81 },
    { id: 'requests to a Service IPv4', kind: 'requests', host: service4, port: 80 },
    { id: 'requests to a Service IPv6', kind: 'requests', host: service6, port: 80 },
  ];
  podTraffic = await startTraffic(cluster.lab, client!, flows);
  nodeTraffic = await startTraffic(cluster.lab, { node: 'node1' }, [
    { id: 'ping from the node IPv4', kind: 'ping', host: far!.ipv4, port: 0 },
    { id: 'ping from the node IPv6', kind: 'ping', host: far!.ipv6, port: 0 },
    { id: 'TCP from the node IPv4', kind: 'stream', host: far!.ipv4, port: 8081 },
    { id: 'TCP from the node IPv6', kind: 'stream', host: far!.ipv6, port: 8081 },
  ]);
  await proceed();
});

afterAll(async () => {
  podTraffic?.stop();
  nodeTraffic?.stop();
  await cluster?.down();
});

const proceed = (of?: (id: string) => boolean) =>
  Promise.all([podTraffic.proceed(of), nodeTraffic.proceed(of)]);
/** Each is told once. */
const told = new Set<string>();
const faults = (): string[] => {
  const fresh = [...podTraffic.faults(), ...nodeTraffic.faults()].filter((fault) => !told.has(fault));
  for (const fault of fresh) told.add(fault);
  return fresh;
};

const programs = { datapath: 'programs/datapath/main.ts', agent: 'programs/agent/main.ts' } as const;
type Program = keyof typeof programs;

/** Kills containers' processes and waits until Netloom's pod on the node is ready again. */
async function kill(node: string, ...victims: readonly Program[]): Promise<void> {
  const counts = await restarts(node);
  await cluster.lab.exec(node, ['pkill', '-KILL', '-f', victims.map((victim) => programs[victim]).join('|')]);
  await eventually(async () => {
    const now = await restarts(node);
    for (const victim of victims) expect(now[victim]).toBeGreaterThan(counts[victim] ?? 0);
    expect(isReady(await systemPodOn(cluster.client, node))).toBe(true);
    expect((await askDatapath<DatapathStatus>(cluster.lab, node, '/v1/status')).ready).toBe(true);
  }, 30_000);
}

async function restarts(node: string): Promise<Record<string, number>> {
  const { status } = await systemPodOn(cluster.client, node);
  return Object.fromEntries(
    (status?.containerStatuses ?? []).map(({ name, restartCount }) => [name, restartCount]),
  );
}

test.each<{ readonly victims: readonly Program[] }>([
  { victims: ['agent'] },
  { victims: ['datapath'] },
  { victims: ['agent', 'datapath'] },
])('SIGKILL of $victims on both nodes', async ({ victims }) => {
  for (const node of nodes) await kill(node, ...victims);
  await proceed();
  expect(faults()).toEqual([]);
});

test('an upgrade of the DaemonSet, node after node', async () => {
  const before = await Promise.all(nodes.map((node) => systemPodOn(cluster.client, node)));
  const restart = await cluster.kubectl(
    '-n',
    'netloom-system',
    'rollout',
    'restart',
    'daemonset/netloom-node',
  );
  expect(restart).toMatchObject({ code: 0 });
  const watch = await cluster.kubectl('-n', 'netloom-system', 'rollout', 'status', 'daemonset/netloom-node');
  expect(watch).toMatchObject({ code: 0 });
  const after = await Promise.all(nodes.map((node) => systemPodOn(cluster.client, node)));
  for (const [i, { metadata }] of after.entries()) expect(metadata.uid).not.toBe(before[i]?.metadata.uid);
  await proceed();
  expect(faults()).toEqual([]);
});

test.each(['apiserver', 'kubelet'] as const)('SIGKILL of the %s', async (name) => {
  const process = async () => (await cluster.lab.status()).processes.find((each) => each.name === name);
  const before = (await process())?.restarts ?? 0;
  await cluster.lab.restart(name);
  await eventually(async () => {
    expect(await process()).toMatchObject({ running: true, restarts: before + 1 });
    for (const node of nodes) expect(isReady(await systemPodOn(cluster.client, node))).toBe(true);
  }, 30_000);
  await proceed();
  // The cluster works on: a new pod gets its network.
  await startPods(cluster, [{ name: `after-${name}`, node: 'node2' }]);
  expect(faults()).toEqual([]);
});

test("somebody's nft flush ruleset is healed, and what stood open is told", async () => {
  expect(await cluster.lab.exec('node1', ['nft', 'flush', 'ruleset'])).toMatchObject({ code: 0 });
  await eventually(async () => {
    const { stdout } = await cluster.lab.exec('node1', ['nft', 'list', 'table', 'inet', 'netloom']);
    expect(stdout).toContain('chain guard');
    expect(stdout).toContain('numgen random');
  });
  // A connection to a Service may be cut meanwhile: its packets went untranslated.
  await proceed((id) => !id.startsWith('TCP to a Service'));
  const system = await systemPodOn(cluster.client, 'node1');
  await eventually(async () => {
    const { name } = system.metadata;
    const { stdout } = await cluster.kubectl('-n', 'netloom-system', 'logs', name, '-c', 'datapath');
    expect(stdout).toContain('the whole table was gone: nothing was guarded, translated or filtered');
  });
  // A Service address means nothing while nobody translates it; what needs no translation must not notice.
  expect(faults().filter((fault) => !fault.includes('Service'))).toEqual([]);
});
