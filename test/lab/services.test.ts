/** Published Services as a user has them: a balancer's address, its health check, zones, and kube-proxy beside. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster('services');
  for (const [node, zone] of [
    ['node1', 'a'],
    ['node2', 'b'],
  ] as const) {
    await kubectl('label', 'node', node, `topology.kubernetes.io/zone=${zone}`);
  }
  await cluster.apply(
    ...['node1', 'node2'].map((node) => echo(`web-${node}`, node, { app: 'web' })),
    echo('only-node2', 'node2', { app: 'only' }),
    service('zonal', { selector: { app: 'web' }, trafficDistribution: 'PreferClose' }),
    service('balanced', {
      type: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      selector: { app: 'only' },
      loadBalancerSourceRanges: ['192.168.66.0/24', 'fd66::/64'],
    }),
  );
  await kubectl('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s');
  const ingress = [{ ip: '203.0.113.7', ipMode: 'VIP' }, { ip: '2001:db8::7' }];
  const status = JSON.stringify({ status: { loadBalancer: { ingress } } });
  await kubectl('patch', 'service', 'balanced', '--subresource=status', '--type=merge', '-p', status);
  for (const [address, via] of [
    ['203.0.113.7/32', await nodeAddress('node2', 4)],
    ['2001:db8::7/128', await nodeAddress('node2', 6)],
  ] as const) {
    const { code, stderr } = await cluster.lab.exec('outside', ['ip', 'route', 'add', address, 'via', via]);
    expect(stderr, `${code}`).toBe('');
  }
});

afterAll(() => cluster?.down());

async function kubectl(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
}

const nodeAddress = async (node: string, family: 4 | 6): Promise<string> => {
  const found = (await cluster.lab.addressesOf(node)).find((each) => each.includes(':') === (family === 6));
  if (found === undefined) throw new Error(`${node} has no IPv${family} address`);
  return found;
};
const hostPort = (host: string, port: number | string) =>
  `http://${host.includes(':') ? `[${host}]` : host}:${port}/`;

/** What the echo server says to the outside, or undefined when nothing comes. */
async function fromOutside(url: string): Promise<{ pod: string; client: string } | undefined> {
  const { code, stdout } = await cluster.lab.exec('outside', ['curl', '-s', '--max-time', '2', url]);
  if (code !== 0) return undefined;
  const { pod, remote } = JSON.parse(stdout) as { pod: string; remote: { address: string } };
  return { pod, client: remote.address.replace(/^::ffff:/, '') };
}

function echo(name: string, nodeName: string, labels: Readonly<Record<string, string>>): KubeObject {
  const containers = [
    {
      name: 'main',
      image: 'netloom/echo',
      env: [{ name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    },
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels },
    spec: { nodeName, containers },
  };
}

function service(name: string, spec: object): KubeObject {
  const ports = [{ port: 80, targetPort: 8080 }];
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { ipFamilyPolicy: 'PreferDualStack', ports, ...spec },
  };
}

test('a Service that prefers near endpoints stays in the zone of the client', async () => {
  const addresses = JSON.parse(
    await kubectl('get', 'service', 'zonal', '-o', 'jsonpath={.spec.clusterIPs}'),
  ) as string[];
  for (const node of ['node1', 'node2']) {
    for (const address of addresses) {
      await eventually(async () => {
        const pods = new Set<string>();
        for (let i = 0; i < 8; i++) {
          const { stdout } = await cluster.lab.exec(node, ['curl', '-s', '-m', '2', hostPort(address, 80)]);
          pods.add((JSON.parse(stdout) as { pod: string }).pod);
        }
        expect([...pods]).toEqual([`web-${node}`]);
      });
    }
  }
});

test('a balancer address is served with the client as it is, and the balancer is told where', async () => {
  for (const [family, address] of [
    [4, '203.0.113.7'],
    [6, '2001:db8::7'],
  ] as const) {
    const outside = (await cluster.lab.addressesOf('outside')).find(
      (each) => each.includes(':') === (family === 6),
    );
    await eventually(async () =>
      expect(await fromOutside(hostPort(address, 80))).toEqual({ pod: 'only-node2', client: outside }),
    );
    const port = await kubectl('get', 'service', 'balanced', '-o', 'jsonpath={.spec.healthCheckNodePort}');
    const health = async (node: string) => {
      const url = hostPort(await nodeAddress(node, family), port);
      return (await cluster.lab.exec('outside', ['curl', '-s', '-w', ' %{http_code}', url])).stdout;
    };
    await eventually(async () => expect(await health('node2')).toMatch(/"localEndpoints":1,.* 200$/s));
    expect(await health('node1')).toMatch(/"localEndpoints":0,.* 503$/s);
  }
});

test('source ranges keep others out, as soon as they are written', async () => {
  const narrow = JSON.stringify({ spec: { loadBalancerSourceRanges: ['192.0.2.0/24'] } });
  await kubectl('patch', 'service', 'balanced', '--type=merge', '-p', narrow);
  await eventually(async () => expect(await fromOutside(hostPort('203.0.113.7', 80))).toBeUndefined());
  expect(await fromOutside(hostPort('2001:db8::7', 80))).toBeUndefined();
  const wide = JSON.stringify({ spec: { loadBalancerSourceRanges: ['0.0.0.0/0', '::/0'] } });
  await kubectl('patch', 'service', 'balanced', '--type=merge', '-p', wide);
  await eventually(async () =>
    expect(await fromOutside(hostPort('203.0.113.7', 80))).toMatchObject({ pod: 'only-node2' }),
  );
});

test('kube-proxy beside: the Node is told, its pods live on, and Services come back without it', async () => {
  const nft = (...args: string[]) => cluster.lab.exec('node2', ['nft', ...args]);
  // Not the balancer's address: while nobody serves it the node sends it on, with a redirect that the outside keeps.
  const port = await kubectl('get', 'service', 'balanced', '-o', 'jsonpath={.spec.ports[0].nodePort}');
  const url = hostPort(await nodeAddress('node2', 4), port);
  expect(await fromOutside(url)).toMatchObject({ pod: 'only-node2' });
  await nft('add', 'table', 'ip', 'kube-proxy');
  await eventually(async () =>
    expect(await kubectl('describe', 'node', 'node2')).toMatch(
      /KubeProxyPresent .*nft delete table ip kube-proxy/,
    ),
  );
  await eventually(async () => expect(await fromOutside(url)).toBeUndefined());
  const pod = await kubectl('get', 'pod', 'only-node2', '-o', 'jsonpath={.status.podIP}');
  expect((await cluster.lab.exec('node1', ['curl', '-s', '-m', '2', hostPort(pod, 8080)])).stdout).toContain(
    'only-node2',
  );
  await nft('delete', 'table', 'ip', 'kube-proxy');
  await eventually(async () => expect(await fromOutside(url)).toMatchObject({ pod: 'only-node2' }));
  await eventually(async () =>
    expect(await kubectl('describe', 'node', 'node2')).toContain('ServicesServed'),
  );
});
