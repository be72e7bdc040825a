/** Pods: what admission adds, binding, eviction; and events in both groups. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, answered, type TestServer, testServer } from './testing.ts';

let api: TestServer;
const path = '/api/v1/namespaces/default/pods';
const container = { name: 'c', image: 'echo' };

beforeAll(async () => {
  api = await testServer();
  await answered(
    () => api.call('GET', '/api/v1/namespaces/default/serviceaccounts/default'),
    ({ code }) => code === 200,
  );
});

afterAll(() => api.close());

function create(name: string, spec: object = {}, labels: object = {}): Promise<Answer> {
  return api.call('POST', path, { metadata: { name, labels }, spec: { containers: [container], ...spec } });
}

describe('a new pod', () => {
  it('gets service account, token, tolerations, priority and a status', async () => {
    const { body } = await create('new');
    expect(body.spec).toMatchObject({
      serviceAccountName: 'default',
      priority: 0,
      preemptionPolicy: 'PreemptLowerPriority',
    });
    const [mount] = body.spec.containers[0].volumeMounts;
    expect(mount).toMatchObject({
      mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
      readOnly: true,
    });
    expect(body.spec.volumes[0]).toMatchObject({ name: mount.name, projected: { sources: { length: 3 } } });
    expect(body.spec.tolerations.map(({ key }: { key: string }) => key)).toEqual([
      'node.kubernetes.io/not-ready',
      'node.kubernetes.io/unreachable',
    ]);
    expect(body.status).toMatchObject({ phase: 'Pending', qosClass: 'BestEffort' });
  });

  it('keeps to what it and its account say', async () => {
    const off = await create('off', { automountServiceAccountToken: false });
    expect(off.body.spec.volumes).toBeUndefined();
    expect((await create('who', { serviceAccountName: 'nobody' })).body.message).toContain(
      'serviceaccount "nobody" not found',
    );
    const critical = await create('critical', { priorityClassName: 'system-node-critical' });
    expect(critical.body.spec.priority).toBe(2_000_001_000);
    expect((await create('lost', { priorityClassName: 'none' })).code).toBe(400);
    expect((await create('high', { priority: 7 })).code).toBe(422);
    const everywhere = await create('everywhere', { tolerations: [{ operator: 'Exists' }] });
    expect(everywhere.body.spec.tolerations).toHaveLength(1);
    const full = {
      resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { cpu: '1', memory: '1Gi' } },
    };
    expect((await create('sure', { containers: [{ ...container, ...full }] })).body.status.qosClass).toBe(
      'Guaranteed',
    );
  });

  it('may change little later', async () => {
    const { body } = await create('fixed');
    const image = {
      ...body,
      spec: { ...body.spec, containers: [{ ...body.spec.containers[0], image: 'echo:2' }] },
    };
    const changed = await api.call('PUT', `${path}/fixed`, image);
    expect(changed.code).toBe(200);
    const moved = { ...changed.body, spec: { ...changed.body.spec, nodeName: 'n9' } };
    expect((await api.call('PUT', `${path}/fixed`, moved)).code).toBe(422);
  });
});

describe('binding', () => {
  it('gives a node once', async () => {
    await create('bound');
    const bind = (node: string) =>
      api.call('POST', `${path}/bound/binding`, {
        metadata: { name: 'bound' },
        target: { kind: 'Node', name: node },
      });
    expect((await bind('n1')).code).toBe(201);
    const { body } = await api.call('GET', `${path}/bound`);
    expect(body.spec.nodeName).toBe('n1');
    expect(body.status.conditions[0]).toMatchObject({ type: 'PodScheduled', status: 'True' });
    expect((await bind('n2')).code).toBe(409);
    expect((await bind('')).code).toBe(422);
    const mine = await api.call('GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1');
    expect(mine.body.items).toHaveLength(1);
  });
});

describe('eviction', () => {
  it('deletes unless a budget forbids it', async () => {
    const ready = { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } };
    for (const name of ['e1', 'e2']) {
      await create(name, { nodeName: 'n1' }, { budget: 'b' });
      await api.call('PATCH', `${path}/${name}/status`, ready, { type: 'application/merge-patch+json' });
    }
    await api.call('POST', '/apis/policy/v1/namespaces/default/poddisruptionbudgets', {
      metadata: { name: 'b' },
      spec: { minAvailable: '50%', selector: { matchLabels: { budget: 'b' } } },
    });
    const evict = (name: string) =>
      api.call('POST', `${path}/${name}/eviction`, {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { name },
      });
    expect((await evict('e1')).code).toBe(201);
    expect((await api.call('GET', `${path}/e1`)).body.metadata.deletionTimestamp).toBeDefined();
    const held = await evict('e2');
    expect(held.code).toBe(429);
    expect(held.body.details.causes[0]).toMatchObject({ reason: 'DisruptionBudget' });
    expect((await evict('nobody')).code).toBe(404);
  });
});

describe('events', () => {
  it('are the same in both groups, each with its own field names', async () => {
    const involved = { kind: 'Pod', namespace: 'default', name: 'new', apiVersion: 'v1' };
    const made = await api.call('POST', '/apis/events.k8s.io/v1/namespaces/default/events', {
      metadata: { name: 'ev' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'netloom.dev/agent',
      reportingInstance: 'agent-n1',
      action: 'Wire',
      reason: 'Wired',
      type: 'Normal',
      regarding: involved,
      note: 'all good',
    });
    expect([made.code, made.body.note]).toEqual([201, 'all good']);
    const core = await api.call(
      'GET',
      '/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dnew',
    );
    expect(core.body.items[0]).toMatchObject({
      apiVersion: 'v1',
      message: 'all good',
      involvedObject: involved,
      reportingComponent: 'netloom.dev/agent',
    });
    const again = await api.call(
      'GET',
      '/apis/events.k8s.io/v1/namespaces/default/events?fieldSelector=regarding.name%3Dnew',
    );
    expect(again.body.items).toEqual([made.body]);
    const watching = await api.watch(
      '/apis/events.k8s.io/v1/events?watch=1&fieldSelector=regarding.kind%3DPod',
    );
    await watching.until((events) => events.length === 1);
    expect(watching.events[0]!.object['note']).toBe('all good');
    watching.stop();
  });
});

describe('discovery', () => {
  it('is aggregated for those who ask, and remembered by its tag', async () => {
    const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json';
    const { body, headers } = await api.call('GET', '/apis', undefined, { accept });
    expect(body.kind).toBe('APIGroupDiscoveryList');
    const apps = body.items.find((group: { metadata: { name: string } }) => group.metadata.name === 'apps');
    const deployments = apps.versions[0].resources.find(
      ({ resource }: { resource: string }) => resource === 'deployments',
    );
    expect(deployments).toMatchObject({ scope: 'Namespaced', shortNames: ['deploy'], categories: ['all'] });
    expect(deployments.subresources.map(({ subresource }: { subresource: string }) => subresource)).toEqual([
      'scale',
      'status',
    ]);
    const again = await api.call('GET', '/apis', undefined, {
      accept,
      headers: { 'if-none-match': String(headers['etag']) },
    });
    expect([again.code, again.text]).toEqual([304, '']);
    const core = await api.call('GET', '/api', undefined, { accept });
    expect(core.body.items[0].versions[0].version).toBe('v1');
  });
});
