/** Addresses of Services behind a router, by BGP: what stands in the router's own table, and what the objects say of it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serviceType } from '#api/core.ts';
import { bgpNeighborKind } from '#api/kinds/bgpneighbor.ts';
import { type BGPPeer, bgpPeerKind } from '#api/kinds/bgppeer.ts';
import { type ServiceBGPStatus, serviceBGPStatusKind } from '#api/kinds/servicebgpstatus.ts';
import type { KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { paths } from '#system/registry.ts';
import { type Cluster, startCluster } from './cluster.ts';

let cluster: Cluster;
const waitMs = 30_000;
const namespace = 'metallb-system';

const on = async (machine: string, script: string): Promise<string> => {
  const { code, stdout, stderr } = await cluster.lab.exec(machine, ['sh', '-c', script]);
  if (code !== 0) throw new Error(`${machine}: ${script}: ${stderr}${stdout}`);
  return stdout;
};
const kubectl = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await cluster.kubectl(...args);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`);
  return stdout;
};
const vtysh = (machine: string, ...commands: readonly string[]): Promise<string> =>
  on(
    machine,
    `vtysh --vty_socket ${paths.frrDirectory.value} ${commands.map((text) => `-c '${text}'`).join(' ')}`,
  );

type Path = {
  readonly community?: { readonly string: string };
  readonly largeCommunity?: { readonly string: string };
  readonly peer: { readonly peerId: string };
};
/** The router's paths to a prefix, by the neighbor that told of them; empty without any. */
const pathsTo = async (prefix: string): Promise<readonly Path[]> => {
  const family = prefix.includes(':') ? 'ipv6' : 'ipv4';
  const text = await vtysh('router', `show bgp ${family} unicast ${prefix} json`);
  return (JSON.parse(text) as { readonly paths?: readonly Path[] }).paths ?? [];
};
const node = { node1: '192.168.66.11', node2: '192.168.66.12' };
/** Nodes that the router has a route to a prefix by, over the sessions of the BGPPeer `four`. */
const by = async (prefix: string): Promise<readonly string[]> => {
  const told = (await pathsTo(prefix)).map(({ peer }) => peer.peerId);
  return Object.entries(node).flatMap(([name, address]) => (told.includes(address) ? [name] : []));
};
const told = (prefix: string, ...nodes: readonly string[]) =>
  eventually(async () => expect(await by(prefix)).toEqual(nodes), waitMs);

const object = (apiVersion: string, kind: string, name: string, rest: object): KubeObject =>
  ({ apiVersion, kind, metadata: { name, namespace }, ...rest }) as KubeObject;
const metallb = (kind: string, name: string, spec?: object): KubeObject =>
  object('metallb.io/v1beta1', kind, name, spec === undefined ? {} : { spec });
const pod = (name: string, nodeName: string, app: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default', labels: { app } },
  spec: {
    nodeName,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'main', image: 'netloom/echo' }],
  },
});
const balancer = (name: string, pool: string, spec: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name,
    namespace: 'default',
    labels: { name },
    annotations: { 'metallb.io/address-pool': pool },
  },
  spec: {
    type: 'LoadBalancer',
    selector: { app: 'web' },
    ports: [{ port: 80, targetPort: 8080 }],
    ...spec,
  },
});
/** The addresses that the controller gave it. */
const addressesOf = (name: string, count = 1): Promise<readonly string[]> =>
  eventually(async () => {
    const { status } = (await cluster.client.get(serviceType, name, 'default')) as KubeObject & {
      status?: { loadBalancer?: { ingress?: readonly { ip: string }[] } };
    };
    const addresses = (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
    expect(addresses).toHaveLength(count);
    return addresses;
  }, waitMs);
const made = async (name: string, pool: string, spec: object = {}): Promise<string> => {
  await cluster.apply(balancer(name, pool, spec));
  return (await addressesOf(name))[0]!;
};
const statuses = async (service: string): Promise<Record<string, readonly string[]>> => {
  const { items } = await cluster.client.list<ServiceBGPStatus>(serviceBGPStatusKind);
  const own = items.filter(({ status }) => status?.serviceName === service);
  return Object.fromEntries(own.map(({ status }) => [status?.node ?? '', status?.peers ?? []]));
};
const peerStatus = async (name: string) =>
  (await cluster.client.get<BGPPeer>(bgpPeerKind, name, namespace)).status;

beforeAll(async () => {
  cluster = await startCluster('lb-bgp', { nodes: 2, bgp: true });
  // The router is a BGPPeer's here.
  for (const { metadata } of (await cluster.client.list(bgpNeighborKind)).items)
    await cluster.client.delete(bgpNeighborKind, metadata.name);
  const session = { myASN: 64_512, peerASN: 65_000, holdTime: '9s' };
  await cluster.apply(
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } } as KubeObject,
    metallb('IPAddressPool', 'wide', { addresses: ['10.50.0.0/24', 'fd50::/64'] }),
    metallb('IPAddressPool', 'block', { addresses: ['10.51.0.0/24'] }),
    metallb('IPAddressPool', 'some', { addresses: ['10.52.0.0/24'] }),
    object('metallb.io/v1beta1', 'BGPPeer', 'four', { spec: { ...session, peerAddress: '192.168.66.1' } }),
    object('metallb.io/v1beta2', 'BGPPeer', 'six', {
      spec: { ...session, peerAddress: 'fd66::1', dualStackAddressFamily: true },
    }),
    metallb('BGPAdvertisement', 'wide', { ipAddressPools: ['wide'] }),
    pod('web1', 'node1', 'web'),
    pod('web2', 'node2', 'web'),
    pod('only2', 'node2', 'only'),
  );
  await kubectl('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=60s');
  await eventually(async () => {
    for (const name of ['four', 'six'])
      expect((await peerStatus(name))?.sessions).toMatchObject({
        node1: { state: 'Established' },
        node2: { state: 'Established' },
      });
  }, 60_000);
}, 240_000);
afterAll(() => cluster?.down());

describe('a Service with an address', () => {
  test('is a route to every node at the router, in both families, and answers; the objects say so', async () => {
    await cluster.apply(balancer('dual', 'wide', { ipFamilyPolicy: 'RequireDualStack' }));
    const [four = '', six = ''] = await addressesOf('dual', 2);
    await told(`${four}/32`, 'node1', 'node2');
    await eventually(async () => expect(await pathsTo(`${six}/128`)).toHaveLength(2), waitMs);
    await eventually(async () => {
      const table = await on('router', `ip route show ${four}; ip -6 route show ${six}`);
      expect(table).toContain('via 192.168.66.11 ');
      expect(table).toContain('via 192.168.66.12 ');
    }, waitMs);
    for (const host of [four, `[${six}]`])
      await eventually(async () => {
        expect(await on('outside', `curl -sS -m 3 http://${host}/`)).toContain('"pod"');
      }, waitMs);
    await eventually(
      async () => expect(await statuses('dual')).toEqual({ node1: ['four', 'six'], node2: ['four', 'six'] }),
      waitMs,
    );
  });

  test('comes and goes without a word to FRR', async () => {
    const before = await vtysh('node1', 'show running-config');
    const address = await made('passing', 'wide');
    await told(`${address}/32`, 'node1', 'node2');
    await eventually(async () => expect(Object.keys(await statuses('passing'))).toHaveLength(2), waitMs);
    await kubectl('delete', 'service', 'passing');
    await told(`${address}/32`);
    await eventually(async () => expect(await statuses('passing')).toEqual({}), waitMs);
    expect(await vtysh('node1', 'show running-config')).toBe(before);
  });

  test('of externalTrafficPolicy Local is announced where its endpoints are, and goes with them', async () => {
    const local = { externalTrafficPolicy: 'Local', selector: { app: 'only' } };
    const address = await made('local', 'wide', local);
    await told(`${address}/32`, 'node2');
    // The router's own kernel has a route a moment after its BGP.
    await eventually(async () =>
      expect(await on('outside', `curl -sS -m 3 http://${address}/`)).toContain('192.168.66.200'),
    );
    await cluster.apply(pod('only1', 'node1', 'only'));
    await told(`${address}/32`, 'node1', 'node2');
    await kubectl('delete', 'pod', 'only2', '--wait=true');
    await told(`${address}/32`, 'node1');
    await kubectl('delete', 'pod', 'only1', '--wait=true');
    await told(`${address}/32`);
    await eventually(async () => expect(await statuses('local')).toEqual({}), waitMs);
  });

  test('is not announced by a node that is excluded from load balancers', async () => {
    const address = await made('spread', 'wide');
    await told(`${address}/32`, 'node1', 'node2');
    const label = 'node.kubernetes.io/exclude-from-external-load-balancers';
    await kubectl('label', 'node', 'node1', `${label}=`);
    await told(`${address}/32`, 'node2');
    await kubectl('label', 'node', 'node1', `${label}-`);
    await told(`${address}/32`, 'node1', 'node2');
  });
});

describe('BGPAdvertisements', () => {
  test('aggregate, with communities by number and by name; one route however many Services', async () => {
    await cluster.apply(
      metallb('Community', 'names', { communities: [{ name: 'near', value: 'large:65000:1:2' }] }),
      metallb('BGPAdvertisement', 'block', {
        ipAddressPools: ['block'],
        aggregationLength: 24,
        localPref: 150,
        communities: ['65000:7', 'near'],
      }),
    );
    await made('in-block-1', 'block');
    const second = await made('in-block-2', 'block');
    await told('10.51.0.0/24', 'node1', 'node2');
    const [path] = await pathsTo('10.51.0.0/24');
    expect(path).toMatchObject({ community: { string: '65000:7' }, largeCommunity: { string: '65000:1:2' } });
    expect(await vtysh('router', 'show bgp ipv4 unicast')).not.toContain(`${second}/32`);
    await kubectl('delete', 'service', 'in-block-1');
    await kubectl('patch', '-n', namespace, 'bgpadvertisement', 'block', '--type=merge', '-p', changed);
    await eventually(async () => {
      const paths = await pathsTo('10.51.0.0/24');
      expect(paths.map(({ community }) => community?.string)).toEqual(Array(paths.length).fill('65000:8'));
    }, waitMs);
    await kubectl('delete', 'service', 'in-block-2');
    await told('10.51.0.0/24');
  });
  const changed = JSON.stringify({ spec: { communities: ['65000:8'] } });

  test('take the nodes, peers and Services that they select', async () => {
    await cluster.apply(
      metallb('BGPAdvertisement', 'some', {
        ipAddressPools: ['some'],
        nodeSelectors: [{ matchLabels: { 'kubernetes.io/hostname': 'node1' } }],
        peers: ['six'],
        serviceSelectors: [{ matchLabels: { name: 'chosen' } }],
      }),
    );
    const other = await made('unchosen', 'some');
    const address = await made('chosen', 'some');
    const tellers = async (prefix: string) => (await pathsTo(prefix)).map(({ peer }) => peer.peerId);
    await eventually(async () => expect(await tellers(`${address}/32`)).toEqual(['fd66::11']), waitMs);
    expect(await tellers(`${other}/32`)).toEqual([]);
    await eventually(async () => expect(await statuses('chosen')).toEqual({ node1: ['six'] }), waitMs);
    const peers = JSON.stringify({ spec: { peers: null } });
    await kubectl('patch', '-n', namespace, 'bgpadvertisement', 'some', '--type=merge', '-p', peers);
    await told(`${address}/32`, 'node1');
  });
});

test('a BFDProfile watches a session, and the objects and figures say so', async () => {
  const four = (spec: object) =>
    cluster.client.patch(bgpPeerKind, { name: 'four', namespace }, { kind: 'merge', body: { spec } });
  await four({ bfdProfile: 'fast' });
  await eventually(async () => {
    const sessions = (await peerStatus('four'))?.sessions;
    expect(sessions?.['node1']).toMatchObject({
      state: 'Refused',
      message: `BFDProfile ${namespace}/fast does not exist`,
    });
  }, waitMs);
  await cluster.apply(metallb('BFDProfile', 'fast', { receiveInterval: 200, transmitInterval: 200 }));
  await eventually(async () => {
    const sessions = (await peerStatus('four'))?.sessions;
    for (const each of ['node1', 'node2'])
      expect(sessions?.[each]).toMatchObject({ state: 'Established', bfd: 'Up' });
    const metrics = await on('node1', 'curl -sS http://127.0.0.1:9470/metrics | grep ^metallb');
    expect(metrics).toMatch(/^metallb_bfd_session_up\{peer="192\.168\.66\.1",vrf=""\} 1$/m);
    const counted = await on('node1', 'curl -sS http://127.0.0.1:9471/metrics | grep ^metallb');
    expect(counted).toMatch(/^metallb_bgp_updates_total\{peer="192\.168\.66\.1",vrf=""\} [1-9]/m);
    expect(counted).toMatch(/^metallb_bfd_control_packet_input\{peer="192\.168\.66\.1",vrf=""\} [1-9]/m);
  }, waitMs);
  await four({ bfdProfile: null });
  await eventually(async () => {
    const sessions = (await peerStatus('four'))?.sessions;
    expect(sessions?.['node1']).toMatchObject({ state: 'Established' });
    expect(sessions?.['node1']?.bfd).toBeUndefined();
  }, waitMs);
}, 120_000);

test('a password comes from a Secret of the right type; until then the object says what is missing', async () => {
  const address = await made('kept', 'wide');
  await told(`${address}/32`, 'node1', 'node2');
  await cluster.client.patch(
    bgpPeerKind,
    { name: 'four', namespace },
    { kind: 'merge', body: { spec: { passwordSecret: { name: 'tor' } } } },
  );
  const refused = (text: string) =>
    eventually(async () => {
      const { node1 } = (await peerStatus('four'))?.sessions ?? {};
      expect(node1).toMatchObject({ state: 'Refused', message: expect.stringContaining(text) });
    }, waitMs);
  await refused('Secret metallb-system/tor: does not exist');
  // The other peer goes on.
  await eventually(
    async () => expect(await statuses('kept')).toEqual({ node1: ['six'], node2: ['six'] }),
    waitMs,
  );
  const secret = (type: string) =>
    object('v1', 'Secret', 'tor', { type, stringData: { username: 'bgp', password: 'wonderful' } });
  await cluster.apply(secret('Opaque'));
  await refused('is of type Opaque, not kubernetes.io/basic-auth');
  await kubectl('-n', namespace, 'delete', 'secret', 'tor');
  await cluster.apply(secret('kubernetes.io/basic-auth'));
  await vtysh(
    'router',
    'configure terminal',
    'router bgp 65000',
    'neighbor nodes2 peer-group',
    'neighbor nodes2 remote-as external',
    'neighbor nodes2 password wonderful',
    'no bgp listen range 192.168.66.0/24 peer-group nodes',
    'bgp listen range 192.168.66.0/24 peer-group nodes2',
    'address-family ipv4 unicast',
    'neighbor nodes2 activate',
  );
  await told(`${address}/32`, 'node1', 'node2');
  await eventually(
    async () => expect(await statuses('kept')).toEqual({ node1: ['four', 'six'], node2: ['four', 'six'] }),
    waitMs,
  );
  await eventually(async () => {
    const metrics = await on('node1', 'curl -sS http://127.0.0.1:9470/metrics | grep ^metallb');
    expect(metrics).toMatch(/^metallb_bgp_session_up\{peer="192\.168\.66\.1",vrf=""\} 1$/m);
    expect(metrics).toMatch(/^metallb_bgp_announced_prefixes_total\{peer="192\.168\.66\.1",vrf=""\} [1-9]/m);
  }, waitMs);
}, 120_000);
