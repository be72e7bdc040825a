/** Addresses under fire: many pods at once, processes killed, a journal cut, a Subnet exhausted; never one for two. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { namespaceType, podType } from '#api/core.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { paths, ports } from '#system/registry.ts';
import { type Audit, expectNoLeak, startAudit } from './address-audit.ts';
import { type Cluster, isLong, startCluster } from './cluster.ts';
import { isReady, type PodObject, pod, startPods } from './pods.ts';

let cluster: Cluster;
let audit: Audit;
const nodes = ['node1', 'node2', 'node3'] as const;

beforeAll(async () => {
  // A lease that needs no renewal while agents' writes are counted.
  const nodeLease = { seconds: 600, renewSeconds: 300, marginSeconds: 1 };
  cluster = await startCluster('addresses', { nodes: nodes.length, nodeLease });
  audit = startAudit(cluster, nodes);
});

afterAll(async () => {
  await audit?.stop();
  await cluster?.down();
});

/** Requests other than reads that the agents sent since they started. */
async function agentWrites(): Promise<number> {
  const texts = await Promise.all(
    nodes.map((node) =>
      cluster.lab.exec(node, ['curl', '-sS', `http://localhost:${ports.agentMetrics.value}/metrics`]),
    ),
  );
  const lines = texts.flatMap(({ stdout }) => stdout.split('\n'));
  const writes = lines.filter((line) =>
    /^rest_client_requests_total\{.*method="(?:POST|PUT|PATCH|DELETE)"/.test(line),
  );
  expect(lines.some((line) => line.startsWith('rest_client_requests_total'))).toBe(true);
  return writes.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function allReady(namespace: string, count: number, timeoutMs = 60_000): Promise<readonly PodObject[]> {
  return eventually(
    async () => {
      const { items } = await cluster.client.list<PodObject>(podType, { namespace });
      const ready = items.filter(isReady);
      if (ready.length < count) {
        const late = items.find((each) => !isReady(each));
        throw new Error(
          `${ready.length} of ${count} pods are ready; ${late?.metadata.name}: ${JSON.stringify(late?.status)}`,
        );
      }
      return ready;
    },
    timeoutMs,
    200,
  );
}

async function removePods(namespace: string, timeoutMs = 60_000): Promise<void> {
  const { items } = await cluster.client.list<PodObject>(podType, { namespace });
  await Promise.all(
    items.map(({ metadata }) => cluster.client.delete(podType, metadata.name, { namespace })),
  );
  await eventually(
    async () => expect((await cluster.client.list(podType, { namespace })).items).toHaveLength(0),
    timeoutMs,
    200,
  );
}

const noLeak = () => eventually(() => expectNoLeak(cluster, nodes), 20_000);

async function makeNamespace(name: string, labels: Record<string, string> = {}): Promise<void> {
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  const serviceAccounts: ResourceType = {
    group: '',
    version: 'v1',
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    namespaced: true,
  };
  await eventually(() => cluster.client.get(serviceAccounts, 'default', name));
}

test('pods that start cost their agents no write to the API', async () => {
  const before = await agentWrites();
  await startPods(
    cluster,
    Array.from({ length: 24 }, (_, i) => ({ name: `quiet-${i}` })),
  );
  expect((await agentWrites()) - before).toBe(0);
  await removePods('default');
});

test('a namespace of a team has its own Subnet, on plain routes beside the tunnel', async () => {
  await cluster.applyExample('team-subnet.yaml');
  await makeNamespace('blue', { team: 'blue' });
  const [one, two, plain] = await startPods(cluster, [
    { name: 'one', node: 'node1', namespace: 'blue' },
    { name: 'two', node: 'node2', namespace: 'blue' },
    { name: 'plain', node: 'node3' },
  ]);
  for (const { ipv4, ipv6 } of [one!, two!]) {
    expect(ipv4).toMatch(/^10\.20\./);
    expect(ipv4).not.toMatch(/^10\.20\.0\.[1-9]$/);
    expect(ipv6).toBe('');
  }
  for (const [from, to] of [
    [one!, two!],
    [two!, plain!],
    [plain!, one!],
  ] as const) {
    const argv = ['ip', 'netns', 'exec', from.netns, 'ping', '-n', '-c1', '-W2', to.ipv4];
    expect(await cluster.lab.exec(from.node, argv), `${from.name} → ${to.name}`).toMatchObject({ code: 0 });
  }
  await removePods('blue');
  await removePods('default');
});

const tiny = 'tiny';

test('a pod of an exhausted Subnet waits, and its event names the Subnet', async () => {
  const spec = { cidrs: ['10.30.0.0/30'], blockSizes: { ipv4: 30 }, namespaces: [tiny] };
  const metadata = { name: tiny };
  await cluster.apply({ apiVersion: apiVersionOf(subnetKind), kind: 'Subnet', metadata, spec } as KubeObject);
  await makeNamespace(tiny);
  await cluster.apply(...[1, 2, 3].map((i) => pod({ name: `tiny-${i}`, namespace: tiny, node: 'node1' })));
  // The first and the last address of a prefix are nobody's.
  const ready = await allReady(tiny, 2, 20_000);
  expect(ready).toHaveLength(2);
  await eventually(async () => {
    const { stdout } = await cluster.kubectl(
      '-n',
      tiny,
      'get',
      'events',
      '-o',
      'jsonpath={.items[*].message}',
    );
    expect(stdout).toContain(`Subnet ${tiny}`);
  }, 20_000);
  // Its address rests for a while; the last test looks whether the one that waits has got it.
  await cluster.client.delete(podType, ready[0]!.metadata.name, { namespace: tiny });
});

const rounds = isLong ? 15 : 2;
const storm = isLong ? 60 : 30;

test.each(Array.from({ length: rounds }, (_, i) => i + 1))(
  'a storm of pods while agents and datapaths are killed, round %i',
  { timeout: 180_000 },
  async (round) => {
    const names = Array.from({ length: storm }, (_, i) => `storm-${round}-${i}`);
    await cluster.apply(...names.map((name) => pod({ name, namespace: 'default' })));
    for (let i = 0; i < nodes.length * 2; i++) {
      const node = nodes[(round + i) % nodes.length]!;
      const victim = ['datapath', 'agent', '(datapath|agent)'][(round + i) % 3];
      await cluster.lab.exec(node, ['pkill', '-KILL', '-f', `programs/${victim}/main.ts`]);
    }
    // The disk loses the end of what it had acknowledged.
    const journal = paths.journal.value;
    // Spelt so that the shell's own command line does not match.
    const datapath = '[p]rograms/datapath/main.ts';
    const cut = `pkill -STOP -f ${datapath}; truncate -s -33 ${journal}; pkill -KILL -f ${datapath}`;
    await cluster.lab.exec(nodes[round % nodes.length]!, ['sh', '-c', cut]);
    await allReady('default', storm, 120_000);
    await removePods('default');
    await noLeak();
    expect(audit.faults()).toEqual([]);
  },
);

test('at the end nothing was ever doubled, nothing leaks, and the pod that waited runs', async () => {
  await allReady(tiny, 2, 50_000);
  await removePods(tiny);
  await noLeak();
  expect(audit.rounds()).toBeGreaterThan(10);
  expect(audit.faults()).toEqual([]);
  // A namespace that goes, and a Subnet that nobody uses any more: neither hangs.
  await cluster.client.delete(namespaceType, tiny);
});
