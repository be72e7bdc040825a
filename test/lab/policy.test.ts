/** Network policy with real packets: who reaches whom, from the first millisecond on, whatever changes, dies or joins. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Node, namespaceType, nodeType, podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { isReady, type PodAt, type PodObject, pod, startPods, systemPodOn } from './pods.ts';
import { startTraffic } from './traffic.ts';

let cluster: Cluster;
/** In namespace shop, which is closed: only friends get through to it. In namespace plain nothing is. */
let server: PodAt;
let open: PodAt;
const clients = new Map<string, PodAt>();

beforeAll(async () => {
  cluster = await startCluster('policy', {
    nodeLease: { seconds: 8, renewSeconds: 1, marginSeconds: 1 },
  });
  for (const name of ['shop', 'plain'])
    await cluster.client.create(namespaceType, { metadata: { name } } as KubeObject);
  await cluster.apply(
    policy('closed', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
    policy('server', {
      podSelector: { matchLabels: { app: 'server' } },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [{ podSelector: { matchLabels: { app: 'friend' } } }],
          ports: [{ protocol: 'TCP', port: 8080, endPort: 8081 }],
        },
      ],
    }),
    policy('clients', {
      podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['friend', 'stranger'] }] },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: { matchLabels: { app: 'server' } } }] }],
    }),
  );
  const shop = { namespace: 'shop' };
  const pods = await startPods(cluster, [
    { ...shop, name: 'server', node: 'node1', image: 'netloom/echo' },
    { namespace: 'plain', name: 'open', node: 'node1', image: 'netloom/echo' },
    { ...shop, name: 'near-friend', node: 'node1', app: 'friend' },
    { ...shop, name: 'far-friend', node: 'node2', app: 'friend' },
    { ...shop, name: 'near-stranger', node: 'node1', app: 'stranger' },
    { ...shop, name: 'far-stranger', node: 'node2', app: 'stranger' },
  ]);
  for (const each of pods) clients.set(each.name, each);
  server = client('server');
  open = client('open');
});

afterAll(() => cluster?.down());

const client = (name: string): PodAt => {
  const found = clients.get(name);
  if (found === undefined) throw new Error(`no pod ${name}`);
  return found;
};

function policy(name: string, spec: object): KubeObject {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: 'shop' },
    spec,
  };
}

async function kubectl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

type Outcome = 'reached' | 'dropped' | 'refused';

/** One new connection. */
async function connect(from: PodAt, address: string, port = 8080, seconds = 1): Promise<Outcome> {
  const script = `exec 3<>/dev/tcp/${address}/${port}`;
  const argv = ['ip', 'netns', 'exec', from.netns, 'timeout', String(seconds), 'bash', '-c', script];
  const { code } = await cluster.lab.exec(from.node, argv);
  if (code === 0) return 'reached';
  return code === 124 ? 'dropped' : 'refused';
}

async function outcomes(from: PodAt, to: PodAt, port = 8080, seconds = 1): Promise<string> {
  const both = await Promise.all([to.ipv4, to.ipv6].map((address) => connect(from, address, port, seconds)));
  return [...new Set(both)].join(' and ');
}

/** Milliseconds until it holds. */
async function elapsed(condition: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await eventually(condition, 15_000, 5);
  return performance.now() - start;
}

const relabel = (name: string, app: string) =>
  cluster.client.patch(
    podType,
    { name, namespace: 'shop' },
    { kind: 'merge', body: { metadata: { labels: { app } } } },
  );

test('a closed namespace opens to those that a policy names, near and far, in both families', async () => {
  for (const name of ['near-friend', 'far-friend']) {
    expect(await outcomes(client(name), server), name).toBe('reached');
    expect(await outcomes(client(name), server, 8081), name).toBe('reached');
    // Not its port, and not what it may ask.
    expect(await outcomes(client(name), server, 8083), name).toBe('dropped');
    expect(await outcomes(client(name), open), name).toBe('dropped');
  }
  for (const name of ['near-stranger', 'far-stranger'])
    expect(await outcomes(client(name), server), name).toBe('dropped');
  expect(await outcomes(server, open)).toBe('dropped');
  expect(await outcomes(open, server)).toBe('dropped');
});

test('a Service is judged by the pod behind it; the kubelet reaches its pods', async () => {
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'server', namespace: 'shop' },
    spec: {
      ipFamilyPolicy: 'RequireDualStack',
      selector: { app: 'server' },
      ports: [{ port: 80, targetPort: 8080 }],
    },
  });
  const text = await kubectl('-n', 'shop', 'get', 'service', 'server', '-o', 'jsonpath={.spec.clusterIPs}');
  for (const address of JSON.parse(text) as string[]) {
    await eventually(async () => expect(await connect(client('far-friend'), address, 80)).toBe('reached'));
    expect(await connect(client('far-stranger'), address, 80)).toBe('dropped');
  }
  const argv = (address: string) => ['timeout', '1', 'bash', '-c', `exec 3<>/dev/tcp/${address}/8080`];
  for (const address of [server.ipv4, server.ipv6])
    expect((await cluster.lab.exec('node1', argv(address))).code, address).toBe(0);
});

test('a label that changes opens and closes within a second, for connections that stand, too', async () => {
  const stranger = client('far-stranger');
  await relabel('far-stranger', 'friend');
  const opened = await elapsed(async () =>
    expect(await outcomes(stranger, server, 8080, 0.2)).toBe('reached'),
  );
  const flows = [server.ipv4, server.ipv6].map(
    (host) => ({ id: host, kind: 'stream', host, port: 8081 }) as const,
  );
  const kept = await startTraffic(cluster.lab, client('near-friend'), flows);
  const cut = await startTraffic(cluster.lab, stranger, flows);
  try {
    await Promise.all([kept.proceed(), cut.proceed()]);
    await relabel('far-stranger', 'stranger');
    const closed = await elapsed(async () =>
      expect(await outcomes(stranger, server, 8080, 0.2)).toBe('dropped'),
    );
    expect(Math.max(opened, closed)).toBeLessThan(1_000);
    await kept.proceed();
    expect(kept.faults()).toEqual([]);
    const stands = ({ id }: { readonly id: string }) => cut.proceed((each) => each === id);
    await Promise.all(flows.map((flow) => expect(stands(flow)).rejects.toThrow('answers')));
  } finally {
    kept.stop();
    cut.stop();
  }
}, 60_000);

/** Tries from its first millisecond on, for some seconds, and fails if any attempt gets through. */
function attempting(name: string, targets: readonly PodAt[], more: object = {}): KubeObject {
  const attempts = targets
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
    .map(
      (address) =>
        `(timeout 0.5 bash -c 'exec 3<>/dev/tcp/${address}/8080' 2>/dev/null && echo ${address} >> /tmp/reached) &`,
    )
    .join('\n');
  const script = `for i in $(seq 40); do\n${attempts}\nsleep 0.05\ndone\nwait\n! cat /tmp/reached`;
  const base = pod({ name, namespace: 'shop', node: 'node2', app: 'new' });
  return {
    ...base,
    metadata: { ...base.metadata, ...more },
    spec: {
      ...(base['spec'] as object),
      restartPolicy: 'Never',
      containers: [{ name: 'main', image: 'netloom/client', command: ['bash', '-c', script] }],
    },
  };
}

async function endOf(namespace: string, name: string): Promise<string> {
  const { status } = await eventually(async () => {
    const found = await cluster.client.get<PodObject>(podType, name, namespace);
    if (!['Succeeded', 'Failed'].includes(found.status?.phase ?? '')) throw new Error(`${name} still runs`);
    return found;
  }, 60_000);
  return status?.phase ?? '';
}

test('policy holds before the first packet of a new pod, twenty times over', async () => {
  const names = Array.from({ length: 20 }, (_, i) => `new${i}`);
  for (let i = 0; i < names.length; i += 5) {
    const some = names.slice(i, i + 5);
    // One to what is closed by its ingress, one to what only the new pod's own egress closes.
    await cluster.apply(...some.map((name) => attempting(name, [server, open])));
    for (const name of some) {
      const phase = await endOf('shop', name);
      const log = phase === 'Succeeded' ? '' : await kubectl('-n', 'shop', 'logs', name);
      expect(`${name} ${phase} ${log}`).toBe(`${name} Succeeded `);
    }
  }
  // The same attempts get through where nothing is closed.
  const control = attempting('control', [open]);
  await cluster.apply({ ...control, metadata: { ...control.metadata, namespace: 'plain' } });
  expect(await endOf('plain', 'control')).toBe('Failed');
}, 180_000);

test('an address that was a friend’s opens nothing to whoever has it next', async () => {
  const annotations = { 'netloom.dev/addresses': '10.244.250.7+fd10:244::fa07' };
  const friend = pod({ name: 'leaver', namespace: 'shop', node: 'node2', app: 'friend' });
  await cluster.apply({ ...friend, metadata: { ...friend.metadata, annotations } });
  const at = await eventually(async () => {
    const found = await cluster.client.get<PodObject>(podType, 'leaver', 'shop');
    expect(isReady(found)).toBe(true);
    return found.status?.podIPs?.map(({ ip }) => ip);
  }, 30_000);
  expect(at).toEqual(['10.244.250.7', 'fd10:244::fa07']);
  await cluster.client.delete(podType, 'leaver', { namespace: 'shop' });
  await eventually(async () =>
    expect(await kubectl('-n', 'shop', 'get', 'pod', 'leaver', '--ignore-not-found')).toBe(''),
  );
  // Of its own name, so that the address needn't rest first.
  await cluster.apply(attempting('leaver', [server], { annotations, labels: { app: 'stranger' } }));
  expect(await endOf('shop', 'leaver')).toBe('Succeeded');
}, 90_000);

test('SIGKILL of the agent: what is allowed flows on, what is forbidden stays so', async () => {
  const flows = [server.ipv4, server.ipv6].map(
    (host) => ({ id: host, kind: 'stream', host, port: 8081 }) as const,
  );
  const traffic = await startTraffic(cluster.lab, client('far-friend'), flows);
  try {
    await traffic.proceed();
    let trying = true;
    const attempts = (async () => {
      const seen = new Set<string>();
      while (trying) {
        for (const from of ['near-stranger', 'far-stranger'])
          seen.add(await outcomes(client(from), server, 8080, 0.3));
      }
      return [...seen];
    })();
    for (const node of ['node1', 'node2']) {
      const before = await restarts(node);
      await cluster.lab.exec(node, ['pkill', '-KILL', '-f', 'programs/agent/main.ts']);
      await eventually(async () => {
        expect(await restarts(node)).toBeGreaterThan(before);
        expect(isReady(await systemPodOn(cluster.client, node))).toBe(true);
      }, 30_000);
    }
    await traffic.proceed();
    trying = false;
    expect(await attempts).toEqual(['dropped']);
    expect(traffic.faults()).toEqual([]);
    expect(await outcomes(client('far-friend'), server)).toBe('reached');
  } finally {
    traffic.stop();
  }
}, 120_000);

async function restarts(node: string): Promise<number> {
  const { status } = await systemPodOn(cluster.client, node);
  return status?.containerStatuses?.find(({ name }) => name === 'agent')?.restartCount ?? 0;
}

test('a node that joins holds to the policies from its first pod on', async () => {
  await cluster.lab.addNode('node3');
  // A pod of a node that the API doesn't know is collected.
  await eventually(() => cluster.client.get(nodeType, 'node3'));
  const shop = { namespace: 'shop', node: 'node3' };
  const [friend, stranger] = await startPods(cluster, [
    { ...shop, name: 'joined-friend', app: 'friend' },
    { ...shop, name: 'joined-stranger', app: 'stranger' },
  ]);
  await eventually(async () => expect(await outcomes(friend!, server)).toBe('reached'));
  expect(await outcomes(stranger!, server)).toBe('dropped');
  expect(await outcomes(friend!, open)).toBe('dropped');
});

test('a user sees with kubectl where a policy is in force, what is wrong with it and what in it can not work', async () => {
  const object = (priority: number, more: readonly object[] = []) => ({
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: 'no-bank' },
    spec: {
      tier: 'Admin',
      priority,
      subject: { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } } },
      egress: [{ name: 'bank', action: 'Deny', to: [{ networks: ['203.0.113.0/24'] }] }, ...more],
    },
  });
  const describe = () => kubectl('describe', 'clusternetworkpolicy', 'no-bank');
  await cluster.apply(object(10));
  const inForce = (generation: number) =>
    new RegExp(`on 3 of 3 nodes that need it, since generation ${generation}; selects \\d+ pods: shop/`);
  await eventually(async () => expect(await describe()).toMatch(inForce(1)), 30_000);
  expect(await describe()).toMatch(/Reason: +Accepted/);
  expect(await kubectl('get', 'cnp')).toMatch(/no-bank +Admin +10 +True /);
  await cluster.apply(object(11));
  await eventually(async () => expect(await describe()).toMatch(inForce(2)), 30_000);
  const version = () =>
    kubectl('get', 'clusternetworkpolicy', 'no-bank', '-o', 'jsonpath={.metadata.resourceVersion}');
  const settled = await version();
  // Nothing is written while nothing changes: a node's next renewals are no news.
  const lease = () =>
    kubectl('-n', 'netloom-system', 'get', 'lease', 'node-node1', '-o', 'jsonpath={.spec.renewTime}');
  const renewed = await lease();
  await eventually(async () => expect(await lease()).not.toBe(renewed));
  expect(await version()).toBe(settled);
  await cluster.apply(object(11, [{ action: 'Deny', to: [{ domainNames: ['example.org'] }] }]));
  await eventually(async () => {
    const text = await describe();
    expect(text).toMatch(/Reason: +NotSupported/);
    expect(text).toMatch(/spec\.egress\[1\]\.to\[0\].*; what else it says is used/);
    expect(text).toMatch(/Warning +NotSupported .*netloom\.dev\/controller/);
  }, 30_000);
  await kubectl('delete', 'clusternetworkpolicy', 'no-bank');
  // A NetworkPolicy has no status: what is wrong with it is an event.
  await cluster.apply(policy('half', { podSelector: {}, policyTypes: ['Ingress'], egress: [{}] }));
  await eventually(async () =>
    expect(await kubectl('-n', 'shop', 'events', '--for', 'networkpolicy/half')).toMatch(
      /Warning +WithoutEffect +NetworkPolicy\/half +spec\.egress: has no effect/,
    ),
  );
}, 120_000);

test('a pod reaches its node by whatever address, and rules about nodes hold at all of them', async () => {
  const stranger = client('near-stranger');
  const add = async (node: string, ...argv: readonly string[]) =>
    expect((await cluster.lab.exec(node, ['ip', 'address', 'add', ...argv])).code).toBe(0);
  // Nobody serves the port: who is refused there has passed.
  const own = ['169.254.20.10', '192.168.66.211'];
  const far = ['192.168.66.212', '192.168.66.213'];
  expect(await connect(stranger, '192.168.66.11')).toBe('refused');
  for (const address of own) await add('node1', `${address}/32`, 'dev', 'lo');
  for (const address of far) await add('node2', `${address}/32`, 'dev', 'lo');
  for (const address of far)
    for (const from of ['node1', 'router'])
      await cluster.lab.exec(from, ['ip', 'route', 'add', `${address}/32`, 'via', '192.168.66.12']);
  const node2 = await cluster.client.get(nodeType, 'node2');
  const { addresses = [], ...status } = (node2 as Node).status ?? {};
  const more = [
    { type: 'ExternalIP', address: far[0] },
    { type: 'InternalIP', address: far[1] },
  ];
  await cluster.client.updateStatus(nodeType, {
    ...node2,
    status: { ...status, addresses: [...addresses, ...more] },
  } as KubeObject);
  await eventually(async () => {
    for (const address of own) expect(await connect(stranger, address), address).toBe('refused');
  }, 30_000);
  for (const address of ['192.168.66.12', ...far]) {
    expect(await connect(stranger, address), address).toBe('dropped');
    expect(await connect(open, address), address).toBe('refused');
  }
  await cluster.apply({
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name: 'no-nodes' },
    spec: {
      tier: 'Admin',
      priority: 1,
      subject: { namespaces: {} },
      egress: [
        { action: 'Accept', to: [{ networks: ['192.168.66.211/32', '192.168.66.213/32'] }] },
        { action: 'Deny', to: [{ nodes: {} }] },
      ],
    },
  } as KubeObject);
  await eventually(async () => {
    for (const from of [stranger, open])
      for (const address of ['192.168.66.11', '192.168.66.12', own[0]!, far[0]!])
        expect(await connect(from, address), address).toBe('dropped');
  });
  for (const address of [own[1]!, far[1]!]) expect(await connect(open, address), address).toBe('refused');
  await kubectl('delete', 'clusternetworkpolicy', 'no-nodes');
});
