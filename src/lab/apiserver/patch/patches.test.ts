/** JSON patch, merge patch and strategic merge patch: their laws, and the directives that kubectl sends. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtinKinds } from '../schema/builtins.ts';
import { equal, isObject } from '../schema/plain.ts';
import { applyJsonPatch } from './json.ts';
import { applyMergePatch, merge } from './merge.ts';
import { applyStrategicPatch } from './strategic.ts';

const json = fc.jsonValue({ maxDepth: 4 });
const object = fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor'), json, {
  maxKeys: 4,
  noNullPrototype: true,
});
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

/** Whether null stands for a member somewhere below, which a merge patch can't set. */
function hasNull(value: unknown): boolean {
  return isObject(value) && Object.values(value).some((each) => each === null || hasNull(each));
}

describe('JSON patch', () => {
  it.each<[string, unknown, readonly object[], unknown]>([
    ['adds a member', { a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
    ['inserts into a list', { a: [1, 3] }, [{ op: 'add', path: '/a/1', value: 2 }], { a: [1, 2, 3] }],
    ['appends to a list', { a: [1] }, [{ op: 'add', path: '/a/-', value: 2 }], { a: [1, 2] }],
    ['removes', { a: { b: 1, c: 2 } }, [{ op: 'remove', path: '/a/b' }], { a: { c: 2 } }],
    ['replaces the whole', { a: 1 }, [{ op: 'replace', path: '', value: [1] }], [1]],
    ['moves', { a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
    ['moves in a list', { a: [1, 2, 3] }, [{ op: 'move', from: '/a/0', path: '/a/2' }], { a: [2, 3, 1] }],
    ['copies', { a: [1] }, [{ op: 'copy', from: '/a', path: '/b' }], { a: [1], b: [1] }],
    [
      'reads escapes',
      { 'a/b': 1, 'm~n': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'test', path: '/m~0n', value: 2 },
      ],
      { 'm~n': 2 },
    ],
    ['adds null', {}, [{ op: 'add', path: '/a', value: null }], { a: null }],
    [
      'sets a member called __proto__',
      {},
      [{ op: 'add', path: '/__proto__', value: { x: 1 } }],
      JSON.parse('{"__proto__": {"x": 1}}'),
    ],
  ])('%s', (_, before, ops, after) => {
    expect(applyJsonPatch(before, ops)).toEqual({ value: after, problems: [] });
  });

  it.each<[string, unknown, unknown]>([
    ['a missing member', { a: 1 }, [{ op: 'remove', path: '/b' }]],
    [
      'a test that fails',
      { a: 1 },
      [
        { op: 'replace', path: '/a', value: 2 },
        { op: 'test', path: '/a', value: 1 },
      ],
    ],
    ['an index beyond the end', { a: [1] }, [{ op: 'add', path: '/a/2', value: 2 }]],
    ['an index with a leading zero', { a: [1] }, [{ op: 'replace', path: '/a/00', value: 2 }]],
    ['a value moved into itself', { a: { b: 1 } }, [{ op: 'move', from: '/a', path: '/a/b' }]],
    ['a member of the prototype', {}, [{ op: 'test', path: '/constructor/name', value: 'Object' }]],
    ['a parent that is missing', {}, [{ op: 'add', path: '/a/b', value: 1 }]],
    ['an operation that does not exist', {}, [{ op: 'merge', path: '/a', value: 1 }]],
    ['a path that is none', {}, [{ op: 'add', path: 'a', value: 1 }]],
    ['a patch that is no list', {}, { op: 'add', path: '/a', value: 1 }],
  ])('refuses %s, and changes nothing', (_, before, ops) => {
    const { value, problems } = applyJsonPatch(before, ops);
    expect(problems).toHaveLength(1);
    expect(value).toBe(before);
  });

  it('agrees with lists and maps of JavaScript', () => {
    const step = fc.record({ op: fc.constantFrom('add', 'remove', 'replace'), at: fc.nat(6), value: json });
    fc.assert(
      fc.property(fc.array(json, { maxLength: 4 }), fc.array(step, { maxLength: 8 }), (start, steps) => {
        let expected: unknown[] | undefined = plain(start) as unknown[];
        for (const { op, at, value } of steps) {
          if (expected === undefined || at > expected.length - (op === 'add' ? 0 : 1)) expected = undefined;
          else if (op === 'add') expected = expected.toSpliced(at, 0, value);
          else if (op === 'remove') expected = expected.toSpliced(at, 1);
          else expected = expected.with(at, value);
        }
        const ops = steps.map(({ op, at, value }) => ({ op, path: `/list/${at}`, value }));
        const before = { list: plain(start) };
        const { value, problems } = applyJsonPatch(before, ops);
        expect(problems.length > 0).toBe(expected === undefined);
        if (expected !== undefined) expect(equal(value, { list: expected })).toBe(true);
        expect(before).toEqual({ list: plain(start) });
      }),
    );
  });
});

describe('merge patch', () => {
  // RFC 7386, appendix A.
  it.each<[unknown, unknown, unknown]>([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, null, null],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j', (target, patch, result) => {
    expect(merge(target, patch)).toEqual(result);
  });

  it('applied twice is applied once; an empty one changes nothing; later ones win', () => {
    fc.assert(
      fc.property(object, object, (target, patch) => {
        const once = applyMergePatch(target, patch).value;
        expect(equal(applyMergePatch(once, patch).value, once)).toBe(true);
        expect(equal(applyMergePatch(target, {}).value, target)).toBe(true);
        if (!hasNull(patch)) expect(equal(applyMergePatch({}, patch).value, patch)).toBe(true);
        expect(Object.getPrototypeOf(once)).toBe(Object.prototype);
      }),
    );
  });

  it('of an API object is an object', () => {
    expect(applyMergePatch({ a: 1 }, [])).toMatchObject({
      value: { a: 1 },
      problems: [expect.stringContaining('object')],
    });
  });
});

describe('strategic merge patch', () => {
  const schema = builtinKinds().find((each) => each.kind === 'Deployment')!.schema;
  const podSpec = (spec: object) => ({ spec: { template: { spec } } });
  const patched = (before: object, patch: object) => {
    const { value, problems } = applyStrategicPatch(schema, podSpec(before), podSpec(patch));
    expect(problems).toEqual([]);
    return (value as ReturnType<typeof podSpec>).spec.template.spec;
  };
  const a = { name: 'a', image: 'a:1', args: ['x'] };
  const b = { name: 'b', image: 'b:1' };

  it('merges lists by key, replaces others', () => {
    expect(
      patched({ containers: [a, b] }, { containers: [{ name: 'b', image: 'b:2' }, { name: 'c' }] }),
    ).toEqual({
      containers: [a, { name: 'b', image: 'b:2' }, { name: 'c' }],
    });
    expect(patched({ containers: [a] }, { containers: [{ name: 'a', args: ['y'] }] })).toEqual({
      containers: [{ ...a, args: ['y'] }],
    });
  });

  it('deletes and replaces where $patch says so', () => {
    expect(patched({ containers: [a, b] }, { containers: [{ name: 'a', $patch: 'delete' }] })).toEqual({
      containers: [b],
    });
    expect(patched({ containers: [a, b] }, { containers: [{ $patch: 'replace' }, { name: 'c' }] })).toEqual({
      containers: [{ name: 'c' }],
    });
    expect(patched({ nodeSelector: { x: 'y' } }, { nodeSelector: { $patch: 'replace', a: 'b' } })).toEqual({
      nodeSelector: { a: 'b' },
    });
    expect(patched({ securityContext: { runAsUser: 1 } }, { securityContext: { $patch: 'delete' } })).toEqual(
      {},
    );
  });

  it('orders by $setElementOrder, keeping what only the server has in place', () => {
    const order = {
      '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }],
      containers: [{ name: 'c', image: 'c:1' }],
    };
    expect(patched({ containers: [a, b] }, order)).toEqual({
      containers: [{ name: 'c', image: 'c:1' }, a, b],
    });
  });

  it('changes lists of plain values', () => {
    const finalizers = (list: readonly string[], patch: object) =>
      applyStrategicPatch(schema, { metadata: { finalizers: list } }, { metadata: patch }).value as {
        metadata: object;
      };
    expect(finalizers(['a'], { finalizers: ['b', 'a'] }).metadata).toEqual({ finalizers: ['a', 'b'] });
    expect(finalizers(['a', 'b'], { '$deleteFromPrimitiveList/finalizers': ['a'] }).metadata).toEqual({
      finalizers: ['b'],
    });
  });

  it('keeps only $retainKeys', () => {
    const before = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    const patch = { spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } } };
    expect(applyStrategicPatch(schema, before, patch).value).toEqual({
      spec: { strategy: { type: 'Recreate' } },
    });
  });

  it('removes with null, and leaves no directive behind', () => {
    expect(
      patched(
        { hostNetwork: true, containers: [a] },
        { hostNetwork: null, containers: [{ name: 'n', env: [{ name: 'x', value: null }] }] },
      ),
    ).toEqual({
      containers: [a, { name: 'n', env: [{ name: 'x' }] }],
    });
  });

  it.each<[string, object]>([
    ['an element without key', { containers: [{ image: 'x' }] }],
    ['a directive that does not exist', { containers: [{ name: 'a', $patch: 'drop' }] }],
    ['$retainKeys that lacks a key', { securityContext: { $retainKeys: [], runAsUser: 1 } }],
    ['an order that is no list', { '$setElementOrder/containers': 'a' }],
  ])('refuses %s', (_, patch) => {
    const before = podSpec({ containers: [a] });
    const { value, problems } = applyStrategicPatch(schema, before, podSpec(patch));
    expect(problems).toHaveLength(1);
    expect(value).toBe(before);
  });

  it('applied twice is applied once', () => {
    const container = fc.record({ name: fc.constantFrom('a', 'b', 'c'), image: fc.constantFrom('x', 'y') });
    const containers = fc.uniqueArray(container, { selector: (each) => each.name });
    fc.assert(
      fc.property(containers, containers, (before, patch) => {
        const once = patched({ containers: before }, { containers: patch });
        expect(patched(once, { containers: patch })).toEqual(once);
      }),
    );
  });
});
