/** The first policy of a cluster, while the server takes its time to tell of other nodes' pods: nothing is cut, and nobody starts unjudged. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { namespaceType, nodeType, podType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { networkPolicyType } from '#api/policies.ts';
import { type Client, createClient } from '#kube/client.ts';
import { type LabServer, startLabServer } from '#kube/testing/labserver.ts';
import { eventually } from '#lab/eventually.ts';
import { silentLog } from '#telemetry/log.ts';
import { type Feed, startFeed } from './feed.ts';
import type { Delta } from './handover.ts';
import { crdType } from './testing.ts';

let api: LabServer;
let client: Client;
let feed: Feed;
/** Lets the server answer who asks for the pods of the whole cluster. */
let letThrough: () => void;
/** What was told, in order: entries that were put, and pods that may start. */
const told: string[] = [];

beforeAll(async () => {
  api = await startLabServer();
  client = createClient(api.config);
  for (const kind of kinds) await create(crdType, crdOf(kind));
  await eventually(() =>
    create(subnetKind, { metadata: { name: 'default' }, spec: { cidrs: ['10.244.0.0/16'] } }),
  );
  await create(namespaceType, { metadata: { name: 'shop' } });
  const node = await create(nodeType, { metadata: { name: 'n1' } });
  const addresses = [{ type: 'InternalIP', address: '192.168.66.11' }];
  await client.updateStatus(nodeType, { ...node, status: { addresses } } as KubeObject);
  await pod('old', 'n1', '10.244.0.5');
  await pod('far', 'n2', '10.244.9.9');
  const { promise: gate, resolve } = Promise.withResolvers<void>();
  letThrough = resolve;
  const slow: Client = {
    ...client,
    list: async (type, options) => {
      if (type === podType && options?.fieldSelector === undefined) await gate;
      return client.list(type, options);
    },
  };
  const options = {
    externalIPs: false,
    loadBalancers: {},
    nodePortAddresses: () => [],
    localAddresses: () => [],
    endpoints: async () => [],
  };
  feed = startFeed(
    slow,
    'n1',
    silentLog,
    options,
    ({ put }: Delta) => {
      for (const [domain, entries] of Object.entries(put))
        told.push(...Object.keys(entries).map((key) => `${domain} ${key}`));
    },
    () => {
      for (const { pod: each, placed } of feed?.placed() ?? [])
        if (!('refused' in placed)) told.push(`may start ${each.name}`);
    },
  );
  await feed.synced;
}, 60_000);

afterAll(async () => {
  feed?.stop();
  client?.close();
  await api?.close();
});

const create = (type: ResourceType, object: object) => client.create(type, object as KubeObject);

async function pod(name: string, nodeName: string, podIP?: string): Promise<void> {
  const spec = { nodeName, containers: [{ name: 'main', image: 'i' }] };
  const made = await create(podType, { metadata: { name, namespace: 'shop' }, spec });
  const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }] };
  if (podIP !== undefined) await client.updateStatus(podType, { ...made, status } as KubeObject);
}

const refusalOf = (name: string): string | undefined => {
  for (const { pod: each, placed } of feed.placed())
    if (each.name === name) return 'refused' in placed ? placed.refused : undefined;
  throw new Error(`${name} is not known yet`);
};

test('policy waits for the pods of other nodes, and new pods of this one wait for policy', async () => {
  const spec = { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: {} }] }] };
  await create(networkPolicyType, { metadata: { name: 'first', namespace: 'shop' }, spec });
  await eventually(() => expect(feed.policies.counts().get('NetworkPolicy')).toBe(1));
  await pod('new', 'n1');
  await eventually(() => expect(refusalOf('new')).toContain('first policies'));
  expect(refusalOf('old')).toBeUndefined();
  expect(told.filter((line) => line.startsWith('policy'))).toEqual([]);
  expect(feed.policies.position()).toBeUndefined();

  letThrough();
  await eventually(() => expect(refusalOf('new')).toBeUndefined());
  for (const entry of ['policySubjects shop/old', 'policySubjects shop/new', 'policyAddresses pod shop/far'])
    expect(told.indexOf(entry), entry).toBeGreaterThan(-1);
  expect(told.indexOf('policySubjects shop/new')).toBeLessThan(told.indexOf('may start new'));
});
