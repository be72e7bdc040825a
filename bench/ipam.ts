/** Pods started and stopped by the lab, all at once: addresses a second, writes to the API, and what is left behind. */
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { DatapathStatus } from '#intent/handover.ts';
import { type Client, createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Lab } from '#lab/client.ts';
import { eventually } from '#lab/eventually.ts';
import { labDown } from '#lab/lifecycle.ts';
import { type Bench, type BenchOptions, type Row, row } from '#programs/cli/bench/row.ts';
import { clusterUp } from '#programs/cli/cluster.ts';
import { paths } from '#system/registry.ts';
import { writesDuring } from './api-writes.ts';

const lab = 'bench-ipam';
const nodes = ['node1', 'node2', 'node3'] as const;

export const ipam: Bench = {
  name: 'ipam',
  summary:
    '100, 300 and 1,000 pods started and stopped over three nodes: addresses a second, API writes, leaks',
  run: async (options) => {
    await labDown(lab);
    try {
      const shape = { nodes: nodes.length, family: 'dual', mode: 'overlay', mtu: 1500 } as const;
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

type Round = { readonly startSeconds: number; readonly stopSeconds: number };

async function measure(machine: Lab, client: Client, { quick, progress }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const size of quick ? [30, 100] : [100, 300, 1_000]) {
    const host = await round(client, size, true);
    let own: Round = host;
    const writes = await writesDuring(machine, client, nodes, async () => {
      own = await round(client, size, false);
    });
    const leaks = await leaked(machine);
    progress(
      `${size} pods started in ${own.startSeconds.toFixed(1)} s, stopped in ${own.stopSeconds.toFixed(1)} s`,
    );
    const figure = (name: string, mine: number, theirs: number): Row =>
      row({
        name,
        size,
        value: size / mine,
        unit: 'pods/s',
        against: { what: 'on the host network', value: size / theirs },
      });
    rows.push(
      figure('pods started, both families', own.startSeconds, host.startSeconds),
      figure('pods stopped', own.stopSeconds, host.stopSeconds),
      row({
        name: 'API writes of agents and controller per pod',
        size,
        value: writes / size,
        unit: 'writes',
        // A plugin that keeps its addresses in the API writes each of them there.
        against: { what: 'one object a pod', value: 1 },
      }),
      row({
        name: 'addresses and devices left behind',
        size,
        value: leaks,
        unit: 'leaks',
        against: { what: 'addresses given', value: 2 * size },
        goal: { of: 'value', atMost: 0 },
      }),
    );
  }
  return rows;
}

type PodObject = KubeObject & { readonly status?: { readonly phase?: string } };

/** All at once, until the last one runs; then all away, until the last one is gone. */
async function round(client: Client, count: number, hostNetwork: boolean): Promise<Round> {
  const names = Array.from({ length: count }, (_, index) => `one-${index}`);
  const started = performance.now();
  await Promise.all(
    names.map((name, index) =>
      client.create(podType, podObject(name, nodes[index % nodes.length]!, hostNetwork)),
    ),
  );
  await eventually(
    async () => {
      const { items } = await client.list<PodObject>(podType, { namespace: 'default' });
      const running = items.filter(({ status }) => status?.phase === 'Running').length;
      if (running < count) throw new Error(`${running} of ${count} pods run`);
    },
    600_000,
    200,
  );
  const up = performance.now();
  await Promise.all(names.map((name) => client.delete(podType, name, { namespace: 'default' })));
  await eventually(
    async () => {
      const { items } = await client.list<PodObject>(podType, { namespace: 'default' });
      if (items.length > 0) throw new Error(`${items.length} pods are still there`);
    },
    600_000,
    200,
  );
  return { startSeconds: (up - started) / 1000, stopSeconds: (performance.now() - up) / 1000 };
}

/** Addresses that datapaths still hold, and pod devices that are still there, while no ordinary pod is. */
async function leaked(machine: Lab): Promise<number> {
  let found = 0;
  for (const node of nodes) {
    await eventually(async () => {
      const { blocks, strays, tunnelAddresses, endpoints } = await statusOf(machine, node);
      const script = 'ls /sys/class/net | grep -c ^nlp || true';
      const devices = Number((await machine.exec(node, ['sh', '-c', script])).stdout);
      const assigned = blocks.reduce((sum, block) => sum + block.assigned, 0);
      // Cluster DNS and the like have pods of their own: each is an endpoint.
      const wanted = endpoints * familyCount + tunnelAddresses.length;
      found = assigned + strays.length - wanted + (devices - endpoints);
      if (found !== 0) throw new Error(`${found} left on ${node}`);
    }, 20_000).catch(() => {});
    if (found !== 0) return found;
  }
  return 0;
}

const familyCount = 2;

async function statusOf(machine: Lab, node: string): Promise<DatapathStatus> {
  const argv = ['curl', '-sf', '--unix-socket', paths.datapathSocket.value, 'http://datapath/v1/status'];
  const { code, stdout } = await machine.exec(node, argv);
  if (code !== 0) throw new Error(`the datapath of ${node} does not answer: curl ${code}`);
  return JSON.parse(stdout) as DatapathStatus;
}

function podObject(name: string, node: string, hostNetwork: boolean): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: {
      nodeName: node,
      hostNetwork,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'main', image: 'netloom/node', command: ['sleep', '3600'] }],
    },
  } as KubeObject;
}
