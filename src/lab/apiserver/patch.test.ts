/** Patches of every kind, and scale: what a client sees of one object. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TestServer, testServer } from './testing.ts';
import { deployment } from './testing-objects.ts';

let api: TestServer;
const maps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';

beforeAll(async () => {
  api = await testServer();
  await api.call('POST', maps, { metadata: { name: 'one' }, data: { a: 'b' } });
});

afterAll(() => api.close());

it('applies JSON, merge and strategic patches', async () => {
  await api.call('POST', deployments, deployment('patched', 1));
  const path = `${deployments}/patched`;
  const json = await api.call('PATCH', path, [{ op: 'replace', path: '/spec/replicas', value: 4 }], {
    type: 'application/json-patch+json',
  });
  expect(json.body.spec.replicas).toBe(4);
  const merge = await api.call(
    'PATCH',
    path,
    { metadata: { labels: { a: 'b' } } },
    { type: 'application/merge-patch+json' },
  );
  expect(merge.body.metadata.labels).toEqual({ a: 'b' });
  const added = { spec: { template: { spec: { containers: [{ name: 'side', image: 'side' }] } } } };
  const strategic = await api.call('PATCH', path, added, {
    type: 'application/strategic-merge-patch+json',
  });
  const names = strategic.body.spec.template.spec.containers.map((each: { name: string }) => each.name);
  expect(names.toSorted()).toEqual(['c', 'side']);
});

it('refuses broken patches and unknown kinds of patch', async () => {
  const patch = (body: unknown, type: string) => api.call('PATCH', `${maps}/one`, body, { type });
  expect((await patch([{ op: 'remove', path: '/nothing' }], 'application/json-patch+json')).code).toBe(422);
  expect((await patch([1], 'application/merge-patch+json')).code).toBe(400);
  expect((await patch({}, 'application/json')).code).toBe(415);
  expect(
    (await api.call('PATCH', `${maps}/missing`, {}, { type: 'application/merge-patch+json' })).code,
  ).toBe(404);
  const stale = { metadata: { resourceVersion: '1' }, data: { n: '1' } };
  expect((await patch(stale, 'application/merge-patch+json')).code).toBe(409);
});

it('applies on the server: creates, owns, conflicts, forces', async () => {
  const apply = (manager: string, replicas: number, force = false) =>
    api.call(
      'PATCH',
      `${deployments}/ssa?fieldManager=${manager}${force ? '&force=true' : ''}`,
      deployment('ssa', replicas),
      {
        type: 'application/apply-patch+yaml',
      },
    );
  const made = await apply('one', 1);
  expect(made.code).toBe(201);
  expect(made.body.metadata.managedFields[0]).toMatchObject({ manager: 'one', operation: 'Apply' });
  expect((await apply('one', 1)).body.metadata.resourceVersion).toBe(made.body.metadata.resourceVersion);
  const clash = await apply('two', 5);
  expect(clash.code).toBe(409);
  expect(clash.body.details.causes[0]).toMatchObject({
    reason: 'FieldManagerConflict',
    field: '.spec.replicas',
  });
  expect((await apply('two', 5, true)).body.spec.replicas).toBe(5);
  const unnamed = await api.call('PATCH', `${deployments}/ssa`, deployment('ssa', 1), {
    type: 'application/apply-patch+yaml',
  });
  expect(unnamed.code).toBe(400);
});

it('reads and writes replicas of deployments', async () => {
  await api.call('POST', deployments, deployment('scaled', 2));
  const path = `${deployments}/scaled/scale`;
  const read = await api.call('GET', path);
  expect(read.body).toMatchObject({
    kind: 'Scale',
    spec: { replicas: 2 },
    status: { selector: 'app=scaled' },
  });
  const put = await api.call('PUT', path, { ...read.body, spec: { replicas: 5 } });
  expect(put.body.spec.replicas).toBe(5);
  const patched = await api.call(
    'PATCH',
    path,
    { spec: { replicas: 0 } },
    { type: 'application/merge-patch+json' },
  );
  expect(patched.body.spec).toEqual({});
  expect((await api.call('GET', `${deployments}/scaled`)).body.spec.replicas).toBe(0);
  expect((await api.call('PUT', path, read.body)).code).toBe(409);
  expect((await api.call('PUT', path, { spec: { replicas: -1 } })).code).toBe(400);
});
