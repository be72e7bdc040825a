/** Objects as anybody might write them, with or without CRDs: whatever is in them is refused or data, and never more than its own. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { readRoute } from '#model/gateway/route.ts';
import { routeEntries } from './entries/route-entries.ts';
import { attachment, contextOf, listener } from './samples.ts';

/** What breaks out of quotes, lines, Lua, nginx and regular expressions, if anything does. */
const nasty = fc.constantFrom(
  '',
  '/',
  '//',
  '/../..',
  '/a;}\nserver{',
  '$http_host',
  '$' + '{jndi:x}',
  '"]]--',
  '\u0000',
  '\r\nX: y',
  'é\u{1F600}',
  '(a+)+$',
  '(?{x})',
  '[',
  '__proto__',
  'constructor',
  'a'.repeat(5000),
);
const anything = fc.anything({ maxDepth: 3, withNullPrototype: false });
const odd = fc.oneof(
  { weight: 8, arbitrary: nasty },
  { weight: 2, arbitrary: fc.string() },
  { weight: 1, arbitrary: anything },
);

/** Mostly as it should be: what is refused at the door shows nothing of the rooms behind. */
const maybe = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 40, arbitrary }, { weight: 1, arbitrary: odd });
const one = (...values: readonly (string | number | boolean)[]) => maybe(fc.constantFrom(...values));
const list = <T>(arbitrary: fc.Arbitrary<T>, least = 0) =>
  maybe(fc.array(maybe(arbitrary), { minLength: least, maxLength: 2 }));
const some = <T extends Record<string, fc.Arbitrary<unknown>>>(
  fields: T,
  required: (keyof T & string)[] = [],
) => fc.record(fields, { requiredKeys: required });

const reference = some(
  {
    name: fc.oneof(
      { weight: 6, arbitrary: fc.constant('web') },
      { weight: 1, arbitrary: one('gone', 'secret') },
    ),
    namespace: one('shop', 'shop', 'shop', 'bank'),
    kind: one('Service'),
    group: one(''),
    port: one(80),
    weight: one(0, 1, 5),
  },
  ['name', 'port'],
);
const value = some(
  { name: one('x-a', 'X-B'), value: one('1', 'a b'), type: one('Exact', 'RegularExpression') },
  ['name', 'value'],
);
const header = some({ set: list(value), add: list(value), remove: list(one('x-a')) });
const path = fc.oneof(
  fc.record({ type: one('ReplaceFullPath'), replaceFullPath: one('/x') }),
  fc.record({ type: one('ReplacePrefixMatch'), replacePrefixMatch: one('/x', '/') }),
);
const url = { hostname: one('in.example'), path: maybe(path) };
const filters: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  requestHeaderModifier: header,
  responseHeaderModifier: header,
  requestRedirect: some({ ...url, scheme: one('https'), port: one(8080), statusCode: one(301) }),
  urlRewrite: some(url),
  requestMirror: some({ backendRef: maybe(reference), percent: one(5) }, ['backendRef']),
  cors: some({
    allowOrigins: list(one('*', 'https://*.example')),
    allowMethods: list(one('GET')),
    maxAge: one(5),
  }),
  externalAuth: some({ protocol: one('HTTP'), backendRef: maybe(reference), http: maybe(fc.constant({})) }, [
    'protocol',
    'backendRef',
    'http',
  ]),
  extensionRef: fc.constant({ group: 'acme.io', kind: 'Limit', name: 'a' }),
};
const types: Readonly<Record<string, string>> = { urlRewrite: 'URLRewrite', cors: 'CORS' };
const filter = fc.oneof(
  ...Object.entries(filters).map(([field, arbitrary]) =>
    fc.record({
      type: one(types[field] ?? `${field[0]?.toUpperCase()}${field.slice(1)}`),
      [field]: maybe(arbitrary),
    }),
  ),
);
const httpMatch = some({
  path: maybe(
    fc.oneof(
      fc.record({ type: one('Exact', 'PathPrefix'), value: one('/a', '/') }),
      fc.record({ type: one('RegularExpression'), value: one('/v[0-9]+') }),
    ),
  ),
  method: one('GET', 'PUT'),
  headers: list(value),
  queryParams: list(value),
});
const grpcMatch = some({
  method: maybe(
    some({ service: one('a.B'), method: one('C'), type: one('Exact', 'RegularExpression') }, ['service']),
  ),
  headers: list(value),
});
const backends = list(
  fc.tuple(reference, some({ filters: list(filter) })).map(([a, b]) => ({ ...a, ...b })),
  1,
);
const httpRule = some({
  name: one('r'),
  matches: list(httpMatch, 1),
  filters: list(filter),
  backendRefs: backends,
  timeouts: maybe(some({ request: one('1s'), backendRequest: one('500ms') })),
  retry: maybe(some({ codes: list(one(500)), attempts: one(2), backoff: one('10ms') })),
  sessionPersistence: maybe(
    some({ sessionName: one('id'), absoluteTimeout: one('1h'), type: one('Cookie', 'Header') }),
  ),
});
const grpcRule = some({ matches: list(grpcMatch, 1), filters: list(filter), backendRefs: backends });
const spec = (rule: fc.Arbitrary<unknown>) =>
  maybe(
    some({ parentRefs: list(reference), hostnames: list(one('a.example')), rules: list(rule, 1) }, ['rules']),
  );
const routes = fc
  .oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('HTTPRoute'), spec: spec(httpRule) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('GRPCRoute'), spec: spec(grpcRule) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constantFrom('TLSRoute', 'TCPRoute', 'UDPRoute'),
        spec: spec(some({ backendRefs: backends })),
      }),
    },
  )
  .map((object) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    metadata: { name: 'route', namespace: 'shop', creationTimestamp: '2026-01-01T00:00:00Z' },
    ...object,
  }));

/** But for tabs, which a value may have. */
function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code !== 9 && (code < 32 || code === 127)) return true;
  }
  return false;
}

test('ten thousand routes: each is data of its own namespace, or refused', () => {
  const context = contextOf();
  const seen = new Set<string>();
  fc.assert(
    fc.property(routes, (object) => {
      const { value: route } = readRoute(object as unknown as KubeObject);
      if (route === undefined) return;
      const at = { UDPRoute: 'UDP', TCPRoute: 'TCP', TLSRoute: 'TLS', HTTPRoute: 'HTTP', GRPCRoute: 'HTTP' }[
        route.kind
      ];
      const places = [attachment([listener('web', at), 'a.example'])];
      const { intent, backends } = routeEntries(route, places, context);
      for (const { service } of backends) expect(service).toBe('shop/web');
      for (const key of [...Object.keys(intent.rules), ...Object.keys(intent.actions)]) {
        expect(key).toContain(`${route.kind}/shop/route|`);
      }
      for (const action of Object.values(intent.actions)) {
        for (const field of Object.keys(action)) seen.add(field);
      }
      for (const { redirect, filters: changes, backends: shares } of Object.values(intent.actions)) {
        const lines = JSON.stringify([redirect, changes, shares], (_, each: unknown) =>
          typeof each === 'string' && hasControl(each) ? expect.fail(`a header or URL has ${each}`) : each,
        );
        expect(lines).toBeDefined();
        for (const { weight } of shares) expect(weight).toBeGreaterThan(0);
      }
      // What is pushed is JSON, and the same once it has been read.
      expect(JSON.parse(JSON.stringify(intent))).toEqual(intent);
    }),
    { numRuns: 10_000 },
  );
  // All of it is reached.
  expect([...seen].sort()).toEqual([
    'backends',
    'cors',
    'externalAuth',
    'filters',
    'kind',
    'mirrors',
    'origin',
    'persistence',
    'redirect',
    'retry',
    'timeouts',
  ]);
}, 180_000);
