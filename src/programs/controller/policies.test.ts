/** The controller between the lab's API server and nodes that speak through their leases: what it writes on policies, and when. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leaseType, namespaceType, nodeType, podType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { kinds } from '#api/kinds.ts';
import type { Condition, KubeObject, ResourceType } from '#api/object.ts';
import { adminNetworkPolicyType, networkPolicyType } from '#api/policies.ts';
import { type Client, createClient } from '#kube/client.ts';
import { createRecorder, eventType } from '#kube/events.ts';
import { startInformer } from '#kube/informer.ts';
import { type LabServer, startLabServer } from '#kube/testing/labserver.ts';
import { eventually } from '#lab/eventually.ts';
import { silentLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { formatReach, nodeLeaseName, policyAnnotation, systemNamespace } from '../node-lease.ts';
import { startCaches } from './caches.ts';
import { startController } from './controller.ts';

let api: LabServer;
let client: Client;
let stop: () => Promise<void>;
let metrics: () => string;

beforeAll(async () => {
  api = await startLabServer();
  client = createClient(api.config);
  for (const kind of kinds) await create({ plural: 'customresourcedefinitions', ...crd }, crdOf(kind));
  for (const name of [systemNamespace, 'shop'])
    await create(namespaceType, { metadata: { name, labels: { team: name } } });
  for (const name of ['n1', 'n2']) {
    const node = await create(nodeType, { metadata: { name } });
    const addresses = [{ type: 'InternalIP', address: `192.168.66.1${name.slice(1)}` }];
    await client.updateStatus(nodeType, { ...node, status: { addresses } } as KubeObject);
    await create(leaseType, { metadata: { name: nodeLeaseName(name), namespace: systemNamespace } });
    await say(name, '1');
    await pod(`web-${name}`, name, `10.244.${name.slice(1)}.5`);
  }
  stop = lead();
}, 60_000);

afterAll(async () => {
  await stop?.();
  client?.close();
  await api?.close();
});

const crd = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

const create = (type: ResourceType, object: object) => client.create(type, object as KubeObject);

/** A controller that leads until it is stopped. */
function lead(): () => Promise<void> {
  const caches = startCaches(client, silentLog);
  const recorder = createRecorder(client, { controller: 'netloom.dev/controller', instance: 'c' });
  const registry = createRegistry();
  metrics = () => registry.text();
  const controller = startController({
    client,
    caches,
    recorder,
    registry,
    leaseTimes: { defaultDurationMs: 40_000, marginMs: 10_000 },
    externalIPs: false,
    log: silentLog,
  });
  const over = new AbortController();
  const leading = Promise.all(Object.values(caches).map((cache) => cache.synced)).then(() =>
    controller.lead(over.signal),
  );
  return async () => {
    over.abort();
    await leading;
    for (const cache of Object.values(caches)) cache.stop();
    await recorder.stop();
  };
}

async function pod(name: string, nodeName: string, podIP: string): Promise<void> {
  const spec = { nodeName, containers: [{ name: 'main', image: 'i' }] };
  const made = await create(podType, { metadata: { name, namespace: 'shop' }, spec });
  const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }] };
  await client.updateStatus(podType, { ...made, status } as KubeObject);
}

/** What a node's agent says with a renewal. */
const say = (node: string, version: string | undefined) => {
  const text = formatReach({ versions: new Map([['AdminNetworkPolicy', version ?? '0']]), refused: 0 });
  const body = { metadata: { annotations: { [policyAnnotation]: text } } };
  return client.patch(
    leaseType,
    { name: nodeLeaseName(node), namespace: systemNamespace },
    { kind: 'merge', body },
  );
};

const get = () => client.get(adminNetworkPolicyType, 'tenants');

async function condition(type: string): Promise<string> {
  const { conditions = [] } = ((await get())['status'] ?? {}) as { conditions?: readonly Condition[] };
  const found = conditions.find((each) => each.type === type);
  return `${found?.status} ${found?.reason} ${found?.observedGeneration}: ${found?.message}`;
}

const selected = 'selects 2 pods: shop/web-n1, shop/web-n2';

test('in force is what every node with a selected pod has said so of', async () => {
  const spec = {
    priority: 10,
    subject: { namespaces: { matchLabels: { team: 'shop' } } },
    egress: [{ action: 'Deny', to: [{ networks: ['203.0.113.0/24'] }] }],
  };
  const { metadata } = await create(adminNetworkPolicyType, { metadata: { name: 'tenants' }, spec });
  await eventually(async () =>
    expect(await condition('InForce')).toBe(
      `False Pending 1: generation 1: not yet on n1, n2; on 0 of 2 nodes that need it; ${selected}`,
    ),
  );
  expect(await condition('Accepted')).toBe('True Accepted 1: all of it is used');
  expect(metrics()).toContain('policies_pending{kind="AdminNetworkPolicy"} 1\n');
  await say('n1', metadata.resourceVersion);
  await eventually(async () =>
    expect(await condition('InForce')).toBe(
      `False Pending 1: generation 1: not yet on n2; on 1 of 2 nodes that need it; ${selected}`,
    ),
  );
  // The status was written since: that is no new word of the policy.
  await say('n2', metadata.resourceVersion);
  await eventually(async () =>
    expect(await condition('InForce')).toBe(
      `True InForce 1: on 2 of 2 nodes that need it, since generation 1; ${selected}`,
    ),
  );
  expect(metrics()).toContain('policies_pending{kind="AdminNetworkPolicy"} 0\n');
});

test('nothing is written while nothing changes, nor by a controller that takes over', async () => {
  const written: KubeObject[] = [];
  const informer = startInformer(client, adminNetworkPolicyType);
  await informer.synced;
  informer.onChange(({ old, new: policy }) => {
    if (old !== undefined && policy !== undefined) written.push(policy);
  });
  await stop();
  stop = lead();
  // What it writes because of this comes after all that it might have written before.
  await pod('web-more', 'n1', '10.244.1.6');
  await eventually(() => expect(written).toHaveLength(1));
  informer.stop();
  expect(await condition('InForce')).toBe(
    'True InForce 1: on 2 of 2 nodes that need it, since generation 1; selects 3 pods: shop/web-more, shop/web-n1, shop/web-n2',
  );
});

test('a change is in force when it has arrived anew; a deleted pod’s node needs it no longer', async () => {
  const body = { spec: { priority: 11 } };
  const changed = await client.patch(adminNetworkPolicyType, { name: 'tenants' }, { kind: 'merge', body });
  await eventually(async () =>
    expect(await condition('InForce')).toContain(
      'False Pending 2: generation 2: not yet on n1, n2; on 0 of 2',
    ),
  );
  await say('n1', changed.metadata.resourceVersion);
  await client.delete(podType, 'web-n2', { namespace: 'shop', gracePeriodSeconds: 0 });
  // It lives, and the next pod may be one of its own.
  await eventually(async () =>
    expect(await condition('InForce')).toContain(
      'False Pending 2: generation 2: not yet on n2; on 1 of 1 node that needs it; selects 2 pods',
    ),
  );
  await say('n2', changed.metadata.resourceVersion);
  await eventually(async () =>
    expect(await condition('InForce')).toContain(
      'True InForce 2: on 1 of 1 node that needs it, since generation 2; selects 2 pods',
    ),
  );
});

test('of two that ask for one turn it is said who is first', async () => {
  const spec = {
    priority: 11,
    subject: { namespaces: {} },
    egress: [{ action: 'Allow', to: [{ namespaces: {} }] }],
  };
  await create(adminNetworkPolicyType, { metadata: { name: 'also' }, spec });
  const tie =
    'spec.priority: of those with priority 11 AdminNetworkPolicy also is asked before; give each its own';
  await eventually(async () => expect(await condition('Ready')).toBe(`True EqualPriority 2: ${tie}`));
});

test('what is wrong with a NetworkPolicy, which has no status, is an event, and told once', async () => {
  const spec = {
    podSelector: {},
    policyTypes: ['Ingress'],
    egress: [{}],
  };
  await create(networkPolicyType, { metadata: { name: 'half', namespace: 'shop' }, spec });
  const events = async () => {
    const { items } = await client.list(eventType, { namespace: 'shop' });
    return items.filter(({ regarding }) => (regarding as { name?: string }).name === 'half');
  };
  await eventually(async () =>
    expect(await events()).toMatchObject([
      { type: 'Warning', reason: 'WithoutEffect', regarding: { kind: 'NetworkPolicy' } },
    ]),
  );
});
