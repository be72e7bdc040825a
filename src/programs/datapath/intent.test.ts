/** Changes of the intent: merged or one by one they make the same; what doesn't follow or fit is refused. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { emptyIntent, type IntentChange } from '#intent/node.ts';
import { createIntentHolder, mergeChanges, readChange } from './intent.ts';

const keys = ['a', 'b', 'c'];
const entry = fc.record({ subnet: fc.constantFrom('x', 'y', 'z') });
const domain = fc.dictionary(fc.constantFrom(...keys), entry);
const removal = fc.subarray(keys);
/** As the agent makes them: a key is put or removed, not both. */
const change = fc
  .record({
    replace: fc.boolean(),
    namespaces: domain,
    endpoints: domain,
    gone: removal,
    goneEndpoints: removal,
  })
  .map(({ replace, namespaces, endpoints, gone, goneEndpoints }) => ({
    generation: 1,
    replace,
    put: { namespaces, endpoints },
    remove: {
      namespaces: gone.filter((key) => !(key in namespaces)),
      endpoints: goneEndpoints.filter((key) => !(key in endpoints)),
    },
  })) as unknown as fc.Arbitrary<IntentChange>;

test('a merged change does what its parts do one after the other', () => {
  fc.assert(
    fc.property(change, fc.array(change, { minLength: 1, maxLength: 5 }), (first, changes) => {
      const one = createIntentHolder();
      const other = createIntentHolder();
      for (const holder of [one, other]) holder.take({ ...first, replace: true, generation: 1 });
      for (const [i, each] of changes.entries()) one.take({ ...each, generation: i + 2 });
      other.take({ ...changes.reduce(mergeChanges), generation: 2 });
      expect(other.intent).toEqual(one.intent);
    }),
  );
});

test('a whole intent says nothing of endpoints, which are the machine’s own', () => {
  const holder = createIntentHolder();
  const endpoint = { device: 'nlp1' } as never;
  holder.putEndpoint('c/eth0', endpoint);
  holder.take({ generation: 7, replace: true, put: { namespaces: { n: { subnet: 's' } } }, remove: {} });
  expect(holder.intent.endpoints).toEqual({ 'c/eth0': endpoint });
  expect(holder.whole()).toMatchObject({
    generation: 7,
    replace: true,
    put: { endpoints: { 'c/eth0': endpoint } },
  });
});

test('a delta must follow what is held', () => {
  const holder = createIntentHolder();
  const delta = (generation: number) => holder.take({ generation, replace: false, put: {}, remove: {} });
  expect(delta(1)).toEqual({ refused: 'a delta of generation 1 does not follow 0' });
  expect(holder.take({ generation: 4, replace: true, put: {}, remove: {} })).toBeUndefined();
  expect(delta(6)).toEqual({ refused: 'a delta of generation 6 does not follow 4' });
  expect(delta(5)).toBeUndefined();
  expect(delta(5)).toEqual({ refused: 'a delta of generation 5 does not follow 5' });
  expect(holder.generation).toBe(5);
});

describe('what is no change is refused with the field', () => {
  const good = { generation: 1, replace: true, put: {}, remove: {} };
  test.each([
    [[], 'not a JSON object'],
    [{ ...good, generation: 0 }, 'generation: not a positive integer'],
    [{ ...good, replace: 'yes' }, 'replace: not a boolean'],
    [{ ...good, put: undefined }, 'put and remove: not objects'],
    [{ ...good, put: { nothing: {} } }, 'nothing: no such domain'],
    [{ ...good, put: { endpoints: {} } }, 'endpoints: written by the datapath alone'],
    [{ ...good, put: { peers: { a: 1 } } }, 'put.peers: not a record of objects'],
    [{ ...good, remove: { peers: [1] } }, 'remove.peers: not a list of strings'],
  ])('%j', (body, wrong) => {
    expect(readChange(body)).toEqual({ wrong });
  });
});

test('every domain but the machine’s own is taken from the agent', () => {
  for (const domain of Object.keys(emptyIntent).filter((each) => each !== 'endpoints')) {
    const change = {
      generation: 1,
      replace: true,
      put: { [domain]: { key: {} } },
      remove: { [domain]: ['other'] },
    };
    expect(readChange(change), domain).toBe(change);
    const holder = createIntentHolder();
    holder.take(change as IntentChange);
    expect(holder.intent).toEqual({ ...emptyIntent, [domain]: { key: {} } });
  }
});
