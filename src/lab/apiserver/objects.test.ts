/** Create, read, update: what a client sees of one object. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TestServer, testServer } from './testing.ts';
import { deployment } from './testing-objects.ts';

let api: TestServer;
const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';

beforeAll(async () => {
  api = await testServer();
});

afterAll(() => api.close());

describe('create', () => {
  it('fills what the server knows', async () => {
    const { code, body } = await api.call('POST', maps, { metadata: { name: 'one' }, data: { a: 'b' } });
    expect(code).toBe(201);
    expect(body).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: 'b' } });
    expect(body.metadata.namespace).toBe('default');
    expect(body.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
    expect(body.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect((await api.call('GET', `${maps}/one`)).body).toEqual(body);
  });

  it('generates names', async () => {
    const { body } = await api.call('POST', maps, { metadata: { generateName: 'gen-' } });
    expect(body.metadata.name).toMatch(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  it('takes YAML and answers in it', async () => {
    const text = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-yaml\ndata:\n  x: "1"\n';
    const made = await api.call('POST', maps, text, { type: 'application/yaml', accept: 'application/yaml' });
    expect(made.code).toBe(201);
    expect(made.headers['content-type']).toBe('application/yaml');
    expect(made.text).toContain('name: from-yaml');
  });

  it('refuses what exists, naming it', async () => {
    await api.call('POST', maps, { metadata: { name: 'twice' } });
    const { code, body } = await api.call('POST', maps, { metadata: { name: 'twice' } });
    expect(code).toBe(409);
    expect(body).toMatchObject({
      kind: 'Status',
      reason: 'AlreadyExists',
      message: 'configmaps "twice" already exists',
      details: { name: 'twice', kind: 'configmaps' },
    });
  });

  it.each([
    ['no name', { metadata: {} }, 422, /name or generateName is required/],
    ['a bad name', { metadata: { name: 'Bad_Name' } }, 422, /metadata.name: Invalid value/],
    ['a bad label', { metadata: { name: 'l', labels: { a: '-' } } }, 422, /metadata.labels/],
    ['a label that is no string', { metadata: { name: 'l', labels: { a: 1 } } }, 400, /metadata.labels.a/],
    ['another namespace', { metadata: { name: 'n', namespace: 'other' } }, 400, /namespace/],
    ['another kind', { kind: 'Secret', metadata: { name: 'n' } }, 400, /kind/],
    ['a version', { metadata: { name: 'n', resourceVersion: '1' } }, 400, /resourceVersion/],
    ['a list', [], 400, /object/],
    ['metadata that is no object', { metadata: 'x' }, 400, /metadata/],
  ])('refuses %s', async (_, value, code, message) => {
    const answer = await api.call('POST', maps, value);
    expect(answer.code).toBe(code);
    expect(answer.body.message).toMatch(message);
  });

  it('refuses bodies that it can not read', async () => {
    expect((await api.call('POST', maps, '{"metadata":')).code).toBe(400);
    expect((await api.call('POST', maps, 'a: [', { type: 'application/yaml' })).code).toBe(400);
    expect((await api.call('POST', maps, '<x/>', { type: 'text/xml' })).code).toBe(415);
    expect(
      (
        await api.call('POST', maps, Buffer.from('k8s\0\xff\xff'), {
          type: 'application/vnd.kubernetes.protobuf',
        })
      ).code,
    ).toBe(400);
    const large = { metadata: { name: 'large' }, data: { x: 'y'.repeat(3 * 1024 * 1024) } };
    expect((await api.call('POST', maps, large)).code).toBe(413);
  });

  it('refuses a namespace that is not there', async () => {
    const { code, body } = await api.call('POST', '/api/v1/namespaces/nowhere/configmaps', {
      metadata: { name: 'x' },
    });
    expect(code).toBe(404);
    expect(body.message).toBe('namespaces "nowhere" not found');
  });

  it('stores nothing on a dry run, and says all that would be refused', async () => {
    const dry = await api.call('POST', `${maps}?dryRun=All`, { metadata: { name: 'dry' } });
    expect(dry.code).toBe(201);
    expect(dry.body.metadata.uid).toBeDefined();
    expect((await api.call('GET', `${maps}/dry`)).code).toBe(404);
    expect((await api.call('POST', `${maps}?dryRun=All`, { metadata: { name: 'Dry' } })).code).toBe(422);
    expect((await api.call('POST', `${maps}?dryRun=Some`, { metadata: { name: 'dry' } })).code).toBe(400);
  });

  it('validates unknown fields as asked', async () => {
    const odd = { metadata: { name: 'odd' }, dataa: {} };
    const strict = await api.call('POST', `${maps}?fieldValidation=Strict`, odd);
    expect(strict.code).toBe(400);
    expect(strict.body.message).toContain('unknown field "dataa"');
    const warned = await api.call('POST', `${maps}?fieldValidation=Warn`, odd);
    expect(warned.code).toBe(201);
    expect(warned.warnings.join()).toContain('dataa');
    expect(warned.body.dataa).toBeUndefined();
    const ignored = await api.call('PUT', `${maps}/odd?fieldValidation=Ignore`, odd);
    expect([ignored.code, ignored.warnings]).toEqual([200, []]);
  });

  it('warns about what is stored without being enforced', async () => {
    const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles';
    const { code, warnings } = await api.call('POST', roles, { metadata: { name: 'r' }, rules: [] });
    expect(code).toBe(201);
    expect(warnings.join()).toContain('does not enforce');
  });
});

describe('update', () => {
  it('guards against lost updates', async () => {
    const { body: first } = await api.call('POST', maps, { metadata: { name: 'guard' }, data: { n: '1' } });
    const second = await api.call('PUT', `${maps}/guard`, { ...first, data: { n: '2' } });
    expect(second.code).toBe(200);
    expect(Number(second.body.metadata.resourceVersion)).toBeGreaterThan(
      Number(first.metadata.resourceVersion),
    );
    const stale = await api.call('PUT', `${maps}/guard`, { ...first, data: { n: '3' } });
    expect(stale.code).toBe(409);
    expect(stale.body.reason).toBe('Conflict');
    expect(stale.body.message).toContain('the object has been modified');
    const unguarded = await api.call('PUT', `${maps}/guard`, {
      metadata: { name: 'guard' },
      data: { n: '3' },
    });
    expect(unguarded.body.data).toEqual({ n: '3' });
    const other = { ...first, metadata: { name: 'guard', uid: '0' } };
    expect((await api.call('PUT', `${maps}/guard`, other)).code).toBe(409);
    expect((await api.call('PUT', `${maps}/guard`, { metadata: { name: 'x' } })).code).toBe(400);
    expect((await api.call('PUT', `${maps}/missing`, { metadata: { name: 'missing' } })).code).toBe(404);
  });

  it('writes nothing when nothing changes', async () => {
    const { body } = await api.call('POST', maps, { metadata: { name: 'same' }, data: { n: '1' } });
    const again = await api.call('PUT', `${maps}/same`, body);
    expect(again.body).toEqual(body);
  });

  it('counts generations for changes of the spec only, and keeps status apart', async () => {
    const { body: made } = await api.call('POST', deployments, {
      ...deployment('gen'),
      status: { replicas: 9 },
    });
    expect(made.metadata.generation).toBe(1);
    expect(made.status?.replicas).toBeUndefined();
    const labelled = await api.call('PUT', `${deployments}/gen`, {
      ...made,
      metadata: { ...made.metadata, labels: { x: 'y' } },
      status: { replicas: 5 },
    });
    expect(labelled.body.metadata.generation).toBe(1);
    expect(labelled.body.status?.replicas).toBeUndefined();
    const status = await api.call('PUT', `${deployments}/gen/status`, {
      ...labelled.body,
      metadata: { ...labelled.body.metadata, labels: { x: 'z' } },
      spec: { ...labelled.body.spec, replicas: 7 },
      status: { replicas: 3, observedGeneration: 1 },
    });
    expect(status.code).toBe(200);
    expect(status.body.metadata.labels).toEqual({ x: 'y' });
    expect(status.body.metadata.generation).toBe(1);
    expect(status.body.spec).toEqual(labelled.body.spec);
    expect(status.body.status).toMatchObject({ replicas: 3, observedGeneration: 1 });
    const changed = await api.call(
      'PATCH',
      `${deployments}/gen`,
      { spec: { replicas: 2 } },
      { type: 'application/merge-patch+json' },
    );
    expect(changed.body.metadata.generation).toBe(2);
    expect(changed.body.status.replicas).toBe(3);
  });
});

describe('paths', () => {
  it.each([
    '/',
    '/api',
    '/apis',
    '/api/v1',
    '/apis/apps',
    '/apis/apps/v1',
    '/version',
    '/openapi/v2',
    '/openapi/v3',
  ])('answers %s', async (path) => expect((await api.call('GET', path)).code).toBe(200));

  it.each([
    '/api/v2',
    '/apis/none',
    '/apis/apps/v9',
    '/api/v1/nothings',
    '/api/v1/namespaces/default/pods/x/what',
    '/x',
  ])('does not know %s', async (path) => expect((await api.call('GET', path)).code).toBe(404));

  it('refuses methods', async () => {
    expect((await api.call('PUT', maps, {})).code).toBe(405);
    expect((await api.call('POST', `${maps}/one`, {})).code).toBe(405);
    expect((await api.call('POST', '/api/v1/configmaps', { metadata: { name: 'x' } })).code).toBe(405);
    expect((await api.call('GET', maps, undefined, { accept: 'text/csv' })).code).toBe(406);
    expect((await api.call('GET', '/api/v1/namespaces/%zz/pods')).code).toBe(400);
  });
});
