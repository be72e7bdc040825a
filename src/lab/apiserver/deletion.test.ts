/** Deletion: finalizers, grace, preconditions, owners, namespaces. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { answered, type TestServer, testServer } from './testing.ts';

let api: TestServer;
const root = '/api/v1/namespaces/default';
const merge = { type: 'application/merge-patch+json' };

beforeAll(async () => {
  api = await testServer();
  await furnished('default');
});

afterAll(() => api.close());

function furnished(namespace: string): Promise<unknown> {
  return answered(
    () => api.call('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`),
    ({ code }) => code === 200,
  );
}

function gone(path: string): Promise<unknown> {
  return answered(
    () => api.call('GET', path),
    ({ code }) => code === 404,
  );
}

async function make(name: string, owners: readonly object[] = [], finalizers: readonly string[] = []) {
  const metadata = { name, ownerReferences: owners, finalizers };
  const { body } = await api.call('POST', `${root}/configmaps`, { metadata });
  return { apiVersion: 'v1', kind: 'ConfigMap', name, uid: body.metadata.uid as string };
}

function exists(name: string): Promise<boolean> {
  return api.call('GET', `${root}/configmaps/${name}`).then(({ code }) => code === 200);
}

describe('delete', () => {
  it('removes at once and says what was removed', async () => {
    const { uid } = await make('plain');
    const { code, body } = await api.call('DELETE', `${root}/configmaps/plain`);
    expect(code).toBe(200);
    expect(body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: 'plain', kind: 'configmaps', uid },
    });
    expect((await api.call('DELETE', `${root}/configmaps/plain`)).code).toBe(404);
  });

  it('waits for finalizers, and allows no new ones meanwhile', async () => {
    await make('held', [], ['example.com/hold']);
    const path = `${root}/configmaps/held`;
    const { code, body } = await api.call('DELETE', path);
    expect(code).toBe(200);
    expect(body.metadata.deletionTimestamp).toBeDefined();
    const again = await api.call('DELETE', path);
    expect(again.body.metadata.resourceVersion).toBe(body.metadata.resourceVersion);
    const more = { metadata: { finalizers: ['example.com/hold', 'example.com/more'] } };
    expect((await api.call('PATCH', path, more, merge)).code).toBe(422);
    expect((await api.call('PATCH', path, { metadata: { finalizers: null } }, merge)).code).toBe(200);
    expect((await api.call('GET', path)).code).toBe(404);
  });

  it('checks preconditions', async () => {
    const { uid } = await make('exact');
    const path = `${root}/configmaps/exact`;
    const remove = (preconditions: object) =>
      api.call('DELETE', path, { kind: 'DeleteOptions', apiVersion: 'v1', preconditions });
    expect((await remove({ uid: 'other' })).code).toBe(409);
    expect((await remove({ resourceVersion: '1' })).code).toBe(409);
    expect((await api.call('DELETE', `${path}?dryRun=All`)).code).toBe(200);
    expect((await api.call('DELETE', `${path}?propagationPolicy=Maybe`)).code).toBe(422);
    expect((await remove({ uid })).code).toBe(200);
  });

  it('gives running pods their grace and lets the kubelet end it', async () => {
    const spec = {
      nodeName: 'n1',
      terminationGracePeriodSeconds: 20,
      containers: [{ name: 'c', image: 'x' }],
    };
    await api.call('POST', `${root}/pods`, { metadata: { name: 'pod' }, spec });
    const { body } = await api.call('DELETE', `${root}/pods/pod`);
    expect(body.metadata.deletionGracePeriodSeconds).toBe(20);
    expect(Date.parse(body.metadata.deletionTimestamp)).toBeGreaterThan(Date.now() + 15_000);
    const shorter = await api.call('DELETE', `${root}/pods/pod?gracePeriodSeconds=5`);
    expect(shorter.body.metadata.deletionGracePeriodSeconds).toBe(5);
    const longer = await api.call('DELETE', `${root}/pods/pod?gracePeriodSeconds=50`);
    expect(longer.body.metadata.deletionGracePeriodSeconds).toBe(5);
    const last = await api.call('DELETE', `${root}/pods/pod`, {
      gracePeriodSeconds: 0,
      preconditions: { uid: body.metadata.uid },
    });
    expect(last.body.status).toBe('Success');
    await api.call('POST', `${root}/pods`, {
      metadata: { name: 'unscheduled' },
      spec: { ...spec, nodeName: undefined },
    });
    expect((await api.call('DELETE', `${root}/pods/unscheduled`)).body.kind).toBe('Status');
  });

  it('removes collections by selector', async () => {
    for (const [name, labels] of [
      ['c1', { c: 'x' }],
      ['c2', { c: 'x' }],
      ['c3', {}],
    ] as const) {
      await api.call('POST', `${root}/configmaps`, { metadata: { name, labels } });
    }
    expect((await api.call('DELETE', `${root}/configmaps?labelSelector=c%3Dx`)).body.items).toHaveLength(2);
    expect([await exists('c1'), await exists('c2'), await exists('c3')]).toEqual([false, false, true]);
  });
});

describe('owners', () => {
  it('takes dependents along in the background, also those of dependents', async () => {
    const owner = await make('bg');
    const child = await make('bg-child', [owner]);
    await make('bg-grandchild', [child]);
    const other = await make('bg-other');
    await make('bg-shared', [owner, other]);
    await api.call('DELETE', `${root}/configmaps/bg`);
    await gone(`${root}/configmaps/bg-grandchild`);
    expect(await exists('bg-child')).toBe(false);
    const shared = await answered(
      () => api.call('GET', `${root}/configmaps/bg-shared`),
      ({ body }) => body.metadata.ownerReferences.length === 1,
    );
    expect(shared.body.metadata.ownerReferences[0].name).toBe('bg-other');
  });

  it('removes dependents first in the foreground, waiting for those that block', async () => {
    const owner = await make('fg');
    await make('fg-child', [{ ...owner, blockOwnerDeletion: true }], ['example.com/hold']);
    const { body } = await api.call('DELETE', `${root}/configmaps/fg`, { propagationPolicy: 'Foreground' });
    expect(body.metadata.finalizers).toEqual(['foregroundDeletion']);
    await answered(
      () => api.call('GET', `${root}/configmaps/fg-child`),
      (answer) => answer.body.metadata.deletionTimestamp !== undefined,
    );
    expect(await exists('fg')).toBe(true);
    await api.call('PATCH', `${root}/configmaps/fg-child`, { metadata: { finalizers: null } }, merge);
    await gone(`${root}/configmaps/fg`);
    expect(await exists('fg-child')).toBe(false);
  });

  it('leaves orphans', async () => {
    const owner = await make('or');
    await make('or-child', [owner]);
    await api.call('DELETE', `${root}/configmaps/or?propagationPolicy=Orphan`);
    await gone(`${root}/configmaps/or`);
    const { body } = await api.call('GET', `${root}/configmaps/or-child`);
    expect(body.metadata.ownerReferences).toBeUndefined();
  });

  it('removes what was born without its owner, but not what a kind unknown here owns', async () => {
    await make('stray', [
      { apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: '11111111-1111-4111-8111-111111111111' },
    ]);
    await make('foreign', [
      { apiVersion: 'example.com/v1', kind: 'Thing', name: 'x', uid: '21111111-1111-4111-8111-111111111111' },
    ]);
    await gone(`${root}/configmaps/stray`);
    expect(await exists('foreign')).toBe(true);
  });

  it('finishes after a restart what it had begun', async () => {
    const owner = await make('late');
    await make('late-child', [{ ...owner, blockOwnerDeletion: true }], ['example.com/hold']);
    await api.call('DELETE', `${root}/configmaps/late?propagationPolicy=Foreground`);
    await api.restart();
    await api.call('PATCH', `${root}/configmaps/late-child`, { metadata: { finalizers: null } }, merge);
    await gone(`${root}/configmaps/late`);
  });
});

describe('namespaces', () => {
  it('have a name label, a service account and the CA; the account comes back', async () => {
    const { body } = await api.call('POST', '/api/v1/namespaces', { metadata: { name: 'home' } });
    expect(body.metadata.labels).toEqual({ 'kubernetes.io/metadata.name': 'home' });
    expect(body.status.phase).toBe('Active');
    await furnished('home');
    const ca = await api.call('GET', '/api/v1/namespaces/home/configmaps/kube-root-ca.crt');
    expect(ca.body.data['ca.crt']).toBe(api.server.pki.authority.certificate);
    await api.call('DELETE', '/api/v1/namespaces/home/serviceaccounts/default');
    await furnished('home');
  });

  it('empty themselves before they go, and say what holds them', async () => {
    await api.call('POST', '/api/v1/namespaces', { metadata: { name: 'leaving' } });
    await furnished('leaving');
    const held = '/api/v1/namespaces/leaving/secrets/held';
    await api.call('POST', '/api/v1/namespaces/leaving/secrets', {
      metadata: { name: 'held', finalizers: ['example.com/hold'] },
    });
    await api.call('POST', '/api/v1/namespaces/leaving/services', {
      metadata: { name: 's' },
      spec: { ports: [{ port: 1 }] },
    });
    const { body } = await api.call('DELETE', '/api/v1/namespaces/leaving');
    expect(body.status.phase).toBe('Terminating');
    const waiting = await answered(
      () => api.call('GET', '/api/v1/namespaces/leaving'),
      (answer) =>
        answer.body.status.conditions?.[0]?.message ===
        'Some resources are remaining: secrets has 1 resource instances',
    );
    expect(waiting.body.status.conditions[1].message).toContain('example.com/hold in 1');
    const refused = await api.call('POST', '/api/v1/namespaces/leaving/secrets', {
      metadata: { name: 'late' },
    });
    expect(refused.code).toBe(403);
    expect(refused.body.details.causes[0].reason).toBe('NamespaceTerminating');
    await api.call('PATCH', held, { metadata: { finalizers: null } }, merge);
    await gone('/api/v1/namespaces/leaving');
  });

  it('of the system stay', async () => {
    expect((await api.call('DELETE', '/api/v1/namespaces/kube-system')).code).toBe(403);
  });
});
