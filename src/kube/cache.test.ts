/** Late, repeated and stale news must not move the cache. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCache, type Entry, isOlder } from './cache.ts';

const entry = (
  key: string,
  uid: string,
  resourceVersion: string,
  value = resourceVersion,
): Entry<string> => ({
  key,
  uid,
  resourceVersion,
  value,
});

describe('the cache', () => {
  test('an older version of the same object changes nothing, nor does the same again', () => {
    const cache = createCache<string>({});
    expect(cache.put(entry('a', 'u1', '10'))).toEqual([{ key: 'a', new: '10' }]);
    expect(cache.put(entry('a', 'u1', '9'))).toEqual([]);
    expect(cache.put(entry('a', 'u1', '10'))).toEqual([]);
    expect(cache.put(entry('a', 'u1', '11'))).toEqual([{ key: 'a', old: '10', new: '11' }]);
  });

  test('another object under the same name is gone, then new', () => {
    const cache = createCache<string>({});
    cache.put(entry('a', 'u1', '10'));
    expect(cache.put(entry('a', 'u2', '12'))).toEqual([
      { key: 'a', old: '10' },
      { key: 'a', new: '12' },
    ]);
    expect(cache.put(entry('a', 'u1', '11'))).toEqual([]);
    expect(cache.remove('a', 'u1', '11')).toEqual([]);
    expect(cache.get('a')).toBe('12');
  });

  test('what was deleted stays so when older news of it comes late', () => {
    const cache = createCache<string>({});
    cache.put(entry('a', 'u1', '10'));
    expect(cache.remove('a', 'u1', '12')).toEqual([{ key: 'a', old: '10' }]);
    expect(cache.put(entry('a', 'u1', '11'))).toEqual([]);
    expect(cache.put(entry('a', 'u1', '12'))).toEqual([]);
    expect(cache.put(entry('a', 'u2', '13'))).toEqual([{ key: 'a', new: '13' }]);
  });

  test('an object that left a selector and matches again comes back with the same uid', () => {
    const cache = createCache<string>({});
    cache.put(entry('a', 'u1', '10'));
    cache.remove('a', 'u1', '12');
    expect(cache.put(entry('a', 'u1', '14'))).toEqual([{ key: 'a', new: '14' }]);
    // The departure, repeated.
    expect(cache.remove('a', 'u1', '12')).toEqual([]);
  });

  test('after a list, events up to its version are repeats, also of what the list does not hold', () => {
    const cache = createCache<string>({});
    cache.reset('50');
    cache.adopt(entry('a', 'u1', '20'));
    expect(cache.put(entry('gone before', 'u9', '40'))).toEqual([]);
    expect(cache.remove('a', 'u1', '45')).toEqual([]);
    expect(cache.put(entry('new', 'u3', '51'))).toHaveLength(1);
  });

  test('a list with lower versions is believed: the server was restored', () => {
    const cache = createCache<string>({});
    cache.put(entry('a', 'u1', '90'));
    cache.reset('30');
    expect(cache.adopt(entry('a', 'u1', '25'))).toEqual([{ key: 'a', old: '90', new: '25' }]);
    expect(cache.put(entry('a', 'u1', '31'))).toEqual([{ key: 'a', old: '25', new: '31' }]);
  });

  test('remembered deletions are bounded, and what is forgotten is still refused', () => {
    const cache = createCache<string>({});
    for (let i = 1; i <= 5000; i += 1) cache.remove(`k${i}`, 'u', String(i));
    expect(cache.put(entry('k1', 'u', '1'))).toEqual([]);
    expect(cache.put(entry('k5000', 'u', '5000'))).toEqual([]);
    expect(cache.put(entry('k1', 'u2', '6000'))).toHaveLength(1);
  });

  test('an indexer that throws indexes nothing, is reported, and leaves the object in the cache', () => {
    const reported: string[] = [];
    const broken = (): readonly string[] => {
      throw new Error('no');
    };
    const cache = createCache<string>({ broken, whole: (value) => [value] }, undefined, (index, key) =>
      reported.push(`${index} ${key}`),
    );
    cache.put(entry('a', 'u', '1'));
    expect(cache.byIndex('whole', '1')).toEqual(['1']);
    expect(reported).toEqual(['broken a']);
  });

  test('indexes hold exactly what the objects say, after any sequence of changes', () => {
    const step = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      uid: fc.constantFrom('u1', 'u2'),
      version: fc.integer({ min: 1, max: 12 }).map(String),
      terms: fc.array(fc.constantFrom('x', 'y', 'z')),
      what: fc.constantFrom('put', 'adopt', 'remove', 'discard'),
    });
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const cache = createCache<readonly string[]>({ term: (terms) => terms });
        for (const { key, uid, version, terms, what } of steps) {
          const next = { key, uid, resourceVersion: version, value: terms };
          if (what === 'put') cache.put(next);
          else if (what === 'adopt') cache.adopt(next);
          else if (what === 'remove') cache.remove(key, uid, version);
          else cache.discard(key);
        }
        for (const term of ['x', 'y', 'z']) {
          const wanted = cache.values().filter((terms) => terms.includes(term));
          expect(new Set(cache.byIndex('term', term))).toEqual(new Set(wanted));
        }
      }),
    );
  });
});

test('versions have the order of the integers they are', () => {
  fc.assert(
    fc.property(fc.bigInt(1n, 2n ** 70n), fc.bigInt(1n, 2n ** 70n), (a, b) => {
      expect(isOlder(String(a), String(b))).toBe(a < b);
    }),
  );
  expect(isOlder('abc', '5')).toBe(false);
  expect(isOlder('', '5')).toBe(false);
});
