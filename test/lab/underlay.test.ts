/** Pods of the physical network in a whole cluster: what kubectl shows, who reaches them, and what is said when the network won't carry them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { Condition } from '#api/object.ts';
import { findCondition } from '#kube/conditions.ts';
import { eventually } from '#lab/eventually.ts';
import { networkFindings } from '#programs/cli/doctor-network.ts';
import { paths } from '#system/registry.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster('underlay', { mode: 'underlay' });
}, 180_000);
afterAll(() => cluster?.down());

const patienceMs = 60_000;
const carries = async (name: string): Promise<Condition | undefined> => {
  const { status } = await cluster.client.get<Subnet>(subnetKind, name);
  return findCondition(status?.conditions as readonly Condition[] | undefined, 'UnderlayCarries');
};
const on = async (machine: string, ...argv: string[]): Promise<string> => {
  const { code, stdout, stderr } = await cluster.lab.exec(machine, argv);
  expect({ argv, stderr, code }).toMatchObject({ code: 0 });
  return stdout;
};
/** Nodes ask by themselves every few minutes; here they are told to ask now. */
const probe = (node: string) =>
  on(
    node,
    'curl',
    '-sS',
    '-X',
    'POST',
    '--unix-socket',
    paths.datapathSocket.value,
    'http://datapath/v1/wire',
  );
const doctor = async () =>
  (await networkFindings(cluster.lab.kubeconfigPath)).find(
    ({ name }) => name === 'network below Subnet default',
  );

test('nodes find out by themselves that their pods are carried', async () => {
  await eventually(
    async () => expect(await carries('default')).toMatchObject({ status: 'True', reason: 'Answered' }),
    patienceMs,
  );
  expect(await doctor()).toMatchObject({ state: 'ok' });
  const { stdout } = await cluster.kubectl('get', 'subnets');
  expect(stdout).toMatch(/MODE[\s\S]*default[\s\S]*underlay/);
});

test("a Subnet of the nodes' own network gives pods that any host there reaches, and that reach it", async () => {
  await cluster.applyExample('underlay-subnet.yaml');
  const target = { namespace: 'lan', name: 'web' };
  const ips = await eventually(async () => {
    const { stdout } = await cluster.kubectl('-n', target.namespace, 'get', 'pod', target.name, '-o', 'json');
    const { status } = JSON.parse(stdout) as {
      status: { phase: string; podIPs?: { ip: string }[]; conditions?: { type: string; status: string }[] };
    };
    expect(status.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True');
    return status.podIPs!.map(({ ip }) => ip);
  }, patienceMs);
  expect(ips).toHaveLength(2);
  expect(ips[0]).toMatch(/^192\.168\.66\.1(2[89]|[3-8]\d|9[01])$/);
  for (const ip of ips) {
    const url = ip.includes(':') ? `http://[${ip}]:8080/` : `http://${ip}:8080/`;
    await eventually(
      async () => expect(await on('outside', 'curl', '-sS', '-m', '5', url)).toContain('web'),
      patienceMs,
    );
  }
  const outside = await cluster.lab.addressesOf('outside');
  const { stdout: seen } = await cluster.kubectl(
    '-n',
    'lan',
    'exec',
    'web',
    '--',
    'ping',
    '-c1',
    '-W2',
    outside[0]!,
  );
  expect(seen).toContain('1 received');
});

test('the Subnet and the doctor say at which node the network drops them, and when that is over', async () => {
  const [node = ''] = await cluster.lab.nodes();
  const [own4, own6] = await cluster.lab.addressesOf(node);
  // As a cloud does: what comes out of the node's port is the node's own address or nothing.
  const rules = `iifname "port0" ether type ip ip saddr != ${own4} drop
    iifname "port0" ether type ip6 ip6 saddr != { ${own6}, fe80::/10, :: } drop
    iifname "port0" ether type arp arp saddr ip != { ${own4}, 0.0.0.0 } drop`;
  const chain = (hook: string) => `chain ${hook} { type filter hook ${hook} priority 0;\n${rules}\n}`;
  await on('router', 'nft', `table bridge cloud { ${chain('forward')}\n${chain('input')}\n}`);
  expect(await probe(node)).toContain('"carried":false');
  await eventually(async () => {
    expect(await carries('default')).toMatchObject({
      status: 'False',
      reason: 'NotCarried',
      message: expect.stringContaining(`does not carry addresses of this Subnet at ${node} (${node}: IPv4: `),
    });
  }, patienceMs);
  await eventually(async () => {
    const { stdout } = await cluster.kubectl('get', 'events', '-A', '--field-selector', 'reason=NotCarried');
    expect(stdout).toContain('subnet/default');
  }, patienceMs);
  expect(await doctor()).toMatchObject({ state: 'missing', detail: expect.stringContaining(node) });
  await on('router', 'nft', 'delete table bridge cloud');
  expect(await probe(node)).not.toContain('"carried":false');
  await eventually(
    async () => expect(await carries('default')).toMatchObject({ status: 'True' }),
    patienceMs,
  );
});
