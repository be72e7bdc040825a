/** What a custom resource looks like after it was admitted, and what keeps it out. */
import { describe, expect, it } from 'vitest';
import type { Schema } from '../types.ts';
import { at } from './semantics/fields.ts';
import { type AdmitOptions, admit } from './validate.ts';

const create: AdmitOptions = { operation: 'create', fieldValidation: 'Ignore', cel: true };

function admitSpec(spec: Schema, value: unknown, options: Partial<AdmitOptions> = {}) {
  const schema: Schema = { type: 'object', properties: { spec } };
  const wrap = (each: unknown) => ({
    apiVersion: 'example.com/v1',
    kind: 'A',
    metadata: { name: 'a' },
    spec: each,
  });
  const old = options.old === undefined ? undefined : wrap(options.old);
  const { value: admitted, problems, warnings } = admit(schema, wrap(value), { ...create, ...options, old });
  return {
    spec: admitted.spec,
    problems: problems.map((each) => `${each.field}: ${each.message}`),
    warnings,
  };
}

const text: Schema = { type: 'string' };

describe('pruning', () => {
  const schema: Schema = {
    type: 'object',
    properties: {
      known: text,
      open: {
        type: 'object',
        'x-kubernetes-preserve-unknown-fields': true,
        properties: { inner: { type: 'object', properties: { a: text } } },
      },
      map: { type: 'object', additionalProperties: { type: 'object', properties: { a: text } } },
      list: { type: 'array', items: { type: 'object', properties: { a: text } } },
      closed: { type: 'object' },
      embedded: {
        type: 'object',
        'x-kubernetes-embedded-resource': true,
        'x-kubernetes-preserve-unknown-fields': true,
      },
    },
  };

  it('drops what the schema has not, at every depth, and keeps what is said to be kept', () => {
    const given = {
      known: 'a',
      unknown: 1,
      open: { x: { y: 1 }, inner: { a: 'b', gone: 1 } },
      map: { k: { a: 'b', gone: 1 } },
      list: [{ a: 'b', gone: 1 }],
      closed: { gone: 1 },
    };
    expect(admitSpec(schema, given).spec).toEqual({
      known: 'a',
      open: { x: { y: 1 }, inner: { a: 'b' } },
      map: { k: { a: 'b' } },
      list: [{ a: 'b' }],
      closed: {},
    });
  });

  it('refuses, warns or says nothing, as the client asks', () => {
    const given = { unknown: 1, list: [{ b: 1 }] };
    const fields = ['spec.unknown', 'spec.list[0].b'].map((each) => `unknown field "${each}"`);
    expect(
      admitSpec(schema, given, { fieldValidation: 'Strict' }).problems.map((each) =>
        each.replace(/^.*?: /, ''),
      ),
    ).toEqual(fields);
    expect(admitSpec(schema, given, { fieldValidation: 'Warn' })).toMatchObject({
      problems: [],
      warnings: fields,
    });
    expect(admitSpec(schema, given)).toMatchObject({ problems: [], warnings: [] });
  });

  it('takes names of prototypes for names', () => {
    const given = JSON.parse(
      '{"map": {"__proto__": {"a": "x"}, "constructor": {"a": "y"}}, "__proto__": {"known": "z"}}',
    );
    const { spec } = admitSpec(schema, given);
    expect(Object.keys(at(spec, 'map')).sort()).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(spec)).toBe(Object.prototype);
    expect(at(spec)).not.toHaveProperty('known');
  });

  it('asks embedded objects what they are', () => {
    expect(admitSpec(schema, { embedded: { apiVersion: 'v1', x: 1 } }).problems).toEqual([
      'spec.embedded.kind: Required value: must not be empty',
    ]);
    const whole = {
      embedded: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'a', labels: { a: 'b' } },
        spec: { x: 1 },
      },
    };
    expect(admitSpec(schema, whole)).toMatchObject({ spec: whole, problems: [] });
  });
});

describe('defaults and null', () => {
  const schema: Schema = {
    type: 'object',
    properties: {
      a: { type: 'string', default: 'x' },
      deep: { type: 'object', default: {}, properties: { b: { type: 'integer', default: 3 } } },
      list: {
        type: 'array',
        items: { type: 'object', properties: { c: { type: 'boolean', default: false } } },
      },
      map: {
        type: 'object',
        additionalProperties: { type: 'object', properties: { d: { type: 'string', default: 'y' } } },
      },
      nothing: { type: 'string', nullable: true },
      plain: text,
    },
  };

  it('fills, also inside of defaults, items and values', () => {
    expect(admitSpec(schema, { list: [{}], map: { k: {} } }).spec).toEqual({
      a: 'x',
      deep: { b: 3 },
      list: [{ c: false }],
      map: { k: { d: 'y' } },
    });
  });

  it('keeps null where it may be, takes it for absent elsewhere', () => {
    expect(admitSpec(schema, { a: null, nothing: null, plain: null })).toMatchObject({
      spec: { a: 'x', deep: { b: 3 }, nothing: null },
      problems: [],
    });
    expect(admitSpec({ type: 'array', items: text }, [null]).problems).toEqual([
      'spec[0]: Invalid value: null: spec[0] in body must be of type string: "null"',
    ]);
  });
});

describe('checks', () => {
  it.each<[string, Schema, unknown, string | undefined]>([
    ['int32', { type: 'integer', format: 'int32' }, 2 ** 31, 'must be of type int32'],
    ['a whole number', { type: 'integer' }, 1.5, 'must be of type integer'],
    [
      'a bound that is excluded',
      { type: 'number', minimum: 1, exclusiveMinimum: true },
      1,
      'should be greater than 1',
    ],
    ['a multiple', { type: 'integer', multipleOf: 5 }, 12, 'multiple of 5'],
    ['a length in characters', { type: 'string', maxLength: 2 }, '🙂🙂', undefined],
    ['a length in characters, over', { type: 'string', maxLength: 2 }, 'abc', 'Too long'],
    ['a pattern', { type: 'string', pattern: '^[[:alpha:]]+$' }, 'a1', "should match '^[[:alpha:]]+$'"],
    ['date-time', { type: 'string', format: 'date-time' }, '2026-02-30T00:00:00Z', 'date-time'],
    ['ipv4', { type: 'string', format: 'ipv4' }, '1.2.3.256', 'ipv4'],
    ['ipv6', { type: 'string', format: 'ipv6' }, '::1', undefined],
    ['cidr', { type: 'string', format: 'cidr' }, '10.0.0.1/8', undefined],
    ['uri', { type: 'string', format: 'uri' }, 'no uri', 'uri'],
    ['uuid', { type: 'string', format: 'uuid' }, '3f2504e0-4f89-11d3-9a0c-0305e82c3301', undefined],
    ['duration', { type: 'string', format: 'duration' }, '1h5', 'duration'],
    ['byte', { type: 'string', format: 'byte' }, 'a=b', 'byte'],
    ['a format that nobody checks', { type: 'string', format: 'colour' }, 'x', undefined],
    [
      'an enum',
      { type: 'string', enum: ['a', 'b'] },
      'c',
      'Unsupported value: "c": supported values: "a", "b"',
    ],
    ['int-or-string', { 'x-kubernetes-int-or-string': true }, true, 'must be of type integer,string'],
    [
      'a set',
      { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
      ['a', 'a'],
      'Duplicate value: "a"',
    ],
    [
      'a count of properties',
      { type: 'object', additionalProperties: text, maxProperties: 1 },
      { a: 'a', b: 'b' },
      'must have at most 1 items',
    ],
    [
      'oneOf',
      { type: 'string', oneOf: [{ minLength: 1 }, { maxLength: 3 }] },
      'ab',
      'Found 2 valid alternatives',
    ],
    [
      'anyOf',
      { type: 'string', anyOf: [{ enum: ['a'] }, { minLength: 3 }] },
      'b',
      'at least one schema (anyOf)',
    ],
    ['allOf', { type: 'string', allOf: [{ pattern: 'a' }, { pattern: 'b' }] }, 'a', "should match 'b'"],
    ['not', { type: 'string', not: { enum: ['a'] } }, 'a', 'must not validate the schema (not)'],
  ])('%s', (_, schema, value, problem) => {
    const { problems } = admitSpec(schema, value);
    if (problem === undefined) expect(problems).toEqual([]);
    else expect(problems.join()).toContain(problem);
  });

  it('does not judge again what an update leaves as it was', () => {
    const schema: Schema = {
      type: 'object',
      properties: { a: { type: 'string', maxLength: 1 }, b: { type: 'string', maxLength: 1 } },
    };
    const old = { a: 'long', b: 'x' };
    expect(admitSpec(schema, { a: 'long', b: 'y' }, { operation: 'update', old }).problems).toEqual([]);
    expect(admitSpec(schema, { a: 'long', b: 'yy' }, { operation: 'update', old }).problems).toHaveLength(1);
  });
});

describe('metadata', () => {
  const judge = (metadata: object, old?: object) => {
    const wrap = (each: object) => ({ apiVersion: 'example.com/v1', kind: 'A', metadata: each });
    const options: AdmitOptions =
      old === undefined ? create : { ...create, operation: 'update', old: wrap(old) };
    return admit({ type: 'object' }, wrap(metadata), options).problems.map((each) => each.field);
  };

  it.each<[object, readonly string[]]>([
    [{ name: 'a.b-c' }, []],
    [{ generateName: 'a-' }, []],
    [{}, ['metadata.name']],
    [{ name: 'A' }, ['metadata.name']],
    [{ name: 'a', labels: { 'x y': 'b' } }, ['metadata.labels']],
    [{ name: 'a', labels: { x: '-' } }, ['metadata.labels']],
    [{ name: 'a', labels: { x: 1 } }, ['metadata.labels.x']],
    [{ name: 'a', annotations: { 'a/b/c': '' } }, ['metadata.annotations']],
    [{ name: 'a', finalizers: ['x y'] }, ['metadata.finalizers[0]']],
    [
      { name: 'a', ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p' }] },
      ['metadata.ownerReferences[0].uid'],
    ],
  ])('%j', (metadata, expected) => {
    expect(judge(metadata)).toEqual(expected);
  });

  it('is fixed where it names the object', () => {
    expect(judge({ name: 'b', uid: '1' }, { name: 'a', uid: '2' })).toEqual([
      'metadata.name',
      'metadata.uid',
    ]);
    expect(
      judge({ name: 'a', finalizers: ['a/b'] }, { name: 'a', deletionTimestamp: '2026-01-01T00:00:00Z' }),
    ).toEqual(['metadata.finalizers']);
  });
});
