/** Subnets in use: exhausted and grown, narrowed, private; what running pods and waiting ones notice. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { podType } from '#api/core.ts';
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { type PodAt, type PodWish, pod, readyPod, startPods } from './pods.ts';

let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster('subnets', {
    nodeLease: { seconds: 4, renewSeconds: 1, marginSeconds: 1 },
  });
}, 180_000);

afterAll(async () => {
  await cluster?.down();
});

async function namespace(name: string): Promise<void> {
  await cluster.apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  const serviceAccounts: ResourceType = {
    group: '',
    version: 'v1',
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    namespaced: true,
  };
  await eventually(() => cluster.client.get(serviceAccounts, 'default', name));
}

const subnet = (name: string, spec: Subnet['spec']) =>
  cluster.apply({
    apiVersion: apiVersionOf(subnetKind),
    kind: 'Subnet',
    metadata: { name },
    spec,
  } as KubeObject);

const change = (name: string, spec: Partial<Subnet['spec']>) =>
  cluster.client.patch<Subnet>(subnetKind, { name }, { kind: 'merge', body: { spec } });

const condition = async (name: string, type: string) => {
  const { status } = await cluster.client.get<Subnet>(subnetKind, name);
  return status?.conditions?.find((each) => each.type === type);
};

async function ping(from: PodAt, to: string): Promise<void> {
  const argv = ['ip', 'netns', 'exec', from.netns, 'ping', '-n', '-c1', '-W2', to];
  expect(await cluster.lab.exec(from.node, argv), `${from.name} → ${to}`).toMatchObject({ code: 0 });
}

async function asks(from: PodAt | string, to: string): Promise<boolean> {
  const url = `http://${to.includes(':') ? `[${to}]` : to}:8080/`;
  const curl = ['curl', '-sS', '-o', '/dev/null', '-m', '2', url];
  const node = typeof from === 'string' ? from : from.node;
  const argv = typeof from === 'string' ? curl : ['ip', 'netns', 'exec', from.netns, ...curl];
  const { code } = await cluster.lab.exec(node, argv);
  return code === 0;
}

const small = 'small';
const first = { cidrs: ['10.30.0.0/30', 'fd10:30::/126'], blockSizes: { ipv4: 30, ipv6: 126 } };
const wishes: readonly PodWish[] = [1, 2].map((i) => ({ name: `s${i}`, namespace: small, node: 'node1' }));
let old: readonly PodAt[];

test('a pod that waits for an address gets one by itself when the Subnet grows, and nobody else notices', async () => {
  await subnet(small, { ...first, namespaces: [small] });
  await namespace(small);
  old = await startPods(cluster, wishes);
  await cluster.apply(pod({ name: 's3', namespace: small, node: 'node2' }));
  await eventually(async () => {
    expect(await condition(small, 'AddressesAvailable')).toMatchObject({
      status: 'False',
      reason: 'Exhausted',
    });
    const events = await cluster.kubectl('-n', small, 'describe', 'pod', 's3');
    expect(events.stdout).toContain(`Subnet ${small}`);
  }, 30_000);

  await change(small, { cidrs: [...first.cidrs, '10.31.0.0/28', 'fd10:31::/124'] });
  const late = await readyPod(cluster, small, 's3');
  expect([late.ipv4, late.ipv6]).toEqual([
    expect.stringMatching(/^10\.31\.0\./),
    expect.stringMatching(/^fd10:31::/),
  ]);
  for (const address of [late.ipv4, late.ipv6]) await ping(old[0]!, address);
  for (const address of [old[1]!.ipv4, old[1]!.ipv6]) await ping(late, address);
  await eventually(async () => {
    expect(await condition(small, 'AddressesAvailable')).toMatchObject({ status: 'True' });
  }, 20_000);
  for (const { name, ipv4, ipv6 } of old) {
    expect(await readyPod(cluster, small, name)).toMatchObject({ ipv4, ipv6 });
  }
});

test('kubectl shows how many addresses pods have', async () => {
  await eventually(async () => {
    const { stdout } = await cluster.kubectl('get', 'subnet', small, '-o', 'jsonpath={.status.ipv4}');
    const { used, total, available } = JSON.parse(stdout) as Record<string, string>;
    // Each node may have taken one for itself.
    expect(Number(used)).toBeGreaterThanOrEqual(3);
    expect(Number(total)).toBe(2 + 14);
    expect(Number(available)).toBe(Number(total) - Number(used));
  }, 20_000);
  const { stdout } = await cluster.kubectl('get', 'blockclaims');
  expect(stdout).toMatch(/v4-10-30-0-0-30 +10\.30\.0\.0\/30 +small +node1/);
});

test('a prefix that is taken away stays for the pods that have it, gives no more, and goes with them', {
  timeout: 240_000,
}, async () => {
  await change(small, { cidrs: ['10.31.0.0/28', 'fd10:31::/124'] });
  await eventually(async () => {
    const ready = await condition(small, 'Ready');
    expect(ready).toMatchObject({ status: 'True', reason: 'CIDRInUse' });
    expect(ready?.message).toContain('v4-10-30-0-0-30 (node1)');
  });
  await ping(old[0]!, old[1]!.ipv4);
  const [next] = await startPods(cluster, [{ name: 's4', namespace: small, node: 'node1' }]);
  expect(next!.ipv4).toMatch(/^10\.31\.0\./);
  await ping(next!, old[0]!.ipv6);

  // Its addresses are nobody else's yet.
  await subnet('heir', { cidrs: ['10.30.0.0/24'] });
  await eventually(async () => expect(await condition('heir', 'Ready')).toMatchObject({ reason: 'Overlap' }));
  for (const { name } of old) await cluster.client.delete(podType, name, { namespace: small });
  await eventually(async () => {
    const { status } = await cluster.client.get<Subnet>(subnetKind, small);
    expect(status?.cidrs).toEqual(['10.31.0.0/28', 'fd10:31::/124']);
    expect(await condition('heir', 'Ready')).toMatchObject({ status: 'True' });
  }, 120_000);
  await ping(next!, (await readyPod(cluster, small, 's3')).ipv4);
});

test('a prefix that is widened is in effect, and no packet of a running pod is lost', async () => {
  const [from, to] = await Promise.all([readyPod(cluster, small, 's3'), readyPod(cluster, small, 's4')]);
  const pings = [to.ipv4, to.ipv6].map((address) =>
    cluster.lab.exec(from.node, [
      'ip',
      'netns',
      'exec',
      from.netns,
      'ping',
      '-n',
      '-i',
      '0.02',
      '-c',
      '150',
      address,
    ]),
  );
  await change(small, { cidrs: ['10.31.0.0/26', 'fd10:31::/112'] });
  await eventually(async () => {
    const { status } = await cluster.client.get<Subnet>(subnetKind, small);
    expect(status?.cidrs).toEqual(['10.31.0.0/26', 'fd10:31::/112']);
    const { stdout } = await cluster.lab.exec('node2', [
      'nft',
      'list',
      'set',
      'inet',
      'netloom',
      'podSubnets4',
    ]);
    expect(stdout).toContain('10.31.0.0/26');
  });
  for (const { stdout } of await Promise.all(pings)) expect(stdout).toContain(' 0% packet loss');
  await change(small, { cidrs: ['10.31.0.0/28', 'fd10:31::/124'] });
  await eventually(async () => {
    const { status } = await cluster.client.get<Subnet>(subnetKind, small);
    expect(status?.cidrs).toEqual(['10.31.0.0/28', 'fd10:31::/124']);
  }, 60_000);
});

test('an edit that can not be leaves what pods have, and says why', async () => {
  await change(small, { cidrs: ['10.31.0.0/28', 'fd10:31::/124', '10.244.0.0/24'] });
  await eventually(async () => {
    expect((await condition(small, 'Ready'))?.message).toMatch(/spec\.cidrs: overlaps .* of Subnet default/);
  });
  await ping(await readyPod(cluster, small, 's4'), (await readyPod(cluster, small, 's3')).ipv6);
  await change(small, { cidrs: ['10.31.0.0/28', 'fd10:31::/124'] });
});

test('a private Subnet lets in its own pods and nodes, and others only by name', async () => {
  const ledger = 'ledger';
  await subnet(ledger, {
    cidrs: ['10.32.0.0/24', 'fd10:32::/120'],
    namespaces: [ledger],
    private: true,
    gateway: ['10.32.0.1', 'fd10:32::1'],
    reservedAddresses: ['10.32.0.2-10.32.0.200'],
    blockSizes: { ipv4: 28 },
  });
  await namespace(ledger);
  const [one, two, stranger, near] = await startPods(cluster, [
    { name: 'one', namespace: ledger, node: 'node1', image: 'netloom/echo' },
    { name: 'two', namespace: ledger, node: 'node2' },
    { name: 'stranger', node: 'node2' },
    { name: 'near', node: 'node1' },
  ]);
  expect(Number(one!.ipv4.split('.')[3])).toBeGreaterThan(200);
  for (const to of [one!.ipv4, one!.ipv6]) {
    // A pod that is ready may not listen yet.
    await eventually(async () => expect(await asks(two!, to)).toBe(true));
    expect(await asks(stranger!, to)).toBe(false);
    expect(await asks(near!, to)).toBe(false);
    expect(await asks('node1', to)).toBe(true);
    await eventually(async () => expect(await asks('node2', to)).toBe(true), 20_000);
  }
  await change(ledger, { allowSubnets: ['default'] });
  for (const to of [one!.ipv4, one!.ipv6]) {
    await eventually(async () => expect(await asks(stranger!, to)).toBe(true));
  }
  await change(ledger, { allowSubnets: [] });
  await eventually(async () => expect(await asks(stranger!, one!.ipv4)).toBe(false));
});
