/** What tenants may have, seen from the outside: what is served, and what those are told whose routes are too many. */
import { expect, test } from 'vitest';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import { createGatewayBook } from '../book.ts';
import { httpMatch, httpRoute, httpRule, trafficPolicy } from '../samples.ts';
import {
  type Cluster,
  compiled,
  gateway,
  gatewayClass,
  listener,
  objectOf,
  openALB,
  parent,
  routeId,
  running,
  sharing,
  slots,
} from '../testing.ts';
import { createQuotas } from './quotas.ts';

const open = { allowedNamespaces: { from: 'All' as const } };
const shared = sharing('infra/lb');
const lb = (part: Partial<ALBModel> = {}) => openALB('infra/lb', part);
const edge = (key = 'infra/edge', part = {}) => gateway(key, [listener('web HTTP/8080', open)], part);
const route = (key: string, age: number, size = 1, to = 'infra/edge') =>
  httpRoute(
    [
      httpRule({
        matches: Array.from({ length: size }, (_, at) =>
          httpMatch({ path: { type: 'Exact', value: `/${at}` } }),
        ),
        backends: [],
      }),
    ],
    {
      ...objectOf('HTTPRoute', key, age),
      parents: [parent(`Gateway ${to}`)],
      hostnames: [`${key.replace('/', '.')}.example`],
    },
  );

function outcome(cluster: Cluster) {
  const { intents, statuses } = compiled(cluster);
  const served = new Set<string>();
  for (const intent of intents.values())
    for (const { origin } of Object.values(intent.actions)) served.add(`${origin.namespace}/${origin.name}`);
  const messages = [...statuses].flatMap(([id, status]) =>
    'parents' in status
      ? status.parents.flatMap(({ conditions }) =>
          conditions
            .filter(({ reason }) => reason === 'QuotaExceeded')
            .map(({ type, status: is, message }) => `${id} ${type} ${is}: ${message}`),
        )
      : [],
  );
  return { served: [...served].sort(), messages, tenants: intents.get('infra/lb~alb')?.tenants };
}

const withQuotas = (quotas: ALBModel['quotas'], ...list: readonly ReturnType<typeof route>[]) =>
  outcome({ alb: [lb({ quotas })], gateway: [edge('infra/edge', shared)], route: list });

test('a tenant has as many routes as it may, the oldest; its owner has more', () => {
  const list = ['a/one', 'a/two', 'b/one', 'a/three', 'infra/one', 'infra/two', 'infra/three'];
  const { served, messages } = withQuotas({ routes: 2 }, ...list.map((key, age) => route(key, age)));
  expect(served).toEqual(list.filter((key) => key !== 'a/three').sort());
  expect(messages).toEqual([
    'HTTPRoute/a/three Accepted False: Namespace a may have 2 routes here, and older ones are as many',
  ]);
});

test('what was made of one Ingress counts once, and is served as a whole or not at all', () => {
  const origin = { kind: 'Ingress', namespace: 'a', name: 'web' };
  const parts = ['a/web~ingress', 'a/web~ingress~tls'].map((key) => ({ ...route(key, 1), origin }));
  const other = route('a/other', 2);
  expect(withQuotas({ routes: 2 }, ...parts, other)).toMatchObject({ served: ['a/other', 'a/web'] });
  const young = { ...route('a/young', 3), origin: { ...origin, name: 'young' } };
  const twin = { ...young, key: 'a/young~tls', name: 'young~tls' };
  expect(withQuotas({ routes: 2 }, ...parts, other, young, twin).messages).toHaveLength(2);
});

test('bytes: what is too large is left out, what still fits isn’t', () => {
  const { served, messages } = withQuotas(
    { size: 8 * 1024 },
    route('a/one', 1, 3),
    route('a/large', 2, 30),
    route('a/small', 3, 3),
    route('b/one', 4, 3),
  );
  expect(served).toEqual(['a/one', 'a/small', 'b/one']);
  expect(messages).toEqual([
    'HTTPRoute/a/large Accepted False: Routes of namespace a may be 8 KiB here, and older ones leave too little for this one',
  ]);
});

test('bytes: policies of a route are among what it is, those of the gateway aren’t', () => {
  const settings = { access: { deny: Array.from({ length: 200 }, (_, at) => `192.0.2.${at}/32`) } };
  const world = (...policy: readonly ReturnType<typeof trafficPolicy>[]) =>
    outcome({
      alb: [lb({ quotas: { size: 4 * 1024 } })],
      gateway: [edge('infra/edge', shared)],
      route: [route('a/one', 1, 1), route('a/two', 2, 1)],
      policy,
    }).served;
  expect(world()).toEqual(['a/one', 'a/two']);
  expect(world(trafficPolicy('infra/p', 'ALB lb', settings))).toEqual(['a/one', 'a/two']);
  expect(world(trafficPolicy('a/p', 'HTTPRoute one', settings))).toEqual(['a/two']);
});

/** Each of size 10; `REFUSED REASON` by key. */
function refused(list: readonly (readonly [key: string, instance: string])[]) {
  const quotas = createQuotas({ instance: 50, all: 160, ofRoute: 0 });
  for (const [age, [key, instance]] of list.entries()) {
    const { origin, namespace, created } = objectOf('HTTPRoute', key, age);
    const terms = { instance, namespace: 'infra', hostnames: 'Shared' as const, quotas: {} };
    quotas.set(`${instance} ${key}`, { origin, namespace, created }, [{ instance, size: 10, terms }]);
  }
  quotas.settle();
  return list.flatMap(([key, instance]) => {
    const { message } = quotas.refusal(`${instance} ${key}`, instance) ?? {};
    return message === undefined ? [] : [`${key}: ${message.split(' ').slice(0, 2).join(' ')}`];
  });
}

const flood = (namespace: string, count: number, instance: string) =>
  Array.from({ length: count }, (_, at) => [`${namespace}/${instance}${at}`, instance] as const);

test.each<[string, Parameters<typeof refused>[0], readonly string[]]>([
  ['where one wants more than there is', flood('a', 6, 'i'), ['a/i5: Routes of']],
  [
    'where all want more than there is, those go without who have most',
    [...flood('a', 5, 'i'), ...flood('b', 3, 'i'), ['quiet/i0', 'i']],
    ['a/i2: This gateway', 'a/i3: This gateway', 'a/i4: This gateway', 'b/i2: This gateway'],
  ],
  [
    'at many Gateways, nobody has more than the controller has room for',
    [...['i', 'j', 'k', 'l'].flatMap((each) => flood('a', 4, each)), ...flood('quiet', 1, 'k')],
    ['a/l3: Gateways of'],
  ],
])('without quotas: %s', (_, list, wanted) => {
  expect(refused(list)).toEqual(wanted);
});

test('rates and concurrency are of each tenant that has a route, and of nobody else', () => {
  const list = [route('a/one', 1), route('a/two', 2), route('b/one', 3), route('infra/one', 4)];
  const limits = { requestsPerSecond: 100, concurrency: 10 };
  expect(withQuotas({ ...limits, routes: 9 }, ...list).tenants).toEqual({ a: limits, b: limits });
  expect(withQuotas({}, ...list).tenants).toEqual({});
});

test('once an older route goes, or may be more, the next one is served; nobody else hears of it', () => {
  const book = createGatewayBook(slots);
  book.set('class', 'netloom', gatewayClass());
  book.set('gateway', 'infra/edge', edge('infra/edge', shared));
  book.setFacts('infra/edge', running);
  const quota = (routes: number) => book.set('alb', 'infra/lb', lb({ quotas: { routes } }));
  quota(2);
  for (const one of [
    route('a/one', 1),
    route('a/two', 2),
    route('a/three', 3),
    route('a/four', 4),
    route('b/one', 5),
  ])
    book.set('route', routeId(one), one);
  book.settle();
  const changed = () => {
    const { instances, statuses } = book.settle();
    return {
      put: [...instances.values()].flatMap((each) => Object.keys(each?.put['actions'] ?? {})),
      said: [...statuses.keys()].filter((id) => id.startsWith('HTTPRoute')),
    };
  };
  book.set('route', 'HTTPRoute/a/one', undefined);
  expect(changed()).toEqual({
    put: ['HTTPRoute/a/three|0'],
    said: ['HTTPRoute/a/one', 'HTTPRoute/a/three'],
  });
  quota(3);
  // It is told another number.
  expect(changed()).toEqual({ put: ['HTTPRoute/a/four|0'], said: ['HTTPRoute/a/four'] });
});
