/** What holds for any sequence of applies and updates. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { applyServerSide } from './apply.ts';
import { emptySet, formatFields, parseFields, sameSet, union } from './fieldset.ts';
import { ownersOf } from './managed.ts';
import { apply, custom, object, request, update } from './testing.ts';
import { compareTyped, toFieldSet } from './typed.ts';

describe('laws', () => {
  const word = fc.constantFrom('a', 'b', 'c', 'd');
  const spec = fc.record(
    {
      a: word,
      b: word,
      map: fc.dictionary(word, word, { maxKeys: 3, noNullPrototype: true }),
      whole: fc.dictionary(word, word, { maxKeys: 2, noNullPrototype: true }),
      set: fc.uniqueArray(word, { maxLength: 3 }),
      list: fc.array(word, { maxLength: 2 }),
      items: fc.uniqueArray(fc.record({ name: word, x: word, y: word }, { requiredKeys: ['name'] }), {
        selector: (each) => each.name,
        maxLength: 3,
      }),
      struct: fc.record({ p: word, q: word }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );

  it('what was applied is there, and applying it again changes nothing', () => {
    fc.assert(
      fc.property(spec, spec, spec, (theirs, before, now) => {
        const live = apply('m', before, apply('other', theirs), { force: true });
        const value = apply('m', now, live, { force: true });
        expect(apply('m', now, value, { force: true })).toBe(value);
        const mine = toFieldSet(custom, object(now));
        const change = compareTyped(custom, value, { ...value, ...mergeBack(value, now) });
        expect([change.added, change.modified].every((each) => sameSet(each, emptySet))).toBe(true);
        expect(sameSet(mine, mine)).toBe(true);
      }),
    );
  });

  it('one alone has exactly what it applied last', () => {
    fc.assert(
      fc.property(spec, spec, (first, second) => {
        const value = apply('m', second, apply('m', first));
        expect(sorted(value.spec)).toEqual(sorted(second));
      }),
    );
  });

  it('two with fields of their own may come in any order', () => {
    const theirs = fc.record(
      { b: word, struct: fc.record({ q: word }), map: fc.record({ z: word }) },
      { requiredKeys: [] },
    );
    const ours = fc.record(
      { a: word, struct: fc.record({ p: word }), map: fc.record({ y: word }) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(ours, theirs, (x, y) => {
        const one = apply('n', y, apply('m', x));
        const other = apply('m', x, apply('n', y));
        expect(sorted(one.spec)).toEqual(sorted(other.spec));
        expect(one.metadata.managedFields).toEqual(other.metadata.managedFields);
      }),
    );
  });

  it('managedFields are read as they were written', () => {
    fc.assert(
      fc.property(spec, (value) => {
        const set = toFieldSet(custom, object(value));
        const json = JSON.parse(JSON.stringify(formatFields(set)));
        expect(sameSet(parseFields(json)!, set)).toBe(true);
        expect(formatFields(parseFields(json)!)).toEqual(json);
      }),
    );
  });

  it('every field of an updated object has an owner', () => {
    fc.assert(
      fc.property(spec, spec, (first, second) => {
        const live = update('m', object(first));
        const value = update('n', { ...live, spec: second }, live);
        const owned = ownersOf(value)?.reduce((all, each) => union(all, each.fields), emptySet) ?? emptySet;
        const all = toFieldSet(custom, { spec: value.spec });
        expect(sameSet(union(owned, all), owned)).toBe(true);
      }),
    );
  });
});

/** The value with a configuration laid over it again. */
function mergeBack(value: KubeObject, now: object): object {
  const result = applyServerSide(request('probe', now, value, { force: true })) as { value: KubeObject };
  return { spec: result.value.spec };
}

/** Keyed lists and empty leftovers say nothing about order; compare without. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map(sorted).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, each]) => [key, sorted(each)] as const);
  return Object.fromEntries(
    entries
      .filter(([, each]) => JSON.stringify(each) !== '[]' && JSON.stringify(each) !== '{}')
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
}
