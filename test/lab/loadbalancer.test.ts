/** Balancers' addresses as who comes from MetalLB has them: the examples as they are, `netloom lb`, and what only internal sessions show. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { expectAnswers, type Neighbors, openNeighbors } from '#lab/neighbors.ts';
import { routerASN, routerPeers } from '#lab/router.ts';
import { routerPaths, routerRoutes, routerSessions } from '#lab/router-table.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;
let neighbors: Neighbors;
const nodes = ['node1', 'node2', 'node3'];

beforeAll(async () => {
  cluster = await startCluster('loadbalancer', { nodes: nodes.length, bgpRouter: true });
  neighbors = await openNeighbors(cluster.lab);
  await cluster.applyExample('loadbalancer-l2.yaml');
  await cluster.applyExample('loadbalancer-bgp.yaml');
}, 120_000);
afterAll(() => cluster?.down());

const netloom = fileURLToPath(new URL('../../netloom', import.meta.url));
const lb = (...args: readonly string[]): { readonly code: number | null; readonly text: string } => {
  const { status, stdout, stderr } = spawnSync(netloom, ['lb', '--name', cluster.name, ...args], {
    encoding: 'utf8',
  });
  return { code: status, text: stdout + stderr };
};
const asks = async (machine: string, address: string): Promise<void> => {
  const url = `http://${address.includes(':') ? `[${address}]` : address}/`;
  const { code, stdout, stderr } = await cluster.lab.exec(machine, ['curl', '-sS', '-m', '2', url]);
  expect(code, `${machine} asks ${url}: ${stderr}`).toBe(0);
  expect(stdout).toContain('"pod"');
};
/** The one node that answers. */
const answering = async (address: string): Promise<string> =>
  eventually(async () => {
    const found = (await neighbors.whoAnswers([address])).get(address) ?? [];
    expect(found).toHaveLength(1);
    return found[0] ?? '';
  }, 30_000);

test('examples/loadbalancer-l2.yaml: one node answers for both addresses, hosts of the segment are served', async () => {
  const node = await answering('192.168.66.240');
  expect(await answering('fd66::f0')).toBe(node);
  await expectAnswers(neighbors, '192.168.66.241', []);
  await eventually(() => asks('outside', '192.168.66.240'));
  await eventually(() => asks('outside', 'fd66::f0'));
  await eventually(() => {
    const { code, text } = lb('hello-segment');
    expect(text).toMatch(
      new RegExp(`default/hello-segment +192\\.168\\.66\\.240,fd66::f0 +segment +L2 +${node} +eth0 `),
    );
    expect(code).toBe(0);
  });
});

test('examples/loadbalancer-bgp.yaml: the router has both addresses via every node, with the community by its name', async () => {
  await eventually(async () => {
    const routes = await routerRoutes(cluster.lab);
    for (const prefix of ['198.51.100.1/32', '2001:db8:77::/128'])
      expect(routes.get(prefix)?.via, prefix).toEqual(nodes);
  }, 40_000);
  for (const path of await routerPaths(cluster.lab, '198.51.100.1/32'))
    expect(path).toMatchObject({ communities: ['65000:100'], asPath: '64512' });
  await asks('router', '198.51.100.1');
  await asks('outside', '198.51.100.1');
  await eventually(() => {
    const { code, text } = lb('hello-fabric');
    for (const node of nodes) expect(text).toMatch(new RegExp(`BGP +${node} +router-ipv4,router-ipv6 `));
    expect(code).toBe(0);
  });
});

test('a Service that waits says for what, and ends with 1 where it is asked for', async () => {
  const balanced = (name: string): KubeObject =>
    ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: {
        name,
        namespace: 'default',
        annotations: { 'metallb.io/loadBalancerIPs': '192.168.66.240' },
      },
      spec: { type: 'LoadBalancer', selector: { app: 'hello-segment' }, ports: [{ port: 80 }] },
    }) as KubeObject;
  await cluster.apply(balanced('waits'));
  await eventually(() => {
    const { code, text } = lb('waits', '-o', 'json');
    const { balancers } = JSON.parse(text) as { balancers: { waits?: string; addresses: string[] }[] };
    expect(balancers).toMatchObject([{ service: 'default/waits', addresses: [] }]);
    expect(balancers[0]?.waits).toContain('192.168.66.240');
    expect(code).toBe(1);
  });
  await cluster.kubectl('delete', 'service', 'waits');
});

test('internal sessions carry the local preference', async () => {
  // FRR 10.3, as this router, may go on with a hidden peer when one of `remote-as auto` comes back at once with another AS.
  await cluster.kubectl('delete', 'bgppeers.metallb.io', '--all', '-n', 'metallb-system');
  await eventually(async () => expect([...(await routerSessions(cluster.lab)).keys()]).toEqual([]), 20_000);
  await cluster.apply(...routerPeers('dual', { myASN: routerASN }));
  await cluster.apply({
    apiVersion: 'metallb.io/v1beta1',
    kind: 'BGPAdvertisement',
    metadata: { name: 'fabric', namespace: 'metallb-system' },
    spec: { ipAddressPools: ['fabric'], localPref: 250 },
  } as KubeObject);
  await eventually(async () => {
    const found = await routerPaths(cluster.lab, '198.51.100.1/32');
    expect(found.map(({ node }) => node)).toEqual(nodes);
    for (const path of found)
      expect(path).toMatchObject({ localPreference: 250, communities: [], asPath: 'Local' });
  }, 40_000);
});
