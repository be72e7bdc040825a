/** What users see of a node that answers for Services' addresses, against the lab's API server. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { namespaceType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { type ServiceL2Status, serviceL2StatusKind } from '#api/kinds/servicel2status.ts';
import type { KubeObject } from '#api/object.ts';
import { type Client, createClient } from '#kube/client.ts';
import { type Kubectl, openKubectl } from '#lab/apiserver/testing-kubectl.ts';
import { eventually } from '#lab/eventually.ts';
import type { LoadBalancerModel } from '#model/loadbalancer.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry, type Registry } from '#telemetry/metrics.ts';
import { systemNamespace } from '../node-lease.ts';
import { type L2Status, startL2Status } from './l2-status.ts';

let kubectl: Kubectl;
let client: Client;
let status: L2Status | undefined;
let registry: Registry;
const events: string[] = [];
const since = '2026-01-01T00:00:00Z';
const at = (address: string, ...interfaces: string[]) => ({ address, interfaces, since });

const services: Record<string, readonly string[]> = {
  '192.0.2.1': ['web'],
  '2001:db8::1': ['web'],
  '192.0.2.2': ['shared-a', 'shared-b'],
};
const servicesAt = (address: string): readonly LoadBalancerModel[] =>
  (services[address] ?? []).map(
    (name) =>
      ({
        key: `shop/${name}`,
        namespace: 'shop',
        uid: name,
        origin: { kind: 'Service', namespace: 'shop', name },
      }) as LoadBalancerModel,
  );

function start(node = 'n1'): L2Status {
  status?.stop();
  registry = createRegistry();
  const recorder = {
    event: ({ regarding, reason, note }: { regarding: { name: string }; reason: string; note: string }) =>
      void events.push(`${regarding.name} ${reason} ${note}`),
  };
  status = startL2Status({ client, node, servicesAt, recorder, registry, log: silentLog });
  return status;
}

beforeAll(async () => {
  kubectl = await openKubectl();
  const { authority, admin } = kubectl.api.server.pki;
  client = createClient({
    server: kubectl.api.url,
    ca: authority.certificate,
    cert: admin.certificate,
    key: admin.key,
  });
  const namespace = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: systemNamespace },
  } as KubeObject;
  await client.create(namespaceType, namespace);
  expect(await kubectl.apply(crdOf(serviceL2StatusKind))).toMatchObject({ code: 0 });
  await kubectl.good('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s');
}, 60_000);
beforeEach(() => void events.splice(0));
afterAll(async () => {
  status?.stop();
  client?.close();
  await kubectl?.close();
});

async function told(): Promise<readonly string[]> {
  const { items } = await client.list<ServiceL2Status>(serviceL2StatusKind, { namespace: systemNamespace });
  return items
    .map(
      ({ metadata, status: now }) =>
        `${metadata.labels?.['metallb.io/node']} ${metadata.labels?.['metallb.io/service-namespace']}/${metadata.labels?.['metallb.io/service-name']}: ` +
        `${now?.node} ${now?.serviceNamespace}/${now?.serviceName} ${(now?.interfaces ?? []).map(({ name }) => name).join(',')}`,
    )
    .sort();
}

test('each Service that is answered for has a status of its own, with its interfaces, and an event when that begins', async () => {
  const running = start();
  running.set([at('192.0.2.1', 'eth0'), at('2001:db8::1', 'eth1', 'eth0'), at('192.0.2.2', 'eth0')], false);
  await eventually(async () =>
    expect(await told()).toEqual([
      'n1 shop/shared-a: n1 shop/shared-a eth0',
      'n1 shop/shared-b: n1 shop/shared-b eth0',
      'n1 shop/web: n1 shop/web eth0,eth1',
    ]),
  );
  expect(events.toSorted()).toEqual(
    ['shared-a', 'shared-b', 'web'].map(
      (name) => `${name} nodeAssigned announcing from node "n1" with protocol "layer2"`,
    ),
  );
  expect(registry.text()).toContain(
    'metallb_speaker_announced{protocol="layer2",service="shop/web",node="n1",ip="2001:db8::1"} 1',
  );
  running.set([at('192.0.2.1', 'eth0')], false);
  await eventually(async () => expect(await told()).toEqual(['n1 shop/web: n1 shop/web eth0']));
  expect(registry.text()).not.toContain('shared-a');
  expect(events).toHaveLength(3);
  // A Service may come to an address that is answered for already.
  services['192.0.2.1'] = ['web', 'joined'];
  running.servicesChanged();
  await eventually(async () => expect(await told()).toHaveLength(2));
  start().set([at('192.0.2.1', 'eth0')], false);
  await eventually(() => expect(events).toHaveLength(4));
  services['192.0.2.1'] = ['web'];
  status!.servicesChanged();
  await eventually(async () => expect(await told()).toHaveLength(1));
  expect(events).toHaveLength(4);
});

test('what a node wrote that answers no more goes when another one does, although it is dead', async () => {
  start('n3').set([at('192.0.2.2', 'eth0')], false);
  await eventually(async () => expect(await told()).toHaveLength(3));
  start('n1').set([at('192.0.2.1', 'eth0'), at('192.0.2.2', 'eth7')], true);
  await eventually(async () =>
    expect(await told()).toEqual([
      'n1 shop/shared-a: n1 shop/shared-a eth7',
      'n1 shop/shared-b: n1 shop/shared-b eth7',
      'n1 shop/web: n1 shop/web eth0',
    ]),
  );
  status!.set([at('192.0.2.1', 'eth0')], false);
  await eventually(async () => expect(await told()).toHaveLength(1));
});

test('what an earlier process wrote goes when it is so no more, and what other nodes wrote stays', async () => {
  start('n2').set([at('192.0.2.2', 'eth0')], false);
  await eventually(async () => expect(await told()).toHaveLength(3));
  start('n1').servicesChanged();
  expect(await told()).toHaveLength(3);
  status!.set([], false);
  await eventually(async () =>
    expect(await told()).toEqual([
      'n2 shop/shared-a: n2 shop/shared-a eth0',
      'n2 shop/shared-b: n2 shop/shared-b eth0',
    ]),
  );
});
