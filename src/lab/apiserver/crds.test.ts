/** Custom resources: served with the write that defines them, gone with it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Answer, answered, type TestServer, testServer } from './testing.ts';

let api: TestServer;
const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const merge = { type: 'application/merge-patch+json' };

beforeAll(async () => {
  api = await testServer();
});

afterAll(() => api.close());

const schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      required: ['color'],
      properties: {
        color: { type: 'string', enum: ['red', 'green'] },
        size: { type: 'integer', default: 3, minimum: 1 },
        max: { type: 'integer' },
        replicas: { type: 'integer' },
      },
      'x-kubernetes-validations': [
        { rule: '!has(self.max) || self.size <= self.max', message: 'size above max' },
      ],
    },
    status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
  },
};

function version(name: string, extra: object = {}): Record<string, unknown> {
  return {
    name,
    served: true,
    storage: true,
    schema: { openAPIV3Schema: schema },
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.selector',
      },
    },
    additionalPrinterColumns: [{ name: 'Color', type: 'string', jsonPath: '.spec.color' }],
    selectableFields: [{ jsonPath: '.spec.color' }],
    ...extra,
  };
}

function crd(
  plural: string,
  kind: string,
  versions: readonly object[],
  extra: object = {},
): Record<string, unknown> {
  return {
    metadata: { name: `${plural}.test.netloom.dev` },
    spec: {
      group: 'test.netloom.dev',
      scope: 'Namespaced',
      names: { plural, kind, shortNames: [plural.slice(0, 2)] },
      versions,
      ...extra,
    },
  };
}

function conditions({ body }: Answer): Record<string, string> {
  return Object.fromEntries(
    body.status.conditions.map((each: { type: string; status: string; reason: string }) => [
      each.type,
      `${each.status} ${each.reason}`,
    ]),
  );
}

describe('a definition', () => {
  const things = '/apis/test.netloom.dev/v1/namespaces/default/things';

  it('serves its kind at once: discovery, OpenAPI, tables', async () => {
    const made = await api.call('POST', crds, crd('things', 'Thing', [version('v1')]));
    expect(made.code).toBe(201);
    expect(conditions(made)).toEqual({
      NamesAccepted: 'True NoConflicts',
      Established: 'True InitialNamesAccepted',
    });
    expect(made.body.status.storedVersions).toEqual(['v1']);
    expect(made.body.spec.names).toMatchObject({ singular: 'thing', listKind: 'ThingList' });
    const listed = await api.call('GET', '/apis/test.netloom.dev/v1');
    expect(listed.body.resources.map(({ name }: { name: string }) => name)).toEqual([
      'things',
      'things/scale',
      'things/status',
    ]);
    const document = await api.call('GET', '/openapi/v3/apis/test.netloom.dev/v1');
    expect(document.text).toContain('"color"');
    expect((await api.call('GET', things)).body).toMatchObject({ kind: 'ThingList', items: [] });
  });

  it('validates, defaults and prunes its objects', async () => {
    const create = (name: string, spec: object) => api.call('POST', things, { metadata: { name }, spec });
    const good = await create('good', { color: 'red', odd: 1 });
    expect(good.code).toBe(201);
    expect(good.body.spec).toEqual({ color: 'red', size: 3 });
    expect(good.body.metadata.generation).toBe(1);
    const bad = await create('bad', { color: 'blue', size: 0 });
    expect(bad.code).toBe(422);
    expect(bad.body.details.causes.map(({ field }: { field: string }) => field).toSorted()).toEqual([
      'spec.color',
      'spec.size',
    ]);
    expect((await create('bad', { color: 'red', size: 5, max: 4 })).body.message).toContain('size above max');
    const { resourceVersion: _, ...metadata } = good.body.metadata;
    const { code } = await api.call('PATCH', `${things}/good`, { metadata, spec: { color: 'green' } }, merge);
    expect(code).toBe(200);
  });

  it('has status and scale apart', async () => {
    const status = await api.call(
      'PATCH',
      `${things}/good/status`,
      { status: { replicas: 2, selector: 'a=b' }, spec: { size: 9 } },
      merge,
    );
    expect(status.body.spec.size).toBe(3);
    const scale = await api.call('PATCH', `${things}/good/scale`, { spec: { replicas: 4 } }, merge);
    expect(scale.body).toMatchObject({
      kind: 'Scale',
      spec: { replicas: 4 },
      status: { replicas: 2, selector: 'a=b' },
    });
  });

  it('prints its columns and selects by its fields', async () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io';
    const { body } = await api.call('GET', things, undefined, { accept });
    expect(body.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual(['Name', 'Color']);
    expect(body.rows[0].cells).toEqual(['good', 'green']);
    expect((await api.call('GET', `${things}?fieldSelector=spec.color%3Dred`)).body.items).toHaveLength(0);
    expect((await api.call('GET', `${things}?fieldSelector=spec.size%3D3`)).code).toBe(400);
  });

  it('is served again after a restart', async () => {
    await api.restart();
    expect((await api.call('GET', `${things}/good`)).body.spec.color).toBe('green');
  });

  it('takes its objects along, waiting for their finalizers', async () => {
    await api.call('PATCH', `${things}/good`, { metadata: { finalizers: ['example.com/hold'] } }, merge);
    const watching = await api.watch(`${things}?watch=true`);
    expect(
      (await api.call('DELETE', `${crds}/things.test.netloom.dev`)).body.metadata.deletionTimestamp,
    ).toBeDefined();
    const refused = await api.call('POST', things, { metadata: { name: 'late' }, spec: { color: 'red' } });
    expect(refused.code).toBe(405);
    await answered(
      () => api.call('GET', `${crds}/things.test.netloom.dev`),
      (answer) => conditions(answer)['Terminating'] === 'True InstanceDeletionInProgress',
    );
    await api.call('PATCH', `${things}/good`, { metadata: { finalizers: null } }, merge);
    await answered(
      () => api.call('GET', `${crds}/things.test.netloom.dev`),
      ({ code }) => code === 404,
    );
    expect((await api.call('GET', things)).code).toBe(404);
    await watching.ended;
    expect(watching.events.at(-1)!.type).toBe('DELETED');
  });
});

describe('versions', () => {
  it('differ in name only; the storage version may move', async () => {
    const first = version('v1alpha1', { storage: true });
    await api.call('POST', crds, crd('movers', 'Mover', [first, version('v1', { storage: false })]));
    const path = (name: string) => `/apis/test.netloom.dev/${name}/namespaces/default/movers`;
    await api.call('POST', path('v1alpha1'), { metadata: { name: 'm' }, spec: { color: 'red' } });
    expect((await api.call('GET', `${path('v1')}/m`)).body.apiVersion).toBe('test.netloom.dev/v1');
    const watching = await api.watch(`${path('v1alpha1')}?watch=true`);
    await watching.until((events) => events.length === 1);
    expect(watching.events[0]!.object.apiVersion).toBe('test.netloom.dev/v1alpha1');
    watching.stop();
    const group = await api.call('GET', '/apis/test.netloom.dev');
    expect(group.body.preferredVersion.version).toBe('v1');
    const moved = await api.call(
      'PATCH',
      `${crds}/movers.test.netloom.dev`,
      {
        spec: { versions: [{ ...first, storage: false }, version('v1')] },
      },
      merge,
    );
    expect(moved.body.status.storedVersions).toEqual(['v1alpha1', 'v1']);
    const dropped = await api.call(
      'PATCH',
      `${crds}/movers.test.netloom.dev`,
      { spec: { versions: [version('v1')] } },
      merge,
    );
    expect([dropped.code, dropped.body.details.causes[0].field]).toEqual([422, 'status.storedVersions[0]']);
    expect((await api.call('GET', `${path('v1')}/m`)).body.spec.color).toBe('red');
  });

  it('that need a conversion webhook are not served, and a condition says why', async () => {
    const conversion = {
      strategy: 'Webhook',
      webhook: { conversionReviewVersions: ['v1'], clientConfig: { url: 'https://example.com' } },
    };
    const versions = [version('v1'), version('v2', { storage: false })];
    const made = await api.call('POST', crds, crd('hooked', 'Hooked', versions, { conversion }));
    expect(conditions(made)['Established']).toBe('False ConversionNotSupported');
    expect((await api.call('GET', '/apis/test.netloom.dev/v2')).code).toBe(404);
    const one = await api.call('POST', crds, crd('singles', 'Single', [version('v1')], { conversion }));
    expect(conditions(one)['Established']).toMatch(/^True/);
  });
});

describe('refusals', () => {
  it('name the field', async () => {
    const noSchema = await api.call(
      'POST',
      crds,
      crd('bads', 'Bad', [{ name: 'v1', served: true, storage: true }]),
    );
    expect(noSchema.code).toBe(422);
    const name = await api.call('POST', crds, {
      ...crd('bads', 'Bad', [version('v1')]),
      metadata: { name: 'other' },
    });
    expect(name.body.message).toContain('metadata.name');
    await api.call('POST', crds, crd('fixed', 'Fixed', [version('v1')]));
    const scope = await api.call(
      'PATCH',
      `${crds}/fixed.test.netloom.dev`,
      { spec: { scope: 'Cluster' } },
      merge,
    );
    expect(scope.body.message).toContain('spec.scope: Invalid value: "Cluster": field is immutable');
  });

  it('of taken names are conditions, which change when the name is free', async () => {
    await api.call('POST', crds, crd('alphas', 'Same', [version('v1')]));
    const second = await api.call('POST', crds, crd('betas', 'Same', [version('v1')]));
    expect(conditions(second)).toEqual({
      NamesAccepted: 'False SingularConflict',
      Established: 'False NotAccepted',
    });
    await api.call('DELETE', `${crds}/alphas.test.netloom.dev`);
    await answered(
      () => api.call('GET', `${crds}/betas.test.netloom.dev`),
      (answer) => conditions(answer)['Established']!.startsWith('True'),
    );
    expect((await api.call('GET', '/apis/test.netloom.dev/v1/betas')).code).toBe(200);
  });
});
