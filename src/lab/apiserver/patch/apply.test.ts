/** Server-side apply and field ownership, as users of kubectl and of controllers see them. */
import { describe, expect, it } from 'vitest';
import type { KubeObject, ManagedFieldsEntry } from '#api/object.ts';
import { builtinKinds } from '../schema/builtins.ts';
import { applyServerSide } from './apply.ts';
import { emptySet, formatFields, union } from './fieldset.ts';
import { ownersOf, recordUpdate } from './managed.ts';
import { apply, conflicts, fieldsOf, kinded, object, request, update } from './testing.ts';

describe('apply', () => {
  it('owns what it sets, as FieldsV1', () => {
    const value = apply('m', {
      a: '1',
      map: { k: 'v' },
      set: ['s'],
      list: ['l'],
      items: [{ name: 'n', x: '1' }],
      whole: { w: '1' },
    });
    expect(fieldsOf(value, 'm')).toEqual({
      'f:spec': {
        'f:a': {},
        'f:map': { 'f:k': {} },
        'f:set': { 'v:"s"': {} },
        'f:list': {},
        'f:items': { 'k:{"name":"n"}': { '.': {}, 'f:name': {}, 'f:x': {} } },
        'f:whole': {},
      },
    });
    expect(value.metadata.managedFields![0]).toMatchObject({
      operation: 'Apply',
      apiVersion: kinded.apiVersion,
      fieldsType: 'FieldsV1',
    });
  });

  it('again is nothing new: the same object comes back', () => {
    const value = apply('m', { a: '1', items: [{ name: 'n' }] });
    expect(apply('m', { a: '1', items: [{ name: 'n' }] }, value, { time: '2027-01-01T00:00:00Z' })).toBe(
      value,
    );
  });

  it('removes what it applied before and nobody else owns', () => {
    const first = apply('m', {
      a: '1',
      b: '2',
      map: { x: '1', y: '2' },
      set: ['p', 'q'],
      items: [{ name: 'n', x: '1' }, { name: 'o' }],
      struct: { p: '1' },
    });
    const second = apply('m', { a: '1', map: { x: '1' }, set: ['q'], items: [{ name: 'o' }] }, first);
    expect(second.spec).toEqual({ a: '1', map: { x: '1' }, set: ['q'], items: [{ name: 'o' }] });
  });

  it('leaves what another owns too', () => {
    const both = apply(
      'other',
      { a: '1', items: [{ name: 'n' }] },
      apply('m', { a: '1', items: [{ name: 'n', x: '1' }] }),
    );
    const left = apply('m', {}, both);
    expect(left.spec).toEqual({ a: '1', items: [{ name: 'n' }] });
    expect(fieldsOf(left, 'm')).toEqual({ 'f:spec': {} });
  });

  it('conflicts over a value of another, and takes it by force', () => {
    const live = apply('m', { a: '1', items: [{ name: 'n', x: '1' }] });
    expect(conflicts('other', { a: '2', items: [{ name: 'n', x: '2' }] }, live)).toEqual([
      '.spec.a conflict with "m" using example.com/v1',
      '.spec.items[name="n"].x conflict with "m" using example.com/v1',
    ]);
    expect(conflicts('other', { a: '1' }, live)).toEqual([]);
    const taken = apply('other', { a: '2' }, live, { force: true });
    expect(taken.spec).toMatchObject({ a: '2' });
    expect(JSON.stringify(fieldsOf(taken, 'm'))).not.toContain('f:a');
    expect(fieldsOf(taken, 'other')).toEqual({ 'f:spec': { 'f:a': {} } });
  });

  it('conflicts over an atomic list as a whole', () => {
    const live = apply('m', { list: ['a'] });
    expect(conflicts('other', { list: ['a', 'b'] }, live)).toEqual([
      '.spec.list conflict with "m" using example.com/v1',
    ]);
  });

  it('keeps items of others, in their places', () => {
    const live = apply('m', { items: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] });
    const value = apply('other', { items: [{ name: 'c' }, { name: 'd' }, { name: 'a', x: '1' }] }, live);
    const names = (value.spec as { items: { name: string }[] }).items.map((each) => each.name);
    expect([...names].sort()).toEqual(['a', 'b', 'c', 'd']);
    expect(names.indexOf('c') < names.indexOf('d')).toBe(true);
  });

  it('over an object that nobody owned makes its past the owner', () => {
    const live = object({ a: '1', b: '2' });
    expect(conflicts('m', { a: '2' }, live)).toEqual([
      '.spec.a conflict with "before-first-apply" using example.com/v1',
    ]);
    expect(apply('m', { a: '1' }, live).metadata.managedFields?.map((each) => each.manager)).toEqual([
      'm',
      'before-first-apply',
    ]);
  });

  it('writes only what its endpoint writes, and owns a subresource apart', () => {
    const applied = { ...object({ a: '1' }), status: { phase: 'x' } };
    const live = applyServerSide(request('m', {}, undefined, { applied, ignored: ['status'] })) as {
      value: KubeObject;
    };
    expect(live.value).not.toHaveProperty('status');
    const status = applyServerSide(
      request('m', {}, live.value, { applied, ignored: ['spec'], subresource: 'status' }),
    ) as { value: KubeObject };
    expect(status.value).toMatchObject({ spec: { a: '1' }, status: { phase: 'x' } });
    expect(status.value.metadata.managedFields?.map((each) => each.subresource)).toEqual([
      undefined,
      'status',
    ]);
  });
});

describe('updates', () => {
  it('own what they add and change, and take it from others', () => {
    const live = apply('m', { a: '1', b: '2' });
    const value = update('editor', { ...live, spec: { a: '9', b: '2', map: { k: 'v' } } }, live);
    expect(fieldsOf(value, 'editor')).toEqual({ 'f:spec': { 'f:a': {}, 'f:map': { '.': {}, 'f:k': {} } } });
    expect(fieldsOf(value, 'm')).toEqual({ 'f:spec': { 'f:b': {} } });
  });

  it('take what they remove from everybody', () => {
    const live = apply('m', { a: '1', items: [{ name: 'n', x: '1' }] });
    const value = update('editor', { ...live, spec: { a: '1' } }, live);
    expect(fieldsOf(value, 'm')).toEqual({ 'f:spec': { 'f:a': {} } });
    expect(fieldsOf(value, 'editor')).toBeUndefined();
  });

  it('that change nothing leave times alone', () => {
    const live = update('editor', object({ a: '1' }));
    const again = update('editor', live, live, { time: '2027-01-01T00:00:00Z' });
    expect(again.metadata.managedFields).toEqual(live.metadata.managedFields);
  });

  it('of a subresource are an entry of their own', () => {
    const live = update('c', object({ a: '1' }));
    const value = update('c', { ...live, status: { phase: 'x' } }, live, { subresource: 'status' });
    expect(
      value.metadata.managedFields?.map((each) => [each.subresource, Object.keys(each.fieldsV1)]),
    ).toEqual([
      [undefined, ['f:spec']],
      ['status', ['f:status']],
    ]);
  });

  it('may edit the ownership itself, or reset it', () => {
    const live = apply('m', { a: '1' });
    const entry = live.metadata.managedFields![0]!;
    const renamed = { ...live, metadata: { ...live.metadata, managedFields: [{ ...entry, manager: 'n' }] } };
    expect(update('editor', renamed, live).metadata.managedFields?.map((each) => each.manager)).toEqual([
      'n',
    ]);
    const reset = { ...live, metadata: { ...live.metadata, managedFields: [{} as ManagedFieldsEntry] } };
    expect(update('editor', reset, live).metadata).not.toHaveProperty('managedFields');
    const { managedFields: _, ...metadata } = live.metadata;
    expect(update('editor', { ...live, metadata }, live).metadata.managedFields).toEqual([entry]);
  });

  it('of many managers are folded into ten', () => {
    let live = object({});
    for (let i = 0; i < 15; i++) {
      const spec = {
        ...(live.spec as object),
        map: { ...(live.spec as { map?: object }).map, [`k${i}`]: 'v' },
      };
      live = update(`m${String(i).padStart(2, '0')}`, { ...live, spec }, live, {
        time: `2026-01-${String(i + 1).padStart(2, '0')}T00:00:00Z`,
      });
    }
    const managers = live.metadata.managedFields!.map((each) => each.manager);
    expect(managers).toHaveLength(10);
    expect(managers).toContain('ancient-changes');
    const owned = ownersOf(live)!.reduce((all, each) => union(all, each.fields), emptySet);
    expect(JSON.stringify(formatFields(owned)).match(/f:k\d+/g)).toHaveLength(15);
  });

  it('never own identity', () => {
    const value = update('m', { ...kinded, metadata: { name: 'o', uid: 'u', labels: { a: 'b' } } });
    expect(fieldsOf(value, 'm')).toEqual({ 'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } } });
  });
});

describe('from client-side to server-side apply', () => {
  const deployment = builtinKinds().find((each) => each.kind === 'Deployment')!.schema;
  const annotation = 'kubectl.kubernetes.io/last-applied-configuration';
  const manifest = (replicas: number, image = 'a:1') => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'w', namespace: 'd' },
    spec: { replicas, template: { spec: { containers: [{ name: 'a', image }] } } },
  });
  const applied = (replicas: number): KubeObject => {
    const made = {
      ...manifest(replicas),
      metadata: {
        ...manifest(replicas).metadata,
        annotations: { [annotation]: JSON.stringify(manifest(replicas)) },
      },
    };
    return recordUpdate({
      updated: made,
      schema: deployment,
      manager: 'kubectl-client-side-apply',
      apiVersion: 'apps/v1',
      time: '2026-01-01T00:00:00Z',
    });
  };
  const go = (manager: string, config: KubeObject, live: KubeObject) =>
    applyServerSide({
      live,
      applied: config,
      schema: deployment,
      manager,
      force: false,
      apiVersion: 'apps/v1',
      time: '2026-01-02T00:00:00Z',
    });

  it('kubectl takes over what it applied before', () => {
    const result = go('kubectl', manifest(5), applied(2));
    expect(result).toMatchObject({ value: { spec: { replicas: 5 } } });
    const { value } = result as { value: KubeObject };
    expect(JSON.parse(value.metadata.annotations![annotation]!)).toMatchObject({ spec: { replicas: 5 } });
  });

  it('others conflict, and so does kubectl over what it never applied', () => {
    expect(go('flux', manifest(5), applied(2))).toMatchObject({
      conflicts: [{ manager: 'kubectl-client-side-apply', field: '.spec.replicas' }],
    });
    const live = applied(2);
    const scaled = recordUpdate({
      old: live,
      updated: { ...live, spec: { ...(live.spec as object), paused: true } },
      schema: deployment,
      manager: 'someone',
      apiVersion: 'apps/v1',
      time: '2026-01-02T00:00:00Z',
    });
    const config = { ...manifest(2), spec: { ...manifest(2).spec, paused: false } };
    expect(go('kubectl', config, scaled)).toMatchObject({
      conflicts: [{ manager: 'someone', field: '.spec.paused' }],
    });
  });
});
