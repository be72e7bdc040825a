/** Pools, fixed and kept addresses: who gets which, on which node, and that no two pods ever have one at once. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeType, podType } from '#api/core.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { type IPPool, ipPoolKind } from '#api/kinds/ippool.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import type { Explanation } from '#compile/ipam/explain.ts';
import { eventually } from '#lab/eventually.ts';
import { run as whyIp } from '#programs/cli/why-ip.ts';
import { type Audit, startAudit } from './address-audit.ts';
import { type Cluster, startCluster } from './cluster.ts';
import {
  endpointsOf,
  isReady,
  type PodAt,
  type PodObject,
  type PodWish,
  pod,
  readyPod,
  startPods,
} from './pods.ts';

let cluster: Cluster;
let audit: Audit;
let plain: PodAt;
const nodes = ['node1', 'node2', 'node3'] as const;

beforeAll(async () => {
  cluster = await startCluster('pools', {
    nodes: nodes.length,
    nodeLease: { seconds: 6, renewSeconds: 1, marginSeconds: 1 },
  });
  audit = startAudit(cluster, nodes);
  [plain] = (await startPods(cluster, [{ name: 'plain', node: 'node1' }])) as [PodAt];
});

afterAll(async () => {
  await audit?.stop();
  await cluster?.down();
});

type Special = PodWish & {
  readonly annotations?: Record<string, string>;
  readonly labels?: Record<string, string>;
};

function special({ annotations = {}, labels = {}, ...wish }: Special): KubeObject {
  const made = pod(wish);
  const own = Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [`netloom.dev/${key}`, value]),
  );
  return {
    ...made,
    metadata: { ...made.metadata, labels: { ...made.metadata.labels, ...labels }, annotations: own },
  };
}

const start = async (wish: Special): Promise<PodAt> => {
  await cluster.apply(special(wish));
  return readyPod(cluster, wish.namespace ?? 'default', wish.name);
};
const remove = (name: string, namespace = 'default') => cluster.client.delete(podType, name, { namespace });
const gone = (name: string, namespace = 'default') =>
  eventually(async () => {
    const { items } = await cluster.client.list(podType, { namespace });
    expect(items.map(({ metadata }) => metadata.name)).not.toContain(name);
  }, 20_000);
const claims = async () => (await cluster.client.list<BlockClaim>(blockClaimKind)).items;
const own = (kind: { kind: string; group: string; version: string }, name: string, spec: object) =>
  cluster.apply({ apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name }, spec } as KubeObject);

async function pings(from: PodAt, to: Pick<PodAt, 'name' | 'ipv4' | 'ipv6'>): Promise<void> {
  for (const address of [to.ipv4, to.ipv6].filter((each) => each !== '')) {
    const argv = ['ip', 'netns', 'exec', from.netns, 'ping', '-n', '-c1', '-W2', address];
    await eventually(async () => {
      const { code, stdout } = await cluster.lab.exec(from.node, argv);
      expect(code, `${from.name} → ${to.name} ${address}: ${stdout}`).toBe(0);
    });
  }
}

/** What the pod's events say of why it has no network. */
async function complains(name: string, text: string, namespace = 'default'): Promise<void> {
  await eventually(async () => {
    const field = `involvedObject.name=${name}`;
    const path = 'jsonpath={.items[*].message}';
    const { stdout } = await cluster.kubectl(
      '-n',
      namespace,
      'get',
      'events',
      '--field-selector',
      field,
      '-o',
      path,
    );
    expect(stdout).toContain(text);
  }, 30_000);
}

async function explain(operand: string): Promise<Explanation> {
  const lines: string[] = [];
  const out = (line: string) => void lines.push(line);
  await whyIp({ values: { name: cluster.name, json: true }, operands: [operand], out, progress: () => {} });
  return JSON.parse(lines.join('')) as Explanation;
}

async function makeNamespace(name: string, annotations: Record<string, string> = {}): Promise<void> {
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, annotations } });
  const accounts: ResourceType = {
    group: '',
    version: 'v1',
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    namespaced: true,
  };
  await eventually(() => cluster.client.get(accounts, 'default', name));
}

test('a pool gives its addresses to the pods it selects; who finds none waits, is told so, and gets the next', async () => {
  await own(ipPoolKind, 'web', {
    subnet: 'default',
    addresses: ['10.244.200.0-10.244.200.1', 'fd10:244:0:aa::/127'],
    namespaces: ['default'],
    podSelector: { matchLabels: { tier: 'web' } },
  });
  const labels = { tier: 'web' };
  const one = await start({ name: 'web-1', node: 'node1', labels });
  const two = await start({ name: 'web-2', node: 'node2', labels });
  expect([one.ipv4, two.ipv4].sort()).toEqual(['10.244.200.0', '10.244.200.1']);
  expect([one.ipv6, two.ipv6].sort()).toEqual(['fd10:244:0:aa::', 'fd10:244:0:aa::1']);
  await pings(one, two);
  await pings(plain, two);
  await cluster.apply(special({ name: 'web-3', node: 'node3', labels }));
  await complains('web-3', 'IPPool web: no free IPv4 address');
  const exhausted = async (status: string) => {
    await eventually(async () => {
      const { status: said } = await cluster.client.get<IPPool>(ipPoolKind, 'web');
      expect(said?.conditions?.find(({ type }) => type === 'Exhausted')?.status).toBe(status);
    }, 20_000);
  };
  await exhausted('True');
  const { stdout } = await cluster.kubectl('get', 'ippools');
  expect(stdout).toMatch(/web\s+default\s+.*2\/2 2\/2\s+0 0\s+True\s+NoFreeAddress/);
  const { status } = await cluster.client.get<IPPool>(ipPoolKind, 'web');
  expect(status?.holders?.map(({ pod: name, node }) => `${name} ${node}`).sort()).toEqual([
    'default/web-1 node1',
    'default/web-1 node1',
    'default/web-2 node2',
    'default/web-2 node2',
  ]);
  expect((await explain('web-3')).waits).toContain('no free IPv4 address');
  await remove('web-3');
  await remove('web-2');
  // They rest first: nobody gets an address that somebody may still be speaking to.
  await eventually(
    async () => {
      const held = (await claims()).flatMap(({ spec }) =>
        spec.holder?.pool === 'web' ? [spec.holder.pod] : [],
      );
      expect(held).toEqual(['web-1', 'web-1']);
    },
    90_000,
    500,
  );
  await exhausted('False');
  const four = await start({ name: 'web-4', node: 'node3', labels });
  expect(four).toMatchObject({ ipv4: two.ipv4, ipv6: two.ipv6 });
  await remove('web-1');
  await remove('web-4');
}, 180_000);

test("a tenant takes another Subnet where it may, and not another tenant's", async () => {
  await own(subnetKind, 'open', { cidrs: ['10.40.0.0/16'] });
  await own(subnetKind, 'reds', { cidrs: ['10.41.0.0/16'], namespaces: ['red'] });
  await own(ipPoolKind, 'reds', { subnet: 'reds', addresses: ['10.41.7.0/29'], podSelector: {} });
  const fine = await start({ name: 'elsewhere', node: 'node2', annotations: { subnet: 'open' } });
  expect(fine).toMatchObject({ ipv4: expect.stringMatching(/^10\.40\./), ipv6: '' });
  await pings(plain, fine);
  await cluster.apply(
    special({ name: 'thief', node: 'node2', annotations: { subnet: 'reds' } }),
    special({ name: 'pool-thief', node: 'node2', annotations: { 'ip-pool': 'reds' } }),
    special({ name: 'address-thief', node: 'node2', annotations: { addresses: '10.41.7.1' } }),
    special({ name: 'nonsense', node: 'node2', annotations: { addresses: '10.41.7.300' } }),
  );
  await complains('thief', 'Subnet reds is for other namespaces than default');
  await complains('pool-thief', 'IPPool reds is for the namespaces of its Subnet');
  await complains('address-thief', 'IPPool reds is for the namespaces of its Subnet');
  await complains('nonsense', 'metadata.annotations[netloom.dev/addresses]: "10.41.7.300" is no address');
  for (const name of ['thief', 'pool-thief', 'address-thief', 'nonsense', 'elsewhere']) await remove(name);
  await makeNamespace('red', { 'netloom.dev/ip-pool': 'reds' });
  const red = await start({ name: 'red', namespace: 'red', node: 'node3' });
  expect(red.ipv4).toMatch(/^10\.41\.7\.[0-7]$/);
  expect(await explain('red/red')).toMatchObject({
    considered: [
      { kind: 'IPPool', name: 'reds', taken: true, reason: 'annotation of namespace red names the pool' },
    ],
    addresses: [{ address: red.ipv4, single: true, node: 'node3' }],
  });
  await remove('red', 'red');
}, 120_000);

test('fixed addresses and MAC follow the pod that names them to another node, at once', async () => {
  const annotations = { addresses: '10.244.201.7+fd10:244::c907', 'mac-address': '02:00:00:aa:bb:cc' };
  let last = '';
  for (const node of ['node1', 'node2', 'node2', 'node3']) {
    const fixed = await start({ name: 'fixed', node, annotations });
    expect(fixed).toMatchObject({ node, ipv4: '10.244.201.7', ipv6: 'fd10:244::c907' });
    const { stdout } = await cluster.lab.exec(node, ['ip', '-n', fixed.netns, 'link', 'show', 'eth0']);
    expect(stdout).toContain('02:00:00:aa:bb:cc');
    await pings(plain, fixed);
    await pings(fixed, plain);
    last = node;
    await remove('fixed');
    await gone('fixed');
  }
  // Somebody else's pod of another namespace waits until they have rested.
  await makeNamespace('late');
  const other = special({
    name: 'other',
    namespace: 'late',
    node: 'node1',
    annotations: { addresses: '10.244.201.7' },
  });
  await cluster.apply(other);
  await complains('other', `10.244.201.7 rests after its use by pod default/fixed`, 'late');
  const [moved] = (await claims()).filter(({ spec }) => spec.cidr === '10.244.201.7/32');
  expect(moved?.spec).toMatchObject({ node: last, holder: { generation: 4 } });
  await remove('other', 'late');
}, 120_000);

test('an address in a block that a node assigns from is refused with the name of the holder', async () => {
  const [block] = (await claims()).filter(
    ({ spec }) =>
      spec.node === 'node3' &&
      spec.subnet === 'default' &&
      !spec.cidr.includes(':') &&
      spec.holder === undefined,
  );
  const [network = ''] = block!.spec.cidr.split('/');
  const wanted = network.replace(/\d+$/, (last) => String(Number(last) + 9));
  await cluster.apply(special({ name: 'blocked', node: 'node1', annotations: { addresses: wanted } }));
  await complains(
    'blocked',
    `${wanted} lies in block ${block!.spec.cidr}, which node node3 assigns addresses from`,
  );
  await remove('blocked');
}, 60_000);

const workload = (
  kind: string,
  name: string,
  replicas: number,
  annotations: Record<string, string>,
): KubeObject =>
  ({
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      selector: { matchLabels: { app: name } },
      template: {
        metadata: {
          labels: { app: name },
          annotations: Object.fromEntries(
            Object.entries(annotations).map(([key, value]) => [`netloom.dev/${key}`, value]),
          ),
        },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'main', image: 'netloom/client' }] },
      },
    },
  }) as KubeObject;

async function addressesOf(app: string, count: number): Promise<ReadonlyMap<string, PodObject>> {
  return eventually(
    async () => {
      const { items } = await cluster.client.list<PodObject>(podType, {
        namespace: 'default',
        labelSelector: `app=${app}`,
      });
      const ready = items.filter(isReady);
      expect(ready.length).toBe(count);
      return new Map(ready.map((each) => [each.metadata.name, each]));
    },
    60_000,
    200,
  );
}
const ipsOf = (each: PodObject | undefined) => each?.status?.podIPs?.map(({ ip }) => ip).join(' ') ?? '';

test("a Deployment's replicas share a list; one too many waits and hears that it is used up", async () => {
  const list = '10.244.202.1, 10.244.202.2, 10.244.202.3';
  await cluster.apply(workload('Deployment', 'listed', 4, { addresses: list }));
  const ready = await addressesOf('listed', 3);
  expect([...ready.values()].map(ipsOf).sort()).toEqual(['10.244.202.1', '10.244.202.2', '10.244.202.3']);
  const { items } = await cluster.client.list<PodObject>(podType, {
    namespace: 'default',
    labelSelector: 'app=listed',
  });
  const late = items.find((each) => !isReady(each))!;
  await complains(late.metadata.name, 'none of the 3 entries is free');
  // When one goes, the one that waits has its address at once.
  const [first] = [...ready.values()];
  await remove(first!.metadata.name);
  await eventually(async () => {
    const all = await cluster.client.list<PodObject>(podType, {
      namespace: 'default',
      labelSelector: 'app=listed',
    });
    const now = all.items.filter(isReady).map(ipsOf);
    expect(now).toContain(ipsOf(first));
    expect(now).toHaveLength(3);
  }, 30_000);
  await cluster.kubectl('delete', 'deployment', 'listed');
}, 120_000);

test("a StatefulSet's pods keep their addresses over nodes; they end with its replicas", async () => {
  await cluster.apply(workload('StatefulSet', 'db', 2, { 'keep-addresses': 'Pod' }));
  const before = await addressesOf('db', 2);
  const at = (name: string) => before.get(name)!.spec.nodeName!;
  await cluster.kubectl('cordon', at('db-1'));
  await remove('db-1');
  const after = await eventually(async () => {
    const found = await addressesOf('db', 2);
    expect(found.get('db-1')!.spec.nodeName).not.toBe(at('db-1'));
    return found;
  }, 60_000);
  expect(ipsOf(after.get('db-1'))).toBe(ipsOf(before.get('db-1')));
  expect(ipsOf(after.get('db-0'))).toBe(ipsOf(before.get('db-0')));
  await cluster.kubectl('uncordon', at('db-1'));
  await pings(plain, await readyPod(cluster, 'default', 'db-1'));
  const kept = async () =>
    (await claims())
      .flatMap(({ spec }) => (spec.holder?.statefulSet === 'db' ? [spec.holder.keep ?? ''] : []))
      .sort();
  await cluster.kubectl('scale', 'statefulset', 'db', '--replicas=1');
  await eventually(async () => expect(await kept()).toEqual(['Pod:db-0', 'Pod:db-0']), 30_000);
  await cluster.kubectl('delete', 'statefulset', 'db');
  await eventually(async () => expect(await kept()).toEqual([]), 30_000);
}, 180_000);

test('a kept address leaves a dead node only when the node is known to be gone', async () => {
  const annotations = { 'keep-addresses': 'VM:desk', 'release-addresses': 'Never' };
  await cluster.lab.addNode('node4');
  await eventually(() => cluster.client.get(nodeType, 'node4'), 30_000);
  const first = await start({ name: 'virt-launcher-a', node: 'node4', annotations });
  // The machine is off; its Node object is there, and nobody says that it will not come back.
  await cluster.lab.removeNode('node4');
  await cluster.apply(special({ name: 'virt-launcher-b', node: 'node2', annotations }));
  await complains(
    'virt-launcher-b',
    `${first.ipv4} is still on the interface of pod default/virt-launcher-a on node node4`,
  );
  // What the garbage collector of pods does with those of such a node.
  await cluster.kubectl('delete', 'pod', 'virt-launcher-a', '--force', '--grace-period=0');
  await cluster.kubectl('taint', 'node', 'node4', 'node.kubernetes.io/out-of-service=nodeshutdown:NoExecute');
  const second = await eventually(() => readyPod(cluster, 'default', 'virt-launcher-b'), 60_000, 500);
  expect(second).toMatchObject({ ipv4: first.ipv4, ipv6: first.ipv6 });
  await pings(plain, second);
  await cluster.client.delete(nodeType, 'node4');
  await remove('virt-launcher-b');
}, 180_000);

test('a datapath that restarts knows whose every address is', async () => {
  const annotations = { addresses: '10.244.203.9', 'mac-address': '02:00:00:00:99:99' };
  const fixed = await start({ name: 'stays', node: 'node2', annotations });
  await cluster.lab.exec('node2', ['pkill', '-KILL', '-f', 'datapath/main.ts']);
  await eventually(async () => {
    const found = (await endpointsOf(cluster.lab, 'node2')).find((each) => each.pod.name === 'stays');
    expect(found).toMatchObject({ addresses: ['10.244.203.9'], mac: '02:00:00:00:99:99' });
  }, 30_000);
  await pings(plain, fixed);
  await remove('stays');
  await eventually(
    async () => {
      const left = (await claims()).filter(({ spec }) => spec.cidr === '10.244.203.9/32');
      expect(left).toEqual([]);
    },
    90_000,
    500,
  );
}, 150_000);

test('at no moment had two pods one address, or two nodes one block', () => {
  expect(audit.rounds()).toBeGreaterThan(20);
  expect(audit.faults()).toEqual([]);
});
