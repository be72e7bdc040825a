import { expect, test } from 'vitest';
import type { GatewayActionIntent, GatewayRuleIntent } from '#intent/gateway.ts';
import type { FilterModel, HTTPMatchModel, HTTPRuleModel } from '#model/gateway/types.ts';
import {
  attachment,
  backend,
  contextOf,
  httpMatch,
  httpRoute,
  httpRule,
  listener,
  service,
  type World,
} from '../samples.ts';
import { routeEntries } from './route-entries.ts';

const web = listener('web', 'HTTP');
const any = [attachment([web])];

function entries(rules: readonly HTTPRuleModel[], world?: World) {
  return routeEntries(httpRoute(rules), any, contextOf(world));
}

/** Of the first rule. */
function actionOf(part: Partial<HTTPRuleModel>, world?: World): GatewayActionIntent {
  const action = entries([httpRule(part)], world).intent.actions['HTTPRoute/shop/route|0'];
  if (action === undefined) throw new Error('no action');
  return action;
}

const matches: readonly [string, Partial<HTTPMatchModel>, Partial<GatewayRuleIntent>][] = [
  ['an exact path', { path: { type: 'Exact', value: '/a/' } }, { path: { type: 'exact', value: '/a/' } }],
  ['a prefix', { path: { type: 'PathPrefix', value: '/a' } }, { path: { type: 'prefix', value: '/a' } }],
  [
    'a slash at its end',
    { path: { type: 'PathPrefix', value: '/a/' } },
    { path: { type: 'prefix', value: '/a' } },
  ],
  ['everything', { path: { type: 'PathPrefix', value: '/' } }, { path: { type: 'prefix', value: '/' } }],
  [
    'an expression',
    { path: { type: 'RegularExpression', value: '/v[0-9]+' } },
    { path: { type: 'regex', value: '/v[0-9]+' } },
  ],
  ['a method', { method: 'PUT' }, { method: 'PUT' }],
  [
    'headers',
    {
      headers: [
        { name: 'version', type: 'Exact', value: '2' },
        { name: 'user', type: 'RegularExpression', value: 'a.*' },
      ],
    },
    {
      headers: [
        { name: 'version', value: '2' },
        { name: 'user', value: 'a.*', regex: true },
      ],
    },
  ],
  [
    'query parameters',
    { query: [{ name: 'q', type: 'Exact', value: 'a b' }] },
    { query: [{ name: 'q', value: 'a b' }] },
  ],
];

test('a route whose matches are too many for the pods of a Gateway, all hostnames taken together, is not accepted', () => {
  const header = (at: number) => ({ name: `h${at}`, type: 'Exact' as const, value: 'x'.repeat(4096) });
  const match = httpMatch({ headers: Array.from({ length: 16 }, (_, at) => header(at)) });
  const route = httpRoute([httpRule({ matches: [match, match, match] }), httpRule()]);
  const over = (hosts: number, gateways = 1) => {
    const names = Array.from({ length: hosts }, (_, at) => `h${at}.example`);
    return routeEntries(route, [attachment([web, ...names])], contextOf(), gateways);
  };
  expect(Object.keys(over(16).intent.rules)).toHaveLength(16 * 4);
  expect(over(16, 2).intent.rules).toEqual({});
  const { intent, conditions, backends } = over(50);
  expect(intent).toEqual({ rules: {}, actions: {}, streams: {} });
  expect(backends).toEqual([]);
  expect(conditions).toMatchObject([
    { type: 'Accepted', status: 'False', reason: 'UnsupportedValue' },
    { type: 'ResolvedRefs' },
  ]);
});

test.each(matches)('a match by %s', (_, match, expected) => {
  const { rules } = entries([httpRule({ matches: [httpMatch(match)] })]).intent;
  expect(Object.keys(rules)).toEqual(['gateway/shop/edge/web||HTTPRoute/shop/route|0.0']);
  expect(Object.values(rules)[0]).toEqual({
    listener: 'gateway/shop/edge/web',
    host: '',
    path: { type: 'prefix', value: '/' },
    ...expected,
    rank: Object.values(rules)[0]?.rank,
    action: 'HTTPRoute/shop/route|0',
  });
});

test('one rule for each match at each host of each listener, one action for all of them', () => {
  const rule = httpRule({ matches: [httpMatch({ method: 'GET' }), httpMatch({ method: 'PUT' })] });
  const other = listener('other', 'HTTP');
  const { rules, actions } = routeEntries(
    httpRoute([rule, httpRule()]),
    [attachment([web, 'a.example', '*.b.example'], [other]), attachment([web, 'a.example'])],
    contextOf(),
  ).intent;
  expect(Object.keys(rules).toSorted()).toEqual(
    ['gateway/shop/edge/web|a.example|', 'gateway/shop/edge/web|*.b.example|', 'gateway/shop/edge/other||']
      .flatMap((place) => ['0.0', '0.1', '1.0'].map((at) => `${place}HTTPRoute/shop/route|${at}`))
      .toSorted(),
  );
  expect(Object.keys(actions)).toEqual(['HTTPRoute/shop/route|0', 'HTTPRoute/shop/route|1']);
  expect(actions['HTTPRoute/shop/route|1']?.origin).toEqual({
    kind: 'HTTPRoute',
    namespace: 'shop',
    name: 'route',
    rule: 'spec.rules[1]',
  });
});

test('a listener that is not served gets nothing, but references are judged', () => {
  const { intent, backends, conditions } = routeEntries(
    httpRoute([httpRule({ backends: [backend('shop/gone')] })]),
    [attachment([listener('web', 'HTTP', { served: false })])],
    contextOf(),
  );
  expect(intent).toEqual({ rules: {}, actions: {}, streams: {} });
  expect(backends).toEqual([]);
  expect(conditions).toMatchObject([{ type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound' }]);
});

const change = { set: [{ name: 'A', value: '1' }], add: [{ name: 'B', value: '2' }], remove: ['C'] };
const onlyRemove = { set: [], add: [], remove: ['C'] };
const cors = {
  allowOrigins: ['https://*.example.org'],
  allowMethods: ['GET'],
  allowHeaders: ['x-a'],
  exposeHeaders: [],
  allowCredentials: true,
  maxAge: 5,
};

const filters: readonly [string, FilterModel, Partial<GatewayActionIntent>][] = [
  ['changed headers', { type: 'RequestHeaderModifier', headers: change }, { filters: { request: change } }],
  [
    'headers of answers',
    { type: 'ResponseHeaderModifier', headers: onlyRemove },
    { filters: { response: { remove: ['C'] } } },
  ],
  ['nothing changed', { type: 'RequestHeaderModifier', headers: { set: [], add: [], remove: [] } }, {}],
  [
    'a host and a path put in place',
    { type: 'URLRewrite', hostname: 'in.example', path: { type: 'ReplaceFullPath', value: '/x' } },
    { filters: { rewrite: { hostname: 'in.example', path: { type: 'full', value: '/x' } } } },
  ],
  [
    'a prefix put in place',
    { type: 'URLRewrite', path: { type: 'ReplacePrefixMatch', value: '/x' } },
    { filters: { rewrite: { path: { type: 'prefix', value: '/x' } } } },
  ],
  ['CORS', { type: 'CORS', ...cors }, { cors }],
];

test.each(filters)('a rule with %s', (_, filter, expected) => {
  expect(actionOf({ filters: [filter] })).toEqual({
    origin: { kind: 'HTTPRoute', namespace: 'shop', name: 'route', rule: 'spec.rules[0]' },
    kind: 'http',
    backends: [{ backend: 'shop/web:80/http', weight: 1 }],
    ...expected,
  });
});

/** Scheme and port as written, and the port that the data plane is told. */
const redirects = [
  [undefined, undefined, undefined],
  [undefined, 8443, 8443],
  ['https', undefined, 443],
  ['http', undefined, 80],
  ['https', 80, 80],
  ['http', 8080, 8080],
] as const;

test.each(redirects)('a redirect to scheme %s and port %s', (scheme, port, expected) => {
  const filter: FilterModel = {
    type: 'RequestRedirect',
    statusCode: 308,
    hostname: 'new.example',
    ...(scheme === undefined ? {} : { scheme }),
    ...(port === undefined ? {} : { port }),
  };
  const { redirect, backends } = actionOf({ filters: [filter], backends: [] });
  expect(backends).toEqual([]);
  expect(redirect).toEqual({
    statusCode: 308,
    hostname: 'new.example',
    ...(scheme === undefined ? {} : { scheme }),
    ...(expected === undefined ? {} : { port: expected }),
  });
});

test('a redirect is of one backend, too', () => {
  const redirect: FilterModel = { type: 'RequestRedirect', statusCode: 302, scheme: 'https' };
  const rewrite: FilterModel = { type: 'URLRewrite', hostname: 'in.example' };
  const backends = [
    backend('shop/web', { filters: [redirect], weight: 3 }),
    backend('shop/web', { filters: [rewrite], weight: 0 }),
    backend('shop/web', { filters: [rewrite], weight: 2 }),
  ];
  expect(actionOf({ backends }).backends).toEqual([
    { backend: 'shop/web:80/http', weight: 3, redirect: { statusCode: 302, scheme: 'https', port: 443 } },
    { backend: 'shop/web:80/http', weight: 2, filters: { rewrite: { hostname: 'in.example' } } },
  ]);
});

test('timeouts, retries and sessions', () => {
  const action = actionOf({
    timeouts: { request: 0, backendRequest: 500 },
    retry: { codes: [500, 503], attempts: 2, backoff: 100 },
    sessionPersistence: { type: 'Cookie', name: 'id', lifetime: 'Permanent', absoluteTimeout: 3600 },
  });
  expect(action).toMatchObject({
    timeouts: { request: 0, backend: 500 },
    retry: { codes: [500, 503], attempts: 2, backoff: 100 },
    persistence: { type: 'cookie', name: 'id', maxAge: 3600, absolute: 3600 },
  });
  expect(actionOf({ retry: { codes: [500], attempts: 0 } }).retry).toBeUndefined();
  const header = { type: 'Header', name: 'x-id', lifetime: 'Session', absoluteTimeout: 60 } as const;
  expect(actionOf({ sessionPersistence: header }).persistence).toEqual({
    type: 'header',
    name: 'x-id',
    absolute: 60,
  });
});

test('sessions without a name are not those of another rule', () => {
  const rule = httpRule({ sessionPersistence: { type: 'Cookie', lifetime: 'Session' } });
  const { actions } = entries([rule, rule]).intent;
  const found = Object.values(actions).map(({ persistence }) => persistence?.name);
  expect(new Set(found).size).toBe(2);
  expect(found[0]).toMatch(/^netloom-[0-9a-f]{12}$/);
});

const mirror = (key: string, share = 1_000_000): FilterModel => ({
  type: 'RequestMirror',
  backend: backend(key),
  share,
});

test('several mirrors; one that leads nowhere is dropped, and said', () => {
  const { intent, backends, conditions } = entries(
    [httpRule({ filters: [mirror('shop/copy', 250_000), mirror('shop/gone'), mirror('shop/copy', 0)] })],
    { services: [service('shop/web', ['http 80']), service('shop/copy', ['h 80 kubernetes.io/h2c'])] },
  );
  expect(Object.values(intent.actions)[0]?.mirrors).toEqual([
    { backend: 'shop/copy:80/h2c', share: 250_000 },
  ]);
  expect(backends.map(({ key }) => key)).toEqual(['shop/web:80/http', 'shop/copy:80/h2c']);
  expect(conditions).toEqual([
    {
      type: 'ResolvedRefs',
      status: 'False',
      reason: 'BackendNotFound',
      message: 'spec.rules[0].filters[1].requestMirror.backendRef: there is no Service shop/gone',
    },
  ]);
});

test.each([
  ['shop/auth', 'shop/auth:80/http'],
  ['shop/gone', undefined],
])('leave is asked of %s', (key, expected) => {
  const auth: FilterModel = {
    type: 'ExternalAuth',
    protocol: 'HTTP',
    backend: backend(key),
    path: '',
    allowedHeaders: ['x-user'],
    allowedResponseHeaders: [],
    forwardBody: 0,
  };
  const services = [service('shop/web', ['http 80']), service('shop/auth', ['http 80'])];
  expect(actionOf({ filters: [auth] }, { services }).externalAuth).toEqual({
    protocol: 'http',
    ...(expected === undefined ? {} : { backend: expected }),
    path: '',
    allowedHeaders: ['x-user'],
    allowedResponseHeaders: [],
  });
});

test('what leads nowhere keeps its share, which gets 500', () => {
  const { intent, conditions } = entries([
    httpRule({ backends: [backend('shop/web', { weight: 3 }), backend('shop/gone', { weight: 7 })] }),
  ]);
  expect(Object.values(intent.actions)[0]?.backends).toEqual([
    { backend: 'shop/web:80/http', weight: 3 },
    { weight: 7 },
  ]);
  expect(conditions).toMatchObject([{ type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound' }]);
});

test('all is well', () => {
  expect(entries([httpRule(), httpRule()]).conditions).toMatchObject([
    { type: 'ResolvedRefs', status: 'True', reason: 'ResolvedRefs' },
  ]);
});
