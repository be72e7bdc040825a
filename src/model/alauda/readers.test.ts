/** Objects of ALB's as anybody may write them: read without a fall, and what is wrong is said by its field. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { readALB2 } from './alb2.ts';
import { fieldsOfKind } from './catalogue.ts';
import { readFrontend } from './frontend.ts';
import { readRule } from './rule.ts';

const labels = { 'alb2.cpaas.io/name': 'lb', 'alb2.cpaas.io/frontend': 'web' };
const objectOf = (kind: string, spec: unknown): KubeObject =>
  ({
    apiVersion: 'crd.alauda.io/v1',
    kind,
    metadata: { name: 'x', namespace: 'shop', labels },
    spec,
  }) as KubeObject;
const readers = { ALB2: readALB2, Frontend: readFrontend, Rule: readRule } as const;
type Kind = keyof typeof readers;
const kinds: readonly Kind[] = ['ALB2', 'Frontend', 'Rule'];

test.each(kinds)('%s: whatever stands in its fields', (kind) => {
  const names = [...fieldsOfKind(kind).keys()].map((field) => field.split('.').slice(1));
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom('a/b', 'x'.repeat(5000), '$1', '(((', ['EQ'], [['EQ', 'a']], { services: [{}] }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 12 }), (fields) => {
      const spec: Record<string, unknown> = {};
      for (const [path, each] of fields) put(spec, path, each);
      const { problems } = readers[kind](objectOf(kind, spec));
      for (const { field, message } of problems) expect([field, message]).not.toContain('');
    }),
    { numRuns: 300 },
  );
});

function put(at: Record<string, unknown>, [name = '', ...rest]: readonly string[], value: unknown): void {
  const key = name.replace('[]', '');
  if (rest.length === 0) at[key] = value;
  else {
    const inner = { ...(at[key] as object | undefined) } as Record<string, unknown>;
    put(inner, rest, value);
    at[key] = name.endsWith('[]') ? [inner] : inner;
  }
}

test.each([
  [
    'ALB2',
    { config: { bindNIC: '{}', interval: 5, inventedTomorrow: 1 } },
    ['spec.config.bindNIC', 'spec.config.inventedTomorrow'],
  ],
  ['ALB2', { config: { otel: { enable: false }, enablePortProject: false } }, []],
  ['ALB2', { address: '10.0.0.1, example.org' }, ['spec.address']],
  ['Frontend', { port: 80, protocol: 'http', config: { otel: { enable: true } } }, ['spec.config.otel']],
  ['Frontend', { port: 80, protocol: 'smtp' }, ['spec.protocol']],
  ['Rule', { dslx: [] }, ['spec.dslx']],
  ['Rule', { dsl: '(EQ HOST a.example)', domain: 'a.example' }, ['spec.dslx']],
  ['Rule', { domain: 'a.example', url: '^/a' }, ['spec.url']],
  ['Rule', { domain: 'a.example', url: '/a' }, []],
  ['Rule', { dslx: [{ type: 'URL', values: [['REGEX', '(']] }] }, ['spec.dslx[0].values[0]']],
  ['Rule', { source: { type: 'ingress' }, dslx: 7 }, []],
] as const)('%s %j: %j', (kind, spec, fields) => {
  expect(readers[kind](objectOf(kind, spec)).problems.map(({ field }) => field)).toEqual(fields);
});

test('domain and url of older Rules are what dslx would say', () => {
  const of = (spec: object) => readRule(objectOf('Rule', spec)).value;
  const said = (host: readonly string[]) => ({
    dslx: [
      { type: 'HOST', values: [host] },
      { type: 'URL', values: [['STARTS_WITH', '/p']] },
    ],
  });
  expect(of({ domain: 'a.example', url: '/p' })).toEqual(of(said(['EQ', 'a.example'])));
  expect(of({ domain: '*.example', url: '/p' })).toEqual(of(said(['ENDS_WITH', '*.example'])));
});

test('weight and length are those that ALB sorts by', () => {
  const dslx = [
    { type: 'HOST', values: [['EQ', 'a.example']] },
    {
      type: 'URL',
      values: [
        ['STARTS_WITH', '/a'],
        ['EQ', '/b'],
        ['REGEX', '/c.*'],
      ],
    },
    {
      type: 'HEADER',
      key: 'x',
      values: [
        ['EQ', '1'],
        ['EQ', '2'],
      ],
    },
  ];
  const { value } = readRule(objectOf('Rule', { priority: 3, dslx }));
  const expression = JSON.stringify([
    'AND',
    ['EQ', 'HOST', 'a.example'],
    ['OR', ['STARTS_WITH', 'URL', '/a'], ['EQ', 'URL', '/b'], ['REGEX', 'URL', '/c.*']],
    ['OR', ['EQ', 'HEADER', 'x', '1'], ['EQ', 'HEADER', 'x', '2']],
  ]);
  expect(value?.order).toEqual({
    priority: 3,
    weight: 50_000 + 1004 + 2000 + 1004 + 200,
    length: expression.length,
  });
});
