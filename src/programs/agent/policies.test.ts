/** Policy in the agent as a process: what it hands over and in which order, what it watches when, and what it says is in force. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { leaseType, namespaceType, nodeType, podType } from '#api/core.ts';
import { crdOf } from '#api/crd.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { adminNetworkPolicyType, networkPolicyType, policyGroup } from '#api/policies.ts';
import type { Domain, IntentChange } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { nodeLeaseName, parseReach, policyAnnotation, systemNamespace } from '../node-lease.ts';
import { crdType, startAgent, type TestedAgent } from './testing.ts';

let agent: TestedAgent;

beforeAll(async () => {
  agent = await startAgent(kinds.filter(({ group }) => group !== policyGroup));
  await create(namespaceType, { metadata: { name: 'shop', labels: { team: 'shop' } } });
  for (const [index, name] of ['n1', 'n2'].entries()) {
    const node = await create(nodeType, { metadata: { name } });
    const addresses = [{ type: 'InternalIP', address: `192.168.66.1${index + 1}` }];
    await agent.client.updateStatus(nodeType, { ...node, status: { addresses } } as KubeObject);
  }
  await pod('web', 'n1', '10.244.0.5');
  await pod('far', 'n2', '10.244.9.9');
  await eventually(() => expect(whole('pods')).toHaveProperty('shop/web'));
}, 60_000);

afterAll(() => agent?.close());

const create = (type: ResourceType, object: object) => agent.client.create(type, object as KubeObject);

async function pod(name: string, nodeName: string, podIP?: string): Promise<void> {
  const spec = { nodeName, containers: [{ name: 'main', image: 'i' }] };
  const metadata = { name, namespace: 'shop', labels: { app: name } };
  const made = await create(podType, { metadata, spec });
  if (podIP === undefined) return;
  const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }] };
  await agent.client.updateStatus(podType, { ...made, status } as KubeObject);
}

const isolate = (name: string, app: string, peer: string) =>
  create(networkPolicyType, {
    metadata: { name, namespace: 'shop' },
    spec: {
      podSelector: { matchLabels: { app } },
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ podSelector: { matchLabels: { app: peer } } }] }],
    },
  });

/** A domain as the changes up to one of them make it. */
function whole(domain: Domain, upTo = agent.changes.length): Record<string, unknown> {
  let entries: Record<string, unknown> = {};
  for (const change of agent.changes.slice(0, upTo)) {
    if (change.replace) entries = {};
    for (const key of change.remove[domain] ?? []) delete entries[key];
    Object.assign(entries, change.put[domain]);
  }
  return entries;
}

const first = (has: (change: IntentChange) => boolean): number => {
  const index = agent.changes.findIndex(has);
  if (index === -1) throw new Error(`not handed over yet\n${agent.log()}`);
  return index;
};

const reach = async () => {
  const lease = await agent.client.get(leaseType, nodeLeaseName('n1'), systemNamespace);
  return parseReach(lease.metadata.annotations?.[policyAnnotation]).versions;
};

const peers = async () => /^netloom_agent_policy_peers (\d+)$/m.exec(await agent.metrics())?.[1];

test('without a policy nothing of it is handed over, and pods of other nodes are nobody’s business', async () => {
  for (const domain of ['policySubjects', 'policyDecisions', 'policyAddresses', 'policyPrefixes'] as const)
    expect(whole(domain)).toEqual({});
  expect(await peers()).toBe('0');
  // Kinds that nobody installed are no failure, and nobody is told of them as of one.
  expect(agent.log()).not.toContain('a list failed');
  await eventually(async () => expect([...(await reach()).keys()]).toEqual(['NetworkPolicy']));
});

test('the first policy brings the pods of other nodes, and none of it is handed over before they are known', async () => {
  const before = agent.changes.length;
  const policy = await isolate('web', 'web', 'far');
  const told = await eventually(() => first(({ put }) => put.policySubjects?.['shop/web'] !== undefined));
  expect(told).toBeGreaterThanOrEqual(before);
  const addresses = Object.keys(whole('policyAddresses', told + 1));
  expect(addresses).toContain('pod shop/far');
  expect(await peers()).toBe('1');
  // In force counts from the version of the policy.
  const version = Number(policy.metadata.resourceVersion);
  await eventually(async () =>
    expect(Number((await reach()).get('NetworkPolicy'))).toBeGreaterThanOrEqual(version),
  );
});

test('a pod that starts is a subject by the time its ADD may go on', async () => {
  for (let i = 0; i < 10; i += 1) await isolate(`late${i}`, `late${i}`, 'far');
  await eventually(async () =>
    expect(await agent.metrics()).toMatch(/policies\{kind="NetworkPolicy"\} 11$/m),
  );
  for (let i = 0; i < 10; i += 1) await pod(`late${i}`, 'n1');
  for (let i = 0; i < 10; i += 1) {
    const key = `shop/late${i}`;
    const added = await eventually(() => first(({ put }) => put.pods?.[key] !== undefined));
    expect(whole('policySubjects', added + 1)).toHaveProperty([key]);
  }
});

test('labels that change on a namespace or a far pod are another verdict at once', async () => {
  const identities = () => JSON.stringify(whole('policyAddresses')['pod shop/far']);
  const before = identities();
  const far = await agent.client.get(podType, 'far', 'shop');
  await agent.client.update(podType, { ...far, metadata: { ...far.metadata, labels: { app: 'else' } } });
  await eventually(() => expect(identities()).not.toBe(before));
  await agent.client.patch(
    namespaceType,
    { name: 'shop' },
    { kind: 'merge', body: { metadata: { annotations: { 'netloom.dev/audit': 'true' } } } },
  );
  await eventually(() => expect(JSON.stringify(whole('policyDecisions'))).toContain('"audit"'));
  expect(JSON.stringify(whole('policyDecisions'))).not.toContain('"deny"');
});

test('a pod that is deleted by force is held to its policies until it is unplugged', async () => {
  const { metadata } = await agent.client.get(podType, 'late0', 'shop');
  agent.wire({ namespace: 'shop', name: 'late0', uid: metadata.uid ?? '' });
  for (const name of ['late0', 'late1'])
    await agent.client.delete(podType, name, { namespace: 'shop', gracePeriodSeconds: 0 });
  // The other one has no interface, so nothing is to be waited for.
  await eventually(() => expect(whole('policySubjects')).not.toHaveProperty(['shop/late1']));
  expect(whole('policySubjects')).toHaveProperty(['shop/late0']);
  expect(whole('pods')).not.toHaveProperty(['shop/late0']);
  agent.wire();
  await eventually(() => expect(whole('policySubjects')).not.toHaveProperty(['shop/late0']));
});

test('a kind that is installed later is found, and its policies are held', async () => {
  for (const kind of kinds.filter(({ group }) => group === policyGroup)) await create(crdType, crdOf(kind));
  const spec = {
    priority: 7,
    subject: { namespaces: { matchLabels: { team: 'shop' } } },
    egress: [{ action: 'Deny', to: [{ networks: ['203.0.113.0/24'] }] }],
  };
  const policy = await eventually(() =>
    create(adminNetworkPolicyType, { metadata: { name: 'closed' }, spec }),
  );
  const version = Number(policy.metadata.resourceVersion);
  await eventually(async () => {
    expect(whole('policyPrefixes')).toHaveProperty(['203.0.113.0/24']);
    expect(Number((await reach()).get('AdminNetworkPolicy'))).toBeGreaterThanOrEqual(version);
  }, 90_000);
}, 100_000);

test('when the last policy goes nothing is left of it', async () => {
  await agent.client.delete(adminNetworkPolicyType, 'closed');
  const { items } = await agent.client.list(networkPolicyType, {});
  for (const { metadata } of items)
    await agent.client.delete(networkPolicyType, metadata.name, { namespace: 'shop' });
  await eventually(() => {
    for (const domain of ['policySubjects', 'policyDecisions', 'policyAddresses', 'policyPrefixes'] as const)
      expect(whole(domain)).toEqual({});
  });
});
