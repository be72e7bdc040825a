/** Nodes that die in each way: within a second no Service sends to their pods, and they come back. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import type { DatapathStatus } from '#intent/handover.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, isLong, startCluster } from './cluster.ts';
import { type Asking, startAsking } from './failover-traffic.ts';
import { askDatapath, isReady, serviceIPs, startPods, systemPodOn } from './pods.ts';

let cluster: Cluster;
const asking: Asking[] = [];
const all = ['web-node2', 'web-node3'];
/** Long before the API server finds a node lost (40 s), and generous for a busy machine. */
const soon = 15_000;

beforeAll(async () => {
  cluster = await startCluster('failover', { nodes: 3 });
  const [client] = await startPods(cluster, [
    { name: 'client', node: 'node1' },
    ...['node2', 'node3'].map((node) => ({ name: `web-${node}`, node, app: 'web', image: 'netloom/echo' })),
  ]);
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      type: 'NodePort',
      ipFamilyPolicy: 'RequireDualStack',
      selector: { app: 'web' },
      ports: [
        { name: 'tcp', port: 81, targetPort: 8081, nodePort: 30_081 },
        { name: 'udp', protocol: 'UDP', port: 82, targetPort: 8082 },
      ],
    },
  } as KubeObject);
  const [host4 = '', host6 = ''] = await serviceIPs(cluster, 'web');
  const [node4 = ''] = await cluster.lab.addressesOf('node1');
  asking.push(
    await startAsking(cluster.lab, { where: 'node1', netns: client!.netns }, [
      { id: 'pod, IPv4', kind: 'requests', host: host4, port: 81 },
      { id: 'pod, IPv6', kind: 'requests', host: host6, port: 81 },
      { id: 'pod, UDP', kind: 'datagrams', host: host4, port: 82 },
    ]),
    await startAsking(cluster.lab, { where: 'outside' }, [
      { id: 'outside', kind: 'requests', host: node4, port: 30_081 },
    ]),
  );
  await back();
});

afterAll(async () => {
  for (const each of asking) each.stop();
  await cluster?.down();
});

const answered = (...pods: readonly string[]) =>
  Promise.all(asking.map((each) => each.answeredBy(pods, soon)));

async function back(deadline = 30_000): Promise<void> {
  await Promise.all(asking.map((each) => each.reaches(all, deadline)));
  await answered(...all);
}

const absent = async (node: string) =>
  (await askDatapath<DatapathStatus>(cluster.lab, node, '/v1/status')).absent?.map(
    ({ node: name, state }) => [name, state],
  );

function tell(what: string, since: number): void {
  if (!isLong) return;
  const times = asking.flatMap((each) => [...each.lastFailure(since)]);
  process.stderr.write(`${what}: ${times.map(([id, ms]) => `${id} ${ms ?? '-'} ms`).join(', ')}\n`);
}

async function readyEndpoints(): Promise<string> {
  const path = '{.items[*].endpoints[?(@.conditions.ready==true)].targetRef.name}';
  const argv = ['get', 'endpointslices', '-l', 'kubernetes.io/service-name=web', '-o', `jsonpath=${path}`];
  return (await cluster.kubectl(...argv)).stdout;
}

async function eventsOn(node: string): Promise<string> {
  const argv = ['get', 'events', '-A', '-o', 'jsonpath={.items[*].reason}'];
  return (await cluster.kubectl(...argv, '--field-selector', `involvedObject.name=${node}`)).stdout;
}

test.each(Array.from({ length: isLong ? 10 : 1 }, (_, i) => i + 1))(
  'the cable of a node is cut: nothing goes to its pods, until it is mended (%i)',
  async () => {
    const since = Date.now();
    await cluster.lab.cutCable('node3');
    await answered('web-node2');
    tell('cut', since);
    expect(await absent('node1')).toEqual([['node3', 'dead']]);
    // It isn't the API server that did this.
    expect(await readyEndpoints()).toContain('web-node3');
    expect(await absent('node3')).toEqual([]);
    await eventually(async () => expect(await eventsOn('node3')).toContain('NodeUnreachable'), soon);
    await cluster.lab.plugCable('node3');
    await back();
    expect(await absent('node1')).toEqual([]);
  },
);

test('a node whose power fails is missed as soon, and serves again after its start', async () => {
  const since = Date.now();
  await cluster.lab.removeNode('node2', { keepDisk: true });
  await answered('web-node3');
  tell('power', since);
  expect(await readyEndpoints()).toContain('web-node2');
  await cluster.lab.addNode('node2');
  await back(60_000);
}, 120_000);

test('a datapath that stands still is silent; its pods serve on', async () => {
  const since = Date.now();
  const pid = (
    await cluster.lab.exec('node3', ['pgrep', '-o', '-f', 'programs/datapath/main.ts'])
  ).stdout.trim();
  await cluster.lab.exec('node3', ['kill', '-STOP', pid]);
  await eventually(async () => expect(await absent('node1')).toEqual([['node3', 'silent']]), soon);
  await Promise.all(asking.map((each) => each.reaches(all, soon)));
  await cluster.lab.exec('node3', ['kill', '-CONT', pid]);
  await eventually(async () => expect(await absent('node1')).toEqual([]), soon);
  for (const each of asking)
    for (const [id, failed] of each.lastFailure(since)) expect([id, failed]).toEqual([id, undefined]);
});

test('a node that is frozen whole answers nothing but echoes: silent, not dead', async () => {
  await cluster.lab.freeze('node3');
  await eventually(async () => expect(await absent('node1')).toEqual([['node3', 'silent']]), soon);
  await cluster.lab.thaw('node3');
  await eventually(async () => expect(await absent('node1')).toEqual([]), soon);
  await back();
});

test('a busy machine kills nobody', async () => {
  const burn = 'for i in 1 2 3 4 5 6 7 8; do (timeout 8 sh -c "while :; do :; done" &) ; done; sleep 8';
  const burning = Promise.all(
    ['node1', 'node2', 'node3'].map((node) => cluster.lab.exec(node, ['sh', '-c', burn])),
  );
  const lookWhile = async () => {
    let done = false;
    void burning.then(() => {
      done = true;
    });
    while (!done) for (const node of ['node1', 'node2', 'node3']) expect(await absent(node)).toEqual([]);
  };
  await Promise.all([burning, lookWhile()]);
});

const virtual = '192.168.66.100';

async function answering(): Promise<string[]> {
  const nodes = await cluster.lab.nodes();
  const found = await Promise.all(
    nodes.map(async (node) => {
      const { answering = [] } = await askDatapath<DatapathStatus>(cluster.lab, node, '/v1/status');
      return answering.some(({ address }) => address === virtual) ? [node] : [];
    }),
  );
  return found.flat();
}

test("a balancer's address moves from a node that dies, back to it, and stays through a planned restart", async () => {
  const metadata = { name: 'wire', namespace: 'default' };
  const kind = (name: string, spec: object): KubeObject =>
    ({ apiVersion: 'metallb.io/v1beta1', kind: name, metadata, spec }) as KubeObject;
  await cluster.apply(kind('IPAddressPool', { addresses: [`${virtual}/32`] }), kind('L2Advertisement', {}), {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'balanced', namespace: 'default' },
    spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 81, targetPort: 8081 }] },
  } as KubeObject);
  const vip = await startAsking(cluster.lab, { where: 'outside' }, [
    { id: 'balanced', kind: 'requests', host: virtual, port: 81 },
  ]);
  asking.push(vip);
  await vip.reaches(all, 30_000);
  const [first = '', ...more] = await answering();
  expect(more).toEqual([]);

  let since = Date.now();
  await cluster.lab.cutCable(first);
  await vip.answeredBy(
    all.filter((name) => name !== `web-${first}`),
    soon,
  );
  tell(`announcer ${first} cut`, since);
  const left = (await answering()).filter((node) => node !== first);
  expect(left).toHaveLength(1);
  since = Date.now();
  await cluster.lab.plugCable(first);
  await eventually(async () => expect(await answering()).toEqual([first]), soon);
  tell(`announcer ${first} back`, since);
  await back();

  since = Date.now();
  const { metadata: old } = await systemPodOn(cluster.client, first);
  await cluster.kubectl('delete', 'pod', '-n', 'netloom-system', old.name);
  await eventually(async () => {
    const pod = await systemPodOn(cluster.client, first);
    expect(pod.metadata.uid).not.toBe(old.uid);
    expect(isReady(pod)).toBe(true);
  }, 60_000);
  await vip.reaches(all, soon);
  await eventually(async () => expect(await answering()).toEqual([first]), soon);
  expect([...vip.lastFailure(since)]).toEqual([['balanced', undefined]]);
}, 180_000);
