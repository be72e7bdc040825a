/** What holds of the entries of any routes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FilterModel, HTTPRuleModel, RouteModel } from '#model/gateway/types.ts';
import {
  attachment,
  backend,
  contextOf,
  grpcRoute,
  grpcRule,
  httpMatch,
  httpRoute,
  httpRule,
  l4Route,
  listener,
  service,
  tlsPolicy,
} from '../samples.ts';
import { routeEntries } from './route-entries.ts';

const services = fc.constantFrom('shop/web', 'shop/gone', 'shop/tls', 'bank/vault', 'bank/closed');
const references = fc
  .record({ key: services, weight: fc.integer({ min: 0, max: 3 }), port: fc.constantFrom(80, 81) })
  .map(({ key, weight, port }) => backend(key, { weight, port }));
const filters = fc.oneof(
  fc.constant<FilterModel>({ type: 'URLRewrite', hostname: 'in.example' }),
  fc.constant<FilterModel>({ type: 'RequestRedirect', statusCode: 302 }),
  fc.constant<FilterModel>({ type: 'unusable', field: 'spec.x', message: 'is odd', reason: 'InvalidKind' }),
  references.map((each): FilterModel => ({ type: 'RequestMirror', backend: each, share: 500_000 })),
  references.map(
    (each): FilterModel => ({
      type: 'ExternalAuth',
      protocol: 'HTTP',
      backend: each,
      path: '/auth',
      allowedHeaders: [],
      allowedResponseHeaders: [],
    }),
  ),
);
const paths = fc.record({
  type: fc.constantFrom('Exact' as const, 'PathPrefix' as const, 'RegularExpression' as const),
  value: fc.constantFrom('/', '/a', '/a/', '/a/b'),
});
const httpRules: fc.Arbitrary<HTTPRuleModel> = fc
  .record({
    matches: fc.array(
      paths.map((path) => httpMatch({ path })),
      { minLength: 1, maxLength: 3 },
    ),
    filters: fc.array(filters, { maxLength: 2 }),
    backends: fc.array(references, { maxLength: 3 }),
  })
  .map(httpRule);
const names = fc.constantFrom('shop/a', 'shop/a-b', 'bank/a');
const some = { minLength: 1, maxLength: 3 };
const routes: fc.Arbitrary<RouteModel> = fc.oneof(
  fc.tuple(fc.array(httpRules, some), names).map(([rules, key]) => httpRoute(rules, { key })),
  fc
    .tuple(fc.array(references, some), names)
    .map(([backends, key]) => grpcRoute([grpcRule({ backends }), grpcRule()], { key })),
  fc
    .tuple(
      fc.constantFrom('TLSRoute' as const, 'TCPRoute' as const, 'UDPRoute' as const),
      names,
      fc.array(references),
    )
    .map(([kind, key, backends]) => l4Route(kind, backends, { key })),
);

const known = [
  service('shop/web', ['http 80', 'h2 81 kubernetes.io/h2c']),
  service('shop/tls', ['http 80', 'dns 81/UDP']),
  service('bank/vault', ['http 80']),
  service('bank/closed', ['http 80']),
];
const context = contextOf({
  services: known,
  policies: [tlsPolicy('shop/policy', 'tls')],
  permits: (from, to) => from.namespace === to.namespace || to.name !== 'closed',
});

function entriesOf(route: RouteModel) {
  const at = { UDPRoute: 'UDP', TCPRoute: 'TCP', TLSRoute: 'TLS', HTTPRoute: 'HTTPS', GRPCRoute: 'HTTP' }[
    route.kind
  ];
  return routeEntries(
    route,
    [attachment([listener('one', at), 'a.example', '*.example']), attachment([listener('two', at), ''])],
    context,
  );
}

const nameOf = (key: string) => `"name":"${key.split('/')[1]}"`;

test('what one route says is complete, has its origin, and leads only to what it says itself', () => {
  fc.assert(
    fc.property(routes, (route) => {
      const { intent, backends, conditions } = entriesOf(route);
      const sent = new Set(backends.map(({ key }) => key));
      expect(sent.size).toBe(backends.length);
      const used = new Set<string>();
      for (const { action, rank } of Object.values(intent.rules)) {
        expect(intent.actions[action]).toBeDefined();
        expect(rank).toContain(` ${route.key} `);
      }
      for (const entry of [...Object.values(intent.actions), ...Object.values(intent.streams)]) {
        expect(entry.origin).toMatchObject({
          kind: route.kind,
          namespace: route.namespace,
          name: route.name,
        });
        for (const each of entry.backends) if (each.backend !== undefined) used.add(each.backend);
        if ('kind' in entry) {
          for (const each of entry.mirrors ?? []) used.add(each.backend);
          if (entry.externalAuth?.backend !== undefined) used.add(entry.externalAuth.backend);
        }
      }
      expect([...used].filter((key) => !sent.has(key))).toEqual([]);
      expect(backends.filter(({ service: key }) => !JSON.stringify(route).includes(nameOf(key)))).toEqual([]);
      expect(conditions.filter(({ type }) => type === 'ResolvedRefs')).toHaveLength(1);
      expect(new Set(conditions.map(({ type }) => type)).size).toBe(conditions.length);
      for (const { message } of conditions) expect(message).not.toBe('');
      // Nothing is sent to what must not be referred to, and never in plain text to what has a policy.
      for (const { service: key, identity } of backends) {
        expect(key).not.toBe('shop/gone');
        expect(key === 'bank/closed' && route.namespace !== 'bank').toBe(false);
        const ends = route.kind !== 'TCPRoute' && route.kind !== 'UDPRoute';
        if (key === 'shop/tls' && ends) expect(identity).toBeDefined();
      }
      expect(JSON.stringify(entriesOf(route))).toBe(JSON.stringify({ intent, backends, conditions }));
    }),
  );
});

test('entries of two routes have no key in common', () => {
  fc.assert(
    fc.property(routes, routes, (a, b) => {
      fc.pre(a.kind !== b.kind || a.key !== b.key);
      const [one, two] = [entriesOf(a).intent, entriesOf(b).intent];
      const others = new Set([...Object.keys(two.rules), ...Object.keys(two.actions)]);
      expect(
        [...Object.keys(one.rules), ...Object.keys(one.actions)].filter((key) => others.has(key)),
      ).toEqual([]);
      const ranks = new Set(Object.values(two.rules).map(({ rank }) => rank));
      expect(Object.values(one.rules).filter(({ rank }) => ranks.has(rank))).toEqual([]);
    }),
  );
});
