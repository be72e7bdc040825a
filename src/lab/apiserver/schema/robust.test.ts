/** Whatever a client sends, admission answers with problems: it never throws, never changes its input, and is stable. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Schema } from '../types.ts';
import { builtinKinds } from './builtins.ts';
import { copy } from './plain.ts';
import { admit } from './validate.ts';

const odd = fc.constantFrom<unknown>(
  null,
  true,
  0,
  -1,
  65536,
  1.5,
  '',
  'a',
  '10.0.0.0/8',
  '50%',
  [],
  {},
  [null],
  [{}],
  ['a'],
);

/** Values that often fit a schema and sometimes don't; a few fields deep. */
function sampleOf(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  if (depth === 0) return odd;
  const fitting = (): fc.Arbitrary<unknown> => {
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    if (schema.type === 'array') return fc.array(sampleOf(schema.items ?? {}, depth - 1), { maxLength: 3 });
    if (schema.properties !== undefined) {
      const fields = Object.entries(schema.properties).map(([name, each]) => [
        name,
        fc.option(sampleOf(each, depth - 1), { nil: undefined, freq: 2 }),
      ]);
      return fc.record(Object.fromEntries(fields)).map((value) => JSON.parse(JSON.stringify(value)));
    }
    if (schema.type === 'integer') return fc.constantFrom(0, 1, 80, 65535);
    if (schema.type === 'boolean') return fc.boolean();
    return fc.constantFrom('a', 'a-b', 'TCP', '1', '1Gi', '2026-01-01T00:00:00Z', '10.0.0.1');
  };
  return fc.oneof({ weight: 6, arbitrary: fc.constant(0).chain(fitting) }, { weight: 1, arbitrary: odd });
}

it.each(builtinKinds().map((kind) => [`${kind.group}/${kind.kind}`, kind] as const))('%s', (_, kind) => {
  const apiVersion = kind.group === '' ? 'v1' : `${kind.group}/v1`;
  const { apiVersion: _a, kind: _k, metadata: _m, ...fields } = kind.schema.properties ?? {};
  const body = sampleOf({ type: 'object', properties: fields }, 5);
  fc.assert(
    fc.property(body, body, (first, second) => {
      const wrap = (each: unknown) => ({
        ...(each as object),
        apiVersion,
        kind: kind.kind,
        metadata: { name: 'a', namespace: 'd' },
      });
      const given = wrap(first);
      const before = copy(given);
      const admitted = admit(kind.schema, given, {
        operation: 'create',
        fieldValidation: 'Ignore',
        cel: true,
      });
      expect(given).toEqual(before);
      const again = admit(kind.schema, admitted.value, {
        operation: 'create',
        fieldValidation: 'Strict',
        cel: true,
      });
      if (admitted.problems.length === 0)
        expect(again).toMatchObject({ value: admitted.value, problems: [] });
      const update = {
        operation: 'update',
        fieldValidation: 'Warn',
        cel: true,
        old: admitted.value,
      } as const;
      expect(Array.isArray(admit(kind.schema, wrap(second), update).problems)).toBe(true);
      if (admitted.problems.length === 0)
        expect(admit(kind.schema, admitted.value, update).problems).toEqual([]);
    }),
    { numRuns: 60 },
  );
});
