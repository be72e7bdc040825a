/** Matches that are never reached: said of the younger route, in words that tell nothing of other tenants' objects. */
import { expect, test } from 'vitest';
import type { HTTPMatchModel, HTTPRouteModel } from '#model/gateway/types.ts';
import { createGatewayBook } from '../book.ts';
import { httpMatch, httpRoute, httpRule } from '../samples.ts';
import {
  compiled,
  gateway,
  gatewayClass,
  listener,
  objectOf,
  parent,
  routeId,
  running,
  slots,
} from '../testing.ts';
import type { GatewayStatus } from '../types.ts';

const edge = gateway('infra/edge', [
  listener('web HTTP/80', { allowedNamespaces: { from: 'All' } }),
  listener('more HTTP/81', { allowedNamespaces: { from: 'All' } }),
]);
const path = (value: string, part: Partial<HTTPMatchModel> = {}) =>
  httpMatch({ path: { type: 'PathPrefix', value }, ...part });
const header = (name: string) => ({ name, type: 'Exact' as const, value: '1' });
const route = (
  key: string,
  age: number,
  matches: readonly HTTPMatchModel[],
  part: Partial<HTTPRouteModel> = {},
) =>
  httpRoute([httpRule({ matches, backends: [] })], {
    ...objectOf('HTTPRoute', key, age),
    parents: [parent('Gateway infra/edge web')],
    hostnames: ['s.example'],
    ...part,
  });

function shadowedOf(status: GatewayStatus | undefined): string | undefined {
  if (status === undefined || !('parents' in status)) return undefined;
  return status.parents[0]?.conditions.find(({ type }) => type === 'netloom.dev/Shadowed')?.message;
}

const saidOf = (...routes: readonly HTTPRouteModel[]) => {
  const { statuses } = compiled({ gateway: [edge], route: routes });
  return routes.map((each) => shadowedOf(statuses.get(routeId(each))));
};

const never = 'Requests never reach spec.rules[0].matches[0] at s.example:';

test.each<[string, readonly HTTPRouteModel[], readonly (string | undefined)[]]>([
  [
    'the older one of the namespace is named',
    [route('a/old', 1, [path('/x')]), route('a/new', 2, [path('/x/')])],
    [undefined, `${never} HTTPRoute old has the same match, and comes first`],
  ],
  [
    'of another namespace only that',
    [route('b/new', 2, [path('/x')]), route('a/old', 1, [path('/x')])],
    [`${never} a route of namespace a has the same match, and comes first`, undefined],
  ],
  [
    'its own rules',
    [route('a/one', 1, [path('/x'), path('/y'), path('/x')])],
    ['Requests never reach spec.rules[0].matches[2] at s.example: an earlier rule of it has the same match'],
  ],
  [
    'whatever the order of headers',
    [
      route('a/old', 1, [path('/x', { headers: [header('a'), header('b')] })]),
      route('a/new', 2, [path('/x', { headers: [header('b'), header('a')] })]),
    ],
    [undefined, `${never} HTTPRoute old has the same match, and comes first`],
  ],
  [
    'another path, method, header, host or listener is reached',
    [
      route('a/old', 1, [path('/x')]),
      route('b/path', 2, [path('/x/y')]),
      route('b/method', 2, [path('/x', { method: 'GET' })]),
      route('b/header', 2, [path('/x', { headers: [header('a')] })]),
      route('b/host', 2, [path('/x')], { hostnames: ['t.example'] }),
      route('b/listener', 2, [path('/x')], { parents: [parent('Gateway infra/edge more')] }),
    ],
    [undefined, undefined, undefined, undefined, undefined, undefined],
  ],
])('%s', (_, routes, said) => {
  expect(saidOf(...routes)).toEqual(said);
});

test('of what was made of something else the field there is named', () => {
  const made = (key: string, age: number, field: string) =>
    httpRoute([httpRule({ field, matches: [path('/x')], backends: [] })], {
      ...objectOf('HTTPRoute', key, age),
      parents: [parent('Gateway infra/edge web')],
      hostnames: ['s.example'],
    });
  const routes = [made('a/old', 1, 'spec.rules[0]'), made('a/new', 2, 'spec.rules[3].http.paths[1]')];
  expect(saidOf(...routes)).toEqual([
    undefined,
    'Requests never reach spec.rules[3].http.paths[1] at s.example: HTTPRoute old has the same match, and comes first',
  ]);
});

test('once the older one goes the younger one is told, and nobody else', () => {
  const book = createGatewayBook(slots);
  book.set('class', 'netloom', gatewayClass());
  book.set('gateway', 'infra/edge', edge);
  book.setFacts('infra/edge', running);
  for (const each of [
    route('a/old', 1, [path('/x')]),
    route('b/new', 2, [path('/x')]),
    route('b/other', 2, [path('/y')]),
  ])
    book.set('route', routeId(each), each);
  book.settle();
  book.set('route', 'HTTPRoute/a/old', undefined);
  const { statuses } = book.settle();
  expect([...statuses.keys()].filter((id) => id.startsWith('HTTPRoute/b'))).toEqual(['HTTPRoute/b/new']);
  expect(shadowedOf(statuses.get('HTTPRoute/b/new'))).toBeUndefined();
});
