/** `netloom lb`: the table, and the command on an API server with what controller and nodes would have written. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { crdOf } from '#api/crd.ts';
import { serviceBGPStatusKind } from '#api/kinds/servicebgpstatus.ts';
import { serviceL2StatusKind } from '#api/kinds/servicel2status.ts';
import type { KubeObject } from '#api/object.ts';
import { type Client, createClient } from '#kube/client.ts';
import { type TestServer, testServer } from '#lab/apiserver/testing.ts';
import { applyObjects } from './cluster.ts';
import { balancerObjects } from './lb.ts';
import { type BalancerObjects, balancerLines, balancersOf } from './lb-table.ts';

const then = '2026-01-01T00:00:00Z';
const now = Date.parse('2026-01-01T00:05:00Z');

const service = (name: string, ips: readonly string[], more: { pool?: string; class?: string } = {}) =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      annotations: more.pool === undefined ? {} : { 'metallb.io/ip-allocated-from-pool': more.pool },
    },
    spec: { type: 'LoadBalancer', ...(more.class === undefined ? {} : { loadBalancerClass: more.class }) },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  }) as KubeObject;

const told = (kind: string, name: string, node: string, of: string, more: object): KubeObject => ({
  apiVersion: 'metallb.io/v1beta1',
  kind,
  metadata: { name, namespace: 'metallb-system', creationTimestamp: then },
  status: { node, serviceName: of, serviceNamespace: 'shop', ...more },
});

const objects: BalancerObjects = {
  services: [
    service('web', ['198.51.100.7', '2001:db8:77::7'], { pool: 'fabric' }),
    service('db', ['192.168.66.240'], { pool: 'lan' }),
    service('new', []),
    service('idle', ['192.168.66.241'], { pool: 'lan' }),
    service('cloud', [], { class: 'cloud.example/lb' }),
    { ...service('plain', []), spec: { type: 'ClusterIP' } } as KubeObject,
  ],
  l2: [told('ServiceL2Status', 'l2-a', 'node3', 'db', { interfaces: [{ name: 'eth0' }] })],
  bgp: [
    told('ServiceBGPStatus', 'bgp-b', 'node2', 'web', {
      peers: ['tor-a'],
      conditions: [
        {
          type: 'Announced',
          status: 'False',
          reason: 'NotEstablished',
          message: 'BGPPeer tor-b: no session',
        },
      ],
    }),
    told('ServiceBGPStatus', 'bgp-a', 'node1', 'web', { peers: ['tor-a', 'tor-b'] }),
    told('ServiceBGPStatus', 'bgp-c', 'node1', 'other', { peers: ['tor-a'] }),
  ],
  peers: [
    {
      apiVersion: 'metallb.io/v1beta2',
      kind: 'BGPPeer',
      metadata: { name: 'tor-b', namespace: 'metallb-system' },
      status: {
        sessions: {
          node1: { state: 'Established' },
          node2: { state: 'Down', message: 'hold timer expired' },
        },
      },
    } as KubeObject,
  ],
  nodes: ['node1', 'node2', 'node3'].map(
    (name) =>
      ({
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
        status: { conditions: [{ type: 'Ready', status: name === 'node2' ? 'Unknown' : 'True' }] },
      }) as KubeObject,
  ),
  pools: [
    { apiVersion: 'metallb.io/v1beta1', kind: 'IPAddressPool', metadata: { name: 'lan' } } as KubeObject,
  ],
  events: [
    event('new', 'Normal', 'Other', 'no matter', '2026-01-01T00:03:00Z'),
    event('new', 'Warning', 'NoPool', 'an older one', '2026-01-01T00:01:00Z'),
    event('new', 'Warning', 'AddressPoolExhausted', 'pool lan has no free address', '2026-01-01T00:02:00Z'),
  ],
};

function event(of: string, type: string, reason: string, note: string, eventTime: string): KubeObject {
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: { name: reason, namespace: 'shop' },
    regarding: { kind: 'Service', name: of, namespace: 'shop', uid: `uid-${of}` },
    type,
    reason,
    note,
    eventTime,
  };
}

test('who announces what, to whom and since when, and why others wait', () => {
  expect(balancerLines(balancersOf(objects), now)).toEqual([
    'SERVICE     ADDRESS                      POOL    PROTOCOL  ANNOUNCED BY  TO           SINCE',
    'shop/cloud  -                            -       -         -             -            -',
    'shop/db     192.168.66.240               lan     L2        node3         eth0         5m',
    'shop/idle   192.168.66.241               lan     -         -             -            -',
    'shop/new    -                            -       -         -             -            -',
    'shop/web    198.51.100.7,2001:db8:77::7  fabric  BGP       node1         tor-a,tor-b  5m',
    '                                                 BGP       node2         tor-a        5m',
    '',
    'shop/cloud has no address: it is of class cloud.example/lb',
    'shop/idle is announced by nobody: no advertisement takes it, or it has no endpoint that could answer',
    'shop/new has no address: AddressPoolExhausted: pool lan has no free address',
    'shop/web at node2: BGPPeer tor-b: no session',
    'node2 is not ready: what stands here is what it said last',
    'BGPPeer tor-b has no session with node2: Down, hold timer expired',
  ]);
});

test('one Service, and what its condition says before any event', () => {
  const [web] = balancersOf(objects, 'shop/web').balancers;
  expect(web?.announcers.map(({ node, to }) => [node, to])).toEqual([
    ['node1', ['tor-a', 'tor-b']],
    ['node2', ['tor-a']],
  ]);
  const condition = { type: 'Ready', status: 'False', reason: 'WrongPool', message: 'there is no pool x' };
  const refused = { ...service('new', []), status: { conditions: [condition] } } as KubeObject;
  const answer = balancersOf({ ...objects, services: [refused] }, 'shop/new');
  expect(answer.balancers).toMatchObject([{ waits: 'WrongPool: there is no pool x' }]);
  expect(balancersOf(objects, 'shop/nobody').balancers).toEqual([]);
  expect(balancerLines(balancersOf({ ...objects, services: [] }), now)).toEqual([
    'there is no Service of type LoadBalancer',
  ]);
});

test('without any pool that is why', () => {
  const answer = balancersOf({ ...objects, pools: [], events: [] }, 'shop/new');
  expect(answer.balancers).toMatchObject([{ waits: 'there is no IPAddressPool' }]);
});

let api: TestServer;
let client: Client;

beforeAll(async () => {
  api = await testServer();
  const { authority, admin } = api.server.pki;
  client = createClient({
    server: api.url,
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
  });
});

afterAll(async () => {
  client?.close();
  await api?.close();
});

test('a cluster without these kinds is asked, too; then one with them', async () => {
  const plain = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
  } as KubeObject;
  await applyObjects(client, [plain]);
  expect(balancersOf(await balancerObjects(client)).balancers).toMatchObject([
    { service: 'default/web', waits: 'there is no IPAddressPool' },
  ]);
  await applyObjects(client, [crdOf(serviceL2StatusKind), crdOf(serviceBGPStatusKind)]);
  const status = {
    node: 'node1',
    serviceName: 'web',
    serviceNamespace: 'default',
    interfaces: [{ name: 'eth0' }],
  };
  const object = {
    apiVersion: 'metallb.io/v1beta1',
    kind: 'ServiceL2Status',
    metadata: { name: 'l2-x', namespace: 'default' },
  } as KubeObject;
  await applyObjects(client, [object]);
  const made = await client.get<KubeObject>(serviceL2StatusKind, 'l2-x', 'default');
  await client.updateStatus(serviceL2StatusKind, { ...made, status });
  const [web] = balancersOf(await balancerObjects(client)).balancers;
  expect(web?.announcers).toMatchObject([{ protocol: 'L2', node: 'node1', to: ['eth0'] }]);
});

test('a name that is none is wrong usage', () => {
  const netloom = fileURLToPath(new URL('../../../netloom', import.meta.url));
  const { status, stderr } = spawnSync(netloom, ['lb', 'a/b/c'], { encoding: 'utf8' });
  expect(stderr).toContain('netloom lb takes NAMESPACE/SERVICE');
  expect(status).toBe(2);
});
