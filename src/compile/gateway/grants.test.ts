/** ReferenceGrants: who may refer to what, whatever comes and goes. */
import { expect, test } from 'vitest';
import { createGrants } from './grants.ts';
import { grant, reference } from './testing.ts';

const from = { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'shop' };
const web = reference('', 'Service', 'other/web');

test('within a namespace nothing is needed', () => {
  const { permits } = createGrants();
  expect([permits(from, reference('', 'Service', 'shop/web')), permits(from, web)]).toEqual([true, false]);
});

test('a grant permits until it goes; another one may say the same', () => {
  const grants = createGrants();
  const one = grant('other', 'HTTPRoute shop', 'Service web');
  const topics = grants.set('other/one', one);
  expect(topics).toHaveLength(1);
  expect(grants.permits(from, web)).toBe(true);
  grants.set('other/two', grant('other', 'HTTPRoute shop', 'Service'));
  expect(grants.set('other/one', undefined)).toEqual(topics);
  expect(grants.permits(from, web)).toBe(true);
  grants.set('other/two', undefined);
  expect(grants.permits(from, web)).toBe(false);
});

test.each([
  ['another group', { ...from, group: 'else.example' }, web],
  ['another kind', { ...from, kind: 'GRPCRoute' }, web],
  ['another namespace', { ...from, namespace: 'attic' }, web],
  ['something else of the name', from, reference('', 'Secret', 'other/web')],
  ['another name', from, reference('', 'Service', 'other/shop')],
  ['another group of the kind', from, reference('else.example', 'Service', 'other/web')],
])('it does not permit %s', (_, referrer, to) => {
  const grants = createGrants();
  grants.set('other/one', grant('other', 'HTTPRoute shop', 'Service web'));
  expect(grants.permits(referrer, to)).toBe(false);
});

test('several sources and targets are permitted each with each; a kind without a name is all of it', () => {
  const grants = createGrants();
  const base = grant('other', 'HTTPRoute shop', 'Service web');
  grants.set('other/one', {
    ...base,
    from: [...base.from, { ...base.from[0]!, kind: 'TCPRoute' }],
    to: [...base.to, { group: '', kind: 'Service' }, { group: '', kind: 'Service', name: 'late' }],
  });
  const all = ['web', 'any'].map((name) => grants.permits({ ...from, kind: 'TCPRoute' }, { ...web, name }));
  expect(all).toEqual([true, true]);
});
