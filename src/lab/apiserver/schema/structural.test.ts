/** CRDs that a real server refuses, each with the field it names. */
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { servedKindsOf } from './crd.ts';

const text = { type: 'string' };

function crd(
  schema: unknown,
  changes: { spec?: object; version?: object; metadata?: object } = {},
): KubeObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.com', ...changes.metadata },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing' },
      versions: [
        { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema }, ...changes.version },
      ],
      ...changes.spec,
    },
  };
}

const root = (spec: object) => ({ type: 'object', properties: { spec } });

function fields(given: KubeObject): readonly string[] {
  return servedKindsOf(given).problems.map((each) =>
    each.field.replace('spec.versions[0].schema.openAPIV3Schema', '$'),
  );
}

describe('schemas that are not structural', () => {
  const at = '$.properties[spec]';
  it.each<[string, object, readonly string[]]>([
    ['no type', {}, [`${at}.type`]],
    ['an unknown type', { type: 'text' }, [`${at}.type`]],
    ['a list without items', { type: 'array' }, [`${at}.items`]],
    ['items without type', { type: 'array', items: {} }, [`${at}.items.type`]],
    ['a list of schemas as items', { type: 'array', items: [text] }, [`${at}.items`]],
    [
      'properties and additionalProperties',
      { type: 'object', properties: { a: text }, additionalProperties: text },
      [`${at}.additionalProperties`],
    ],
    [
      'additionalProperties: false',
      { type: 'object', additionalProperties: false },
      [`${at}.additionalProperties`],
    ],
    ['a reference', { type: 'object', $ref: '#/x' }, [`${at}.$ref`]],
    ['patternProperties', { type: 'object', patternProperties: { a: text } }, [`${at}.patternProperties`]],
    ['uniqueItems', { type: 'array', items: text, uniqueItems: true }, [`${at}.uniqueItems`]],
    ['a type inside a junctor', { type: 'string', anyOf: [{ type: 'string' }] }, [`${at}.anyOf[0].type`]],
    ['a default inside a junctor', { type: 'string', not: { default: 'a' } }, [`${at}.not.default`]],
    [
      'a property that only a junctor has',
      { type: 'object', properties: { a: text }, oneOf: [{ properties: { b: {} } }] },
      [`${at}.properties[b]`],
    ],
    ['a pattern of look-ahead', { type: 'string', pattern: '(?=a)b' }, [`${at}.pattern`]],
    ['int-or-string with a type', { type: 'string', 'x-kubernetes-int-or-string': true }, [`${at}.type`]],
    [
      'a map list without keys',
      { type: 'array', items: { type: 'object', properties: { a: text } }, 'x-kubernetes-list-type': 'map' },
      [`${at}.x-kubernetes-list-map-keys`],
    ],
    [
      'a map list whose key may be absent',
      {
        type: 'array',
        items: { type: 'object', properties: { a: text } },
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['a'],
      },
      [`${at}.items.properties[a].default`],
    ],
    [
      'a set of objects',
      { type: 'array', items: { type: 'object', properties: { a: text } }, 'x-kubernetes-list-type': 'set' },
      [`${at}.items`],
    ],
    ['a list type on an object', { type: 'object', 'x-kubernetes-list-type': 'set' }, [`${at}.type`]],
    ['a default of a wrong type', { type: 'integer', default: 'a' }, [`${at}.default`]],
    [
      'a default that breaks a bound',
      { type: 'object', properties: { a: { type: 'integer', minimum: 3 } }, default: { a: 1 } },
      [`${at}.default.a`],
    ],
    [
      'a default with unknown fields',
      { type: 'object', properties: { a: text }, default: { b: 1 } },
      [`${at}.default`],
    ],
    [
      'an embedded resource that keeps nothing',
      { type: 'object', 'x-kubernetes-embedded-resource': true },
      [`${at}.properties`],
    ],
    [
      'keeping unknown fields: false',
      { type: 'object', 'x-kubernetes-preserve-unknown-fields': false },
      [`${at}.x-kubernetes-preserve-unknown-fields`],
    ],
  ])('%s', (_, spec, expected) => {
    expect(fields(crd(root(spec)))).toEqual(expected);
  });

  it('metadata with more than names', () => {
    const metadata = { type: 'object', properties: { labels: { type: 'object' } } };
    expect(fields(crd({ type: 'object', properties: { metadata } }))).toEqual(['$.properties[metadata]']);
  });

  it('a root that is no object', () => {
    expect(fields(crd({ type: 'string' }))).toEqual(['$.type']);
  });

  it('no schema', () => {
    expect(fields(crd(undefined))).toEqual(['$']);
  });

  it('takes the two forms of int-or-string', () => {
    const both = [{ type: 'integer' }, { type: 'string' }];
    expect(fields(crd(root({ 'x-kubernetes-int-or-string': true, anyOf: both })))).toEqual([]);
    expect(
      fields(crd(root({ 'x-kubernetes-int-or-string': true, allOf: [{ anyOf: both }, { pattern: '^a' }] }))),
    ).toEqual([]);
  });
});

describe('definitions', () => {
  const schema = root({ type: 'object' });
  it.each<[string, KubeObject, readonly string[]]>([
    ['a name that does not fit', crd(schema, { metadata: { name: 'thing.example.com' } }), ['metadata.name']],
    ['no storage version', crd(schema, { version: { storage: false } }), ['spec.versions']],
    [
      'a plural in capitals',
      crd(schema, {
        spec: { names: { plural: 'Things', kind: 'Thing' } },
        metadata: { name: 'Things.example.com' },
      }),
      ['spec.names.plural'],
    ],
    ['a scope that does not exist', crd(schema, { spec: { scope: 'Global' } }), ['spec.scope']],
    [
      'a column without path',
      crd(schema, { version: { additionalPrinterColumns: [{ name: 'A', type: 'string' }] } }),
      ['spec.versions[0].additionalPrinterColumns[0].jsonPath'],
    ],
    [
      'a scale path outside of spec',
      crd(schema, {
        version: {
          subresources: { scale: { specReplicasPath: '.status.x', statusReplicasPath: '.status.replicas' } },
        },
      }),
      ['spec.versions[0].subresources.scale.specReplicasPath'],
    ],
    [
      'a group of the project without approval',
      crd(schema, { spec: { group: 'things.k8s.io' }, metadata: { name: 'things.things.k8s.io' } }),
      ['metadata.annotations[api-approved.kubernetes.io]'],
    ],
  ])('%s', (_, given, expected) => {
    expect(fields(given)).toEqual(expected);
  });

  it('serves each served version, with names filled in', () => {
    const versions = ['v1', 'v2', 'v3'].map((name, i) => ({
      name,
      served: i < 2,
      storage: i === 1,
      schema: { openAPIV3Schema: schema },
    }));
    const { value, problems } = servedKindsOf(crd(schema, { spec: { versions } }));
    expect(problems).toEqual([]);
    expect(value.map((each) => [each.version, each.storageVersion, each.listKind, each.singular])).toEqual([
      ['v1', 'v2', 'ThingList', 'thing'],
      ['v2', 'v2', 'ThingList', 'thing'],
    ]);
    expect(value[0]!.columns.map((each) => each.name)).toEqual(['Age']);
  });

  it('warns that conversion webhooks are not called', () => {
    const given = crd(schema, { spec: { conversion: { strategy: 'Webhook' } } });
    expect(servedKindsOf(given).value[0]!.warning).toMatch(/conversion/);
  });
});
