/** Where Services are announced, against the lab's API server: what the controller writes on them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leaseType, namespaceType, nodeType, serviceType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { l2AdvertisementKind } from '#api/kinds/l2advertisement.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject } from '#api/object.ts';
import { type Client, createClient } from '#kube/client.ts';
import { createRecorder } from '#kube/events.ts';
import { type Kubectl, openKubectl } from '#lab/apiserver/testing-kubectl.ts';
import { eventually } from '#lab/eventually.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { nodeLeaseName, systemNamespace } from '../node-lease.ts';
import { startCaches } from './caches.ts';
import { startController } from './controller.ts';

let kubectl: Kubectl;
let client: Client;
let stop: () => Promise<void>;
const nodes = ['n1', 'n2', 'n3'];

const make = (apiVersion: string, kind: string, name: string, rest: object, namespace?: string): KubeObject =>
  ({
    apiVersion,
    kind,
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    ...rest,
  }) as KubeObject;
const balancer = (name: string, spec: object = {}): KubeObject =>
  make(
    'v1',
    'Service',
    name,
    { spec: { type: 'LoadBalancer', ports: [{ port: 80 }], selector: { app: name }, ...spec } },
    'default',
  );

async function addNode(name: string, labels: Record<string, string> = {}): Promise<void> {
  const node = make('v1', 'Node', name, {});
  await client.create(nodeType, { ...node, metadata: { ...node.metadata, labels } });
  const status = { addresses: [{ type: 'InternalIP', address: `192.0.2.${name.slice(1)}` }] };
  await client.patch(nodeType, { name, subresource: 'status' }, { kind: 'merge', body: { status } });
  const spec = {
    holderIdentity: name,
    leaseDurationSeconds: 600,
    renewTime: new Date().toISOString().replace('Z', '000Z'),
  };
  await client.create(
    leaseType,
    make('coordination.k8s.io/v1', 'Lease', nodeLeaseName(name), { spec }, systemNamespace),
  );
}

beforeAll(async () => {
  kubectl = await openKubectl();
  const { authority, admin } = kubectl.api.server.pki;
  client = createClient({
    server: kubectl.api.url,
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
    requestsPerSecond: 5_000,
    burst: 5_000,
  });
  await client.create(namespaceType, make('v1', 'Namespace', systemNamespace, {}));
  for (const kind of kinds) expect(await kubectl.apply(crdOf(kind))).toMatchObject({ code: 0 });
  await kubectl.good('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s');
  for (const name of nodes) await addNode(name);
  const caches = startCaches(client, silentLog, { loadBalancers: {} });
  await Promise.all(Object.values(caches).map((cache) => cache.synced));
  const recorder = createRecorder(client, {
    controller: 'netloom.dev/controller',
    instance: 'test',
    log: silentLog,
  });
  const stopped = new AbortController();
  const controller = startController({
    client,
    caches,
    recorder,
    registry: createRegistry(),
    leaseTimes: { defaultDurationMs: 600_000, marginMs: 600_000 },
    externalIPs: false,
    loadBalancers: {},
    log: silentLog,
  });
  const led = controller.lead(stopped.signal);
  stop = async () => {
    stopped.abort();
    await led;
    for (const cache of Object.values(caches)) cache.stop();
    await recorder.stop();
  };
}, 60_000);
afterAll(async () => {
  await stop?.();
  client?.close();
  await kubectl?.close();
});

async function announcers(): Promise<Record<string, string | undefined>> {
  const { items } = await client.list(serviceType, { namespace: 'default' });
  return Object.fromEntries(
    items.flatMap(({ metadata, ...rest }) =>
      (rest as { spec?: { type?: string } }).spec?.type === 'LoadBalancer'
        ? [[metadata.name, metadata.annotations?.['netloom.dev/announcer']]]
        : [],
    ),
  );
}
const counts = (places: Record<string, string | undefined>) =>
  ['n1', 'n2', 'n3', 'n4'].map((node) => Object.values(places).filter((each) => each === node).length);

test('Services are spread evenly, and move only as a node comes, is excluded or preferred', async () => {
  await client.create(
    { ...l2AdvertisementKind, plural: 'ipaddresspools', kind: 'IPAddressPool' },
    make(
      'metallb.io/v1beta1',
      'IPAddressPool',
      'lan',
      { spec: { addresses: ['203.0.113.0/24'] } },
      'default',
    ),
  );
  for (let i = 0; i < 6; i++) await client.create(serviceType, balancer(`s${i}`));
  await eventually(async () => {
    const { items } = await client.list(serviceType, { namespace: 'default' });
    const shown = items.filter((each) => JSON.stringify(each).includes('203.0.113.'));
    expect(shown).toHaveLength(6);
  });
  expect(counts(await announcers())).toEqual([0, 0, 0, 0]);

  await client.create(
    l2AdvertisementKind,
    make('metallb.io/v1beta1', 'L2Advertisement', 'lan', { spec: {} }, 'default'),
  );
  await eventually(async () => expect(counts(await announcers())).toEqual([2, 2, 2, 0]));
  const first = await announcers();

  const excluded = { 'node.kubernetes.io/exclude-from-external-load-balancers': '' };
  await client.patch(nodeType, { name: 'n1' }, { kind: 'merge', body: { metadata: { labels: excluded } } });
  await eventually(async () => expect(counts(await announcers())).toEqual([0, 3, 3, 0]));
  for (const [name, place] of Object.entries(await announcers()))
    if (first[name] !== 'n1') expect(place).toBe(first[name]);

  await addNode('n4', { fast: 'yes' });
  await eventually(async () => expect(counts(await announcers())).toEqual([0, 2, 2, 2]));

  const spec = { preferredNodeSelectors: [{ weight: 5, preference: { matchLabels: { fast: 'yes' } } }] };
  await client.patch(
    l2AdvertisementKind,
    { name: 'lan', namespace: 'default' },
    { kind: 'merge', body: { spec } },
  );
  await eventually(async () => expect(counts(await announcers())).toEqual([0, 0, 0, 6]));
});

test('externalTrafficPolicy Local is announced where its endpoints are', async () => {
  await client.create(serviceType, balancer('local', { externalTrafficPolicy: 'Local' }));
  const endpoints = (node: string) => [
    { addresses: ['10.244.0.9'], nodeName: node, conditions: { ready: true } },
  ];
  const slice = {
    ...make('discovery.k8s.io/v1', 'EndpointSlice', 'local-1', {
      addressType: 'IPv4',
      ports: [{ port: 80, protocol: 'TCP' }],
      endpoints: endpoints('n2'),
    }),
    metadata: { name: 'local-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'local' } },
  } as KubeObject;
  expect(await kubectl.apply(slice)).toMatchObject({ code: 0 });
  await eventually(async () => expect((await announcers())['local']).toBe('n2'));
  expect(await kubectl.apply({ ...slice, endpoints: endpoints('n3') } as KubeObject)).toMatchObject({
    code: 0,
  });
  await eventually(async () => expect((await announcers())['local']).toBe('n3'));
});
