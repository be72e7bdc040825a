/** Nodes come, go and come back: reachable at once, forgotten at once, and never with an address that is another's by now. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { nodeType } from '#api/core.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { apiVersionOf, type KubeObject } from '#api/object.ts';
import { blockName } from '#compile/ipam/blocks.ts';
import type { DatapathStatus } from '#intent/handover.ts';
import { eventually } from '#lab/eventually.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { links, paths } from '#system/registry.ts';
import { type Cluster, startCluster } from './cluster.ts';
import { askDatapath, endpointsOf, type PodAt, startPods } from './pods.ts';

let cluster: Cluster;
let first: PodAt;

beforeAll(async () => {
  cluster = await startCluster('membership', {
    nodeLease: { seconds: 4, renewSeconds: 1, marginSeconds: 1 },
  });
  [first] = (await startPods(cluster, [{ name: 'first', node: 'node1' }])) as [PodAt];
});

afterAll(() => cluster?.down());

const others = ['node1', 'node2'] as const;

async function claimsOf(node: string): Promise<readonly BlockClaim[]> {
  const { items } = await cluster.client.list<BlockClaim>(blockClaimKind);
  return items.filter(({ spec }) => spec.node === node);
}

/** Everything that a node holds of its peers. */
async function knowledgeOf(node: string): Promise<string> {
  const script = [
    'ip route',
    'ip -6 route',
    `ip neigh show dev ${links.tunnel.value}`,
    `bridge fdb show dev ${links.tunnel.value}`,
    ...['nodes4', 'nodes6', 'tunnelSources4in4', 'tunnelSources6in4'].map(
      (set) => `nft list set inet netloom ${set}`,
    ),
  ].join(' && ');
  const { code, stdout, stderr } = await cluster.lab.exec(node, ['sh', '-c', script]);
  if (code !== 0) throw new Error(`${node}: ${stderr}`);
  return stdout;
}

/** Which of these addresses and prefixes a node speaks of. */
async function spokenOf(node: string, texts: readonly string[]): Promise<string[]> {
  const words = new Set((await knowledgeOf(node)).split(/[\s,{}]+/));
  return texts.filter((text) => words.has(text));
}

/** What others must know of a node, or must have forgotten: its underlay addresses and the prefixes of its blocks. */
async function marksOf(node: string): Promise<readonly string[]> {
  const claims = await claimsOf(node);
  return [...(await cluster.lab.addressesOf(node)), ...claims.map(({ spec }) => spec.cidr)];
}

/** Milliseconds until it holds. */
async function elapsed(condition: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await eventually(condition, 15_000, 10);
  return performance.now() - start;
}

/** Resolves once the cluster can know all of it: its Node object and a block a family. */
async function join(node: string): Promise<void> {
  await cluster.lab.addNode(node);
  await eventually(
    async () => {
      await cluster.client.get(nodeType, node);
      const claims = await claimsOf(node);
      if (claims.length < 2) throw new Error(`${node} has ${claims.length} blocks`);
    },
    15_000,
    10,
  );
}

async function pings(from: PodAt, to: PodAt): Promise<void> {
  for (const address of [to.ipv4, to.ipv6]) {
    const argv = ['ip', 'netns', 'exec', from.netns, 'ping', '-n', '-c1', '-W1', address];
    const { code, stdout } = await cluster.lab.exec(from.node, argv);
    if (code !== 0) throw new Error(`${from.name} → ${address}: ${stdout}`);
  }
}

/** Calls the plugin as a runtime would, for a pod that the cluster does not know. */
async function add(node: string): Promise<string> {
  const { lab } = cluster;
  await lab.exec(node, ['ip', 'netns', 'add', 'stranger']);
  const environment = {
    CNI_COMMAND: 'ADD',
    CNI_CONTAINERID: 'stranger',
    CNI_NETNS: '/run/netns/stranger',
    CNI_IFNAME: 'eth0',
    CNI_PATH: paths.cniBinDirectory.value,
    CNI_ARGS: 'IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=stranger;K8S_POD_UID=0',
  };
  const { stdout } = await lab.exec(node, [`${paths.cniBinDirectory.value}/netloom`], {
    env: environment,
    input: JSON.stringify({ cniVersion: '1.1.0', name: 'netloom', type: 'netloom' }),
    timeoutMs: 30_000,
  });
  return stdout;
}

/** Takes the node from the cluster and waits until its blocks are free. */
async function deleteNode(node: string): Promise<number> {
  const marks = await marksOf(node).catch(async () => (await claimsOf(node)).map(({ spec }) => spec.cidr));
  await cluster.client.delete(nodeType, node);
  return elapsed(async () => {
    for (const other of others) expect(await spokenOf(other, marks), other).toEqual([]);
  });
}

test('a new node is reachable, and a deleted one forgotten everywhere, within a second', async () => {
  const toKnow: number[] = [];
  const toForget: number[] = [];
  for (const node of ['node3', 'node4']) {
    await join(node);
    const marks = await marksOf(node);
    toKnow.push(
      await elapsed(async () => {
        for (const other of others) expect(await spokenOf(other, marks), other).toEqual(marks);
      }),
    );
    const [pod] = await startPods(cluster, [{ name: `on-${node}`, node }]);
    await pings(first, pod!);
    await pings(pod!, first);
    toForget.push(await deleteNode(node));
    await cluster.lab.removeNode(node);
  }
  // A machine busy with other things may miss one, not both.
  expect(Math.min(...toKnow)).toBeLessThan(1000);
  expect(Math.min(...toForget)).toBeLessThan(1000);
  for (const node of ['node3', 'node4']) {
    await eventually(async () => expect(await claimsOf(node)).toEqual([]), 30_000, 200);
  }
});

test('a deleted node that lives on assigns nothing, and says why', async () => {
  await join('node5');
  await startPods(cluster, [{ name: 'on-node5', node: 'node5' }]);
  // Else the kubelet ends Netloom on the deleted node, and nobody is left to refuse.
  await cluster.lab.restart('kubelet', 'SIGSTOP');
  try {
    await deleteNode('node5');
    const refusal = JSON.parse(await add('node5')) as { code: number; msg: string };
    expect(refusal).toMatchObject({
      msg: expect.stringContaining('node node5 was deleted from the cluster'),
    });
    const { blocks } = await askDatapath<DatapathStatus>(cluster.lab, 'node5', '/v1/status');
    expect(blocks.reduce((sum, { free }) => sum + free, 0)).toBe(0);
    // Its pod still runs with its addresses: they are nobody else's while the node's lease is renewed.
    expect(await claimsOf('node5')).not.toEqual([]);
  } finally {
    await cluster.lab.restart('kubelet', 'SIGCONT');
  }
  await cluster.lab.removeNode('node5');
  await eventually(async () => expect(await claimsOf('node5')).toEqual([]), 30_000, 200);
});

test('a node that comes back with its old disk serves nothing that is another’s by now', async () => {
  await join('node6');
  const [old] = (await startPods(cluster, [{ name: 'old', node: 'node6' }])) as [PodAt];
  const claims = await claimsOf('node6');
  await cluster.lab.removeNode('node6', { keepDisk: true });
  await deleteNode('node6');
  await eventually(async () => expect(await claimsOf('node6')).toEqual([]), 30_000, 200);

  // Another node takes the very same blocks, and lets none of them go.
  const { metadata } = await cluster.client.create<KubeObject>(nodeType, {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'heir' },
    status: { addresses: [{ type: 'InternalIP', address: '192.168.66.99' }] },
  } as KubeObject);
  for (const { spec } of claims) {
    await cluster.client.create(blockClaimKind, {
      apiVersion: apiVersionOf(blockClaimKind),
      kind: blockClaimKind.kind,
      metadata: { name: blockName(spec.cidr) ?? '' },
      spec: { ...spec, node: 'heir', nodeUID: metadata.uid ?? '' },
    });
  }
  await join('node6');
  const [back] = (await startPods(cluster, [{ name: 'back', node: 'node6' }])) as [PodAt];
  await pings(back, first);
  await pings(first, back);
  const status = await askDatapath<DatapathStatus>(cluster.lab, 'node6', '/v1/status');
  const mine = [back.ipv4, back.ipv6, ...status.tunnelAddresses].map((text) => parseAddr(text)!);
  for (const { spec } of claims) {
    expect(mine.filter((address) => prefixHas(parsePrefix(spec.cidr)!, address))).toEqual([]);
    expect(status.blocks.map(({ cidr }) => cidr)).not.toContain(spec.cidr);
  }
  expect((await endpointsOf(cluster.lab, 'node6')).map(({ pod }) => pod.name)).not.toContain(old.name);
  for (const other of ['node1', 'node6']) {
    const { stdout } = await cluster.lab.exec(other, ['ip', '-j', 'route', 'get', old.ipv4]);
    const [route] = JSON.parse(stdout) as [{ readonly dev: string }];
    expect(route.dev, `${other} to ${old.ipv4}`).toBe(links.tunnel.value);
  }
});
