/** What single fields of a BGPPeer do, looked at from the router that it names. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { paths } from '#system/registry.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;
const waitMs = 60_000;
const namespace = 'metallb-system';
const ownAddress = '192.168.66.11';
const otherAddress = '192.168.66.111';
const vip = '10.50.0.1';

const on = async (machine: string, script: string): Promise<string> => {
  const { code, stdout, stderr } = await cluster.lab.exec(machine, ['sh', '-c', script]);
  if (code !== 0) throw new Error(`${machine}: ${script}: ${stderr}${stdout}`);
  return stdout;
};

/** FRR's own words, as far as they are looked at. */
type Neighbor = {
  readonly remoteAs: number;
  readonly bgpState: string;
  readonly neighborCapabilities?: { readonly gracefulRestart?: string };
  readonly peerBfdInfo?: { readonly status?: string };
};
/** The router's view of the node at an address; undefined: it has none. */
const seen = async (address: string): Promise<Neighbor | undefined> => {
  const script = `vtysh --vty_socket ${paths.frrDirectory.value} -c 'show bgp neighbors json'`;
  return (JSON.parse(await on('router', script)) as Record<string, Neighbor | undefined>)[address];
};
const established = (address: string, more: Partial<Neighbor> = {}) =>
  eventually(
    async () => expect(await seen(address)).toMatchObject({ bgpState: 'Established', ...more }),
    waitMs,
  );
const metallb = (kind: string, name: string, spec: object, version = 'v1beta1'): KubeObject =>
  ({
    apiVersion: `metallb.io/${version}`,
    kind,
    metadata: { name, namespace },
    spec,
  }) as KubeObject;
const peer = (more: object): KubeObject =>
  metallb(
    'BGPPeer',
    'router',
    { myASN: 64_512, peerASN: 65_000, peerAddress: '192.168.66.1', holdTime: '9s', ...more },
    'v1beta2',
  );
const route = () => on('router', `ip route show ${vip}`);

beforeAll(async () => {
  cluster = await startCluster('peer-fields', { nodes: 1, bgpRouter: true });
  await on('node1', `ip address add ${otherAddress}/24 dev eth0`);
  await cluster.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } } as KubeObject,
    metallb('IPAddressPool', 'one', { addresses: [`${vip}/32`] }),
    metallb('BGPAdvertisement', 'all', {}),
    metallb('BFDProfile', 'echo', { echoMode: true, receiveInterval: 300, transmitInterval: 300 }),
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    } as unknown as KubeObject,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', namespace: 'default', labels: { app: 'web' } },
      spec: { containers: [{ name: 'main', image: 'netloom/echo' }] },
    } as unknown as KubeObject,
  );
}, 240_000);
afterAll(() => cluster?.down());

test('localASN is the AS that the peer sees, instead of myASN', async () => {
  await cluster.apply(peer({}));
  await established(ownAddress, { remoteAs: 64_512 });
  await cluster.apply(peer({ localASN: 64_600 }));
  await established(ownAddress, { remoteAs: 64_600 });
  await eventually(async () => expect(await route()).toContain(`via ${ownAddress}`), waitMs);
});

test('sourceAddress is where the node speaks from, and what routes lead to', async () => {
  await cluster.apply(peer({ sourceAddress: otherAddress }));
  await established(otherAddress);
  await eventually(async () => {
    const table = await route();
    expect(table).toContain(`via ${otherAddress}`);
    expect(table).not.toContain(`via ${ownAddress} `);
  }, waitMs);
});

test('a BFD profile with echoMode: the session stands, with BFD up', async () => {
  await cluster.apply(peer({ bfdProfile: 'echo' }));
  await established(ownAddress);
  await eventually(async () => expect((await seen(ownAddress))?.peerBfdInfo?.status).toBe('Up'), waitMs);
});

test('enableGracefulRestart: the router keeps the routes of a node whose BGP starts anew', async () => {
  await cluster.apply(peer({ enableGracefulRestart: true }));
  await established(ownAddress);
  await eventually(
    async () => expect((await seen(ownAddress))?.neighborCapabilities?.gracefulRestart).toMatch(/received/i),
    waitMs,
  );
  await eventually(async () => expect(await route()).toContain(`via ${ownAddress}`), waitMs);
  const pid = (await on('node1', 'pgrep -x bgpd')).trim();
  // The lab's router knows its neighbors by the range of their addresses, and takes such a one back only once the time for its restart is
  // over. Until then the route stays.
  const watch = on(
    'router',
    `for i in $(seq 60); do ip route show ${vip} | grep -q via || { echo lost; exit 0; }; sleep 0.1; done; echo kept`,
  );
  await on('node1', `kill -9 ${pid.split('\n')[0]}`);
  expect((await watch).trim()).toBe('kept');
  await eventually(async () => expect((await seen(ownAddress))?.bgpState).not.toBe('Established'), waitMs);
  expect(await route()).toContain(`via ${ownAddress}`);
});
