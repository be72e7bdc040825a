/** What policies make of actions, backends and users, what is said of each, and what a change of one touches. */
import { describe, expect, test } from 'vitest';
import type { BackendPolicyModel, TrafficPolicyModel, TrafficSettings } from '#model/gateway/policy-types.ts';
import type { FilterModel, HTTPRuleModel } from '#model/gateway/types.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import { createGatewayBook } from '../book.ts';
import { backend, backendPolicy, httpRoute, httpRule, service, slice, trafficPolicy } from '../samples.ts';
import {
  alb,
  type Cluster,
  compiled,
  gateway,
  gatewayClass,
  grant,
  listener,
  objectOf,
  parent,
  routeId,
  running,
  said,
  slots,
  users,
} from '../testing.ts';

/** A route with one rule at `shop/edge`. */
function cluster(
  policy: readonly TrafficPolicyModel[],
  rule: Partial<HTTPRuleModel> = {},
  more: Cluster = {},
) {
  const route = httpRoute([httpRule({ name: 'one', ...rule })], {
    ...objectOf('HTTPRoute', 'shop/web'),
    parents: [parent('Gateway shop/edge')],
  });
  return compiled({
    gateway: [gateway('shop/edge', [listener('web HTTP/80')])],
    service: ['shop/web', 'shop/other', 'bank/web'].map((key) => service(key, ['http 80'])),
    route: [route],
    policy,
    ...more,
  });
}

const held = (world: ReturnType<typeof cluster>) => {
  const intent = world.intents.get('shop/edge');
  const [action] = Object.values(intent?.actions ?? {});
  return { intent, action, policy: intent?.policies[action?.policy ?? ''] };
};

const onRoute = (settings: TrafficSettings, part: Partial<TrafficPolicyModel> = {}) =>
  trafficPolicy('shop/p', 'HTTPRoute web', settings, part);
const onGateway = (settings: TrafficSettings, part: Partial<TrafficPolicyModel> = {}) =>
  trafficPolicy('shop/q', 'Gateway edge', settings, part);
const insists = { enforced: true };
const externalAuth = (key: string): Extract<FilterModel, { readonly type: 'ExternalAuth' }> => ({
  type: 'ExternalAuth',
  protocol: 'HTTP',
  backend: backend(key),
  path: '',
  allowedHeaders: [],
  allowedResponseHeaders: [],
});
const cors = (origin: string): Extract<FilterModel, { readonly type: 'CORS' }> => ({
  type: 'CORS',
  allowOrigins: [origin],
  allowMethods: [],
  allowHeaders: [],
  exposeHeaders: [],
  allowCredentials: false,
  maxAge: 5,
});

test('without policies nothing is there of them', () => {
  const { action, intent } = held(cluster([]));
  expect(intent?.policies).toEqual({});
  expect(Object.keys(action ?? {})).not.toContain('policy');
});

test('limits of all levels hold together, each with a counter of its own', () => {
  const limit = { requests: 10, per: 1000, burst: 0, by: ['client' as const] };
  const { policy } = held(
    cluster([
      onRoute({ rateLimits: [limit, { ...limit, requests: 5 }], access: { deny: ['192.0.2.1/32'] } }),
      onGateway({
        rateLimits: [limit],
        concurrency: [{ requests: 3, by: [] }],
        access: { allow: ['192.0.2.0/24'] },
      }),
    ]),
  );
  expect(policy?.rateLimits?.map(({ counter }) => counter)).toEqual([
    'shop/p/rateLimits/0',
    'shop/p/rateLimits/1',
    'shop/q/rateLimits/0',
  ]);
  expect(policy?.concurrency).toEqual([{ counter: 'shop/q/concurrency/0', requests: 3, by: [] }]);
  expect(policy?.access).toEqual([{ deny: ['192.0.2.1/32'] }, { allow: ['192.0.2.0/24'] }]);
  expect(policy?.origins.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
    'TrafficPolicy p',
    'TrafficPolicy q',
  ]);
});

test('whose word is taken for the client is said where the address is, the outermost first: by no route', () => {
  const proxies = (cidr: string) => ({ trustedProxies: [cidr] });
  const ofRoute = cluster([onRoute({ ...proxies('0.0.0.0/0'), maxBody: 1 })]);
  expect(held(ofRoute).policy).not.toHaveProperty('trustedProxies');
  expect(ofRoute.statuses.get('TrafficPolicy/shop/p')).toMatchObject({
    ancestors: [{ conditions: [{}, {}, { type: 'PartiallyInvalid', status: 'True' }] }],
  });
  const both = [
    onGateway(proxies('192.0.2.0/24')),
    trafficPolicy('shop/r', 'Gateway edge web', proxies('10.0.0.0/8')),
  ];
  expect(held(cluster(both)).policy?.trustedProxies).toEqual(['192.0.2.0/24']);
});

describe('what a rule says itself', () => {
  const says: Partial<HTTPRuleModel> = {
    timeouts: { request: 1 },
    retry: { codes: [500], attempts: 1 },
    sessionPersistence: { type: 'Cookie', name: 'own', lifetime: 'Session' },
    filters: [
      cors('https://own.example'),
      externalAuth('shop/web'),
      { type: 'RequestMirror', backend: backend('shop/web'), share: 1 },
    ],
  };
  const settings: TrafficSettings = {
    timeouts: { request: 2, backendRequest: 3, connect: 4 },
    retry: { codes: [503], attempts: 2 },
    affinity: { type: 'hash', hash: { by: 'client' } },
    cors: cors('https://policy.example'),
    externalAuth: externalAuth('shop/other'),
    mirrors: [{ backend: backend('shop/other'), share: 2 }],
  };

  test('is nearer than a policy', () => {
    expect(held(cluster([onRoute(settings)], says)).action).toMatchObject({
      timeouts: { request: 1, backend: 3, connect: 4 },
      retry: { codes: [500], attempts: 1 },
      persistence: { name: 'own' },
      cors: { allowOrigins: ['https://own.example'] },
      externalAuth: { backend: 'shop/web:80/http' },
      mirrors: [{ backend: 'shop/web:80/http' }],
    });
  });

  test('is not nearer than one that insists', () => {
    const { action, intent } = held(cluster([onGateway(settings, insists)], says));
    expect(action).toMatchObject({
      timeouts: { request: 2, backend: 3, connect: 4 },
      retry: { codes: [503], attempts: 2 },
      hash: { by: 'client' },
      cors: { allowOrigins: ['https://policy.example'] },
      externalAuth: { backend: 'shop/other:80/http' },
      mirrors: [{ backend: 'shop/other:80/http' }],
    });
    expect(action).not.toHaveProperty('persistence');
    expect(intent?.backends).toHaveProperty('shop/other:80/http');
  });

  test('is filled up where it says nothing', () => {
    expect(held(cluster([onRoute(settings)])).action).toMatchObject({
      timeouts: { request: 2 },
      retry: { attempts: 2 },
      hash: { by: 'client' },
      externalAuth: { backend: 'shop/other:80/http' },
    });
  });
});

test('sessions without a name outlive a change of policies', () => {
  const affinity = { type: 'session', session: { type: 'Cookie', lifetime: 'Session' } } as const;
  const one = held(cluster([onRoute({ affinity })])).action?.persistence;
  const other = held(cluster([onRoute({ affinity }), onGateway({ maxBody: 1 })])).action?.persistence;
  expect(one).toEqual(other);
  expect(one?.name).toMatch(/^netloom-/);
});

test('canaries are of routes, and what of them leads nowhere keeps its share', () => {
  const canaries = (key: string) => [
    {
      share: 1000,
      header: { name: 'x-canary' },
      backends: [backend(key), backend('shop/none', { weight: 2 })],
    },
    { share: 1000, backends: [backend('shop/other', { weight: 0 })] },
  ];
  expect(held(cluster([onRoute({ canaries: canaries('shop/other') })])).action?.canaries).toEqual([
    {
      share: 1000,
      header: { name: 'x-canary' },
      backends: [{ backend: 'shop/other:80/http', weight: 1 }, { weight: 2 }],
    },
  ]);
  const ofGateway = cluster([onGateway({ canaries: canaries('shop/other') })]);
  expect(held(ofGateway).action).not.toHaveProperty('canaries');
});

test('error pages by text and by a Service; one that can not be asked leaves answers as they are', () => {
  const body = { contentType: 'text/plain', text: 'gone' };
  const errors = [
    { codes: [404], body },
    { codes: [502], backend: backend('shop/other') },
    { codes: [503], backend: backend('bank/web') },
  ];
  const { policy, intent } = held(cluster([onRoute({ errors })]));
  expect(policy?.errors).toEqual([
    { codes: [404], body },
    { codes: [502], backend: 'shop/other:80/http' },
  ]);
  expect(intent?.backends).toHaveProperty('shop/other:80/http');
});

describe('another namespace’s Service', () => {
  const settings = { mirrors: [{ backend: backend('bank/web'), share: 1_000_000 }] };
  const permits = {
    ...grant('bank', 'TrafficPolicy shop', 'Service web'),
    from: [{ group: 'netloom.dev', kind: 'TrafficPolicy', namespace: 'shop' }],
  };

  test('needs a ReferenceGrant for TrafficPolicies: one for routes is not enough', () => {
    const forRoutes = grant('bank', 'HTTPRoute shop', 'Service web');
    const { action } = held(cluster([onRoute(settings)], {}, { grant: [forRoutes] }));
    expect(action?.mirrors).toEqual([]);
    const granted = held(cluster([onRoute(settings)], {}, { grant: [permits] }));
    expect(granted.action?.mirrors).toEqual([{ backend: 'bank/web:80/http', share: 1_000_000 }]);
  });

  test('that is not granted is said', () => {
    const status = cluster([onRoute(settings)]).statuses.get('TrafficPolicy/shop/p');
    expect(status?.kind === 'TrafficPolicy' && said(status.ancestors[0]?.conditions)).toEqual([
      'Accepted True Accepted',
      'ResolvedRefs False RefNotPermitted',
    ]);
  });
});

describe('fails closed', () => {
  const closedAction = { kind: 'http', backends: [] };

  test('what protects and can not be read: everything that the policy is for gets 500', () => {
    const refused = [{ field: 'spec.access', message: 'needs allow or deny', protects: true as const }];
    const world = cluster([onRoute({ maxBody: 1 }, { refused }), onGateway({ cors: cors('*') })]);
    const { action, intent } = held(world);
    expect(action).toEqual({ origin: action?.origin, ...closedAction });
    expect(intent?.policies).toEqual({});
    expect(world.statuses.get('TrafficPolicy/shop/p')).toMatchObject({
      ancestors: [
        {
          gateway: 'shop/edge',
          conditions: [
            {
              type: 'Accepted',
              status: 'False',
              reason: 'Invalid',
              message: 'spec.access: needs allow or deny: requests that it is for get 500',
            },
            { type: 'ResolvedRefs', status: 'True' },
          ],
        },
      ],
    });
  });

  test('not what only serves', () => {
    const refused = [{ field: 'spec.cors', message: 'no origin' }];
    const world = cluster([onRoute({ maxBody: 1 }, { refused })]);
    expect(held(world).policy).toMatchObject({ maxBody: 1 });
    const status = world.statuses.get('TrafficPolicy/shop/p');
    expect(status?.kind === 'TrafficPolicy' && said(status.ancestors[0]?.conditions)).toEqual([
      'Accepted True Accepted',
      'ResolvedRefs True ResolvedRefs',
      'PartiallyInvalid True UnsupportedValue',
    ]);
  });

  test('without the Secret nobody is let in; with it those in it are', () => {
    const policy = onRoute({ basicAuth: { realm: 'r', secret: 'users' } });
    const without = cluster([policy]);
    expect(held(without).policy?.basicAuth).toEqual({ realm: 'r' });
    expect(without.references).toContain('Secret/shop/users');
    const status = without.statuses.get('TrafficPolicy/shop/p');
    expect(status?.kind === 'TrafficPolicy' && said(status.ancestors[0]?.conditions)).toEqual([
      'Accepted True Accepted',
      'ResolvedRefs False InvalidSecret',
    ]);
    const { policy: entry, intent } = held(cluster([policy], {}, { users: [users('shop/users')] }));
    expect(entry?.basicAuth).toEqual({ realm: 'r', users: 'shop/users' });
    expect(Object.keys(intent?.users['shop/users']?.users ?? {})).toEqual(['ann']);
  });

  test('an external authorization that leads nowhere', () => {
    const { action } = held(cluster([onRoute({ externalAuth: externalAuth('shop/none') })]));
    expect(action?.externalAuth).toMatchObject({ protocol: 'http' });
    expect(action?.externalAuth).not.toHaveProperty('backend');
  });
});

describe('what is said', () => {
  const conditionsOf = (world: ReturnType<typeof cluster>, id = 'TrafficPolicy/shop/p') => {
    const status = world.statuses.get(id);
    if (status === undefined || !('ancestors' in status)) return undefined;
    return status.ancestors.map(({ gateway: at, target, conditions }) => [
      at ?? `${target?.kind} ${target?.name}`,
      ...(said(conditions) ?? []),
    ]);
  };
  const resolved = 'ResolvedRefs True ResolvedRefs';

  test.each([
    ['HTTPRoute web', [['shop/edge', 'Accepted True Accepted', resolved]]],
    ['HTTPRoute web one', [['shop/edge', 'Accepted True Accepted', resolved]]],
    ['HTTPRoute web two', [['HTTPRoute web', 'Accepted False TargetNotFound']]],
    ['HTTPRoute gone', [['HTTPRoute gone', 'Accepted False TargetNotFound']]],
    ['Gateway edge web', [['shop/edge', 'Accepted True Accepted', resolved]]],
    ['Gateway edge gone', [['Gateway edge', 'Accepted False TargetNotFound']]],
    ['Ingress gone', [['Ingress gone', 'Accepted False TargetNotFound']]],
    ['ALB gone', [['ALB gone', 'Accepted False TargetNotFound']]],
    ['ListenerSet gone', [['ListenerSet gone', 'Accepted False TargetNotFound']]],
    ['Service web', [['Service web', 'Accepted False TargetNotFound']]],
  ])('of one for %s', (target, expected) => {
    expect(conditionsOf(cluster([trafficPolicy('shop/p', target, { maxBody: 1 })]))).toEqual(expected);
  });

  test('nothing of one for what no Gateway of ours has', () => {
    const elsewhere = { gateway: [gateway('shop/edge', [], { className: 'else' })] };
    expect(conditionsOf(cluster([onGateway({ maxBody: 1 })], {}, elsewhere), 'TrafficPolicy/shop/q')).toBe(
      undefined,
    );
  });

  test('the younger of two that say the same of one target is in conflict, in whole or in part', () => {
    const older = onRoute({ maxBody: 1 });
    const younger = (settings: TrafficSettings) =>
      trafficPolicy('shop/y', 'HTTPRoute web', settings, { second: 5 });
    expect(conditionsOf(cluster([older, younger({ maxBody: 2 })]), 'TrafficPolicy/shop/y')).toEqual([
      ['shop/edge', 'Accepted False Conflicted', resolved],
    ]);
    expect(
      conditionsOf(cluster([older, younger({ maxBody: 2, access: { deny: [] } })]), 'TrafficPolicy/shop/y'),
    ).toEqual([['shop/edge', 'Accepted True Accepted', resolved, 'Conflicted True Conflicted']]);
    expect(conditionsOf(cluster([older, younger({ timeouts: { request: 1 } })]))).toEqual([
      ['shop/edge', 'Accepted True Accepted', resolved],
    ]);
  });
});

describe('backends', () => {
  const of = (policies: readonly BackendPolicyModel[]) =>
    cluster([], {}, { backendPolicy: policies }).intents.get('shop/edge')?.backends['shop/web:80/http'];
  const health = { protocol: 'tcp', interval: 1, timeout: 1, healthy: 1, unhealthy: 1 } as const;

  test('have what is said of their port, then what is said of their Service', () => {
    const policies = [
      backendPolicy('shop/p', 'Service web http', { balance: 'leastRequests' }),
      backendPolicy('shop/q', 'Service web', { balance: { by: 'client' }, health, mostRequests: 4 }),
      backendPolicy('shop/r', 'Service web', { breaker: { failures: 1, seconds: 2 }, mostRequests: 5 }),
      backendPolicy('bank/p', 'Service web', { mostRequests: 6 }),
    ];
    expect(of(policies)).toMatchObject({
      balance: 'leastRequests',
      health,
      mostRequests: 4,
      breaker: { failures: 1, seconds: 2 },
    });
    const { statuses } = cluster([], {}, { backendPolicy: policies });
    expect(statuses.get('BackendPolicy/shop/r')).toMatchObject({
      ancestors: [{ gateway: 'shop/edge', conditions: [{}, {}, { type: 'Conflicted' }] }],
    });
  });

  test('of which nothing is said have nothing', () => {
    expect(
      Object.keys(of([backendPolicy('shop/p', 'Service web other', { mostRequests: 1 })]) ?? {}),
    ).toEqual(['origin', 'protocol', 'endpoints']);
  });
});

test('a change of a policy touches what it is for', () => {
  const book = createGatewayBook(slots);
  book.set('class', 'netloom', gatewayClass());
  book.set('gateway', 'shop/edge', gateway('shop/edge', [listener('web HTTP/80')]));
  book.setFacts('shop/edge', running);
  for (let index = 0; index < 20; index += 1) {
    const key = `shop/s${index}`;
    const route = httpRoute([httpRule({ backends: [backend(key)] })], {
      ...objectOf('HTTPRoute', key),
      parents: [parent('Gateway shop/edge')],
      hostnames: [`s${index}.example`],
    });
    book.set('service', key, service(key, ['http 80']));
    book.set('slice', key, slice(key, ['10.0.0.1']));
    book.set('route', routeId(route), route);
  }
  book.set('policy', 'shop/q', onGateway({ maxBody: 1 }));
  book.set('policy', 'shop/p', trafficPolicy('shop/p', 'HTTPRoute s3', { maxBody: 2 }));
  book.settle();
  const told = () => {
    const { instances, statuses } = book.settle();
    const put = Object.entries(instances.get('shop/edge')?.put ?? {});
    return [
      ...put.flatMap(([domain, entries]) => Object.keys(entries).map((key) => `${domain} ${key}`)),
      ...statuses.keys(),
    ];
  };
  book.set('policy', 'shop/p', trafficPolicy('shop/p', 'HTTPRoute s3', { maxBody: 3 }));
  expect(told()).toEqual(['policies shop/p+^shop/q']);
  book.set('policy', 'shop/q', onGateway({ maxBody: 1, compression: { types: ['text/*'], minLength: 1 } }));
  expect(told()).toEqual(['policies ^shop/q', 'policies shop/p+^shop/q']);
  book.set('policy', 'shop/q', onGateway({ timeouts: { request: 5 } }));
  expect(told().filter((each) => each.startsWith('actions '))).toHaveLength(20);
});

describe('an Ingress', () => {
  const ingress: IngressModel = {
    ...objectOf('Ingress', 'shop/web'),
    className: 'lb',
    annotations: { 'nginx.ingress.kubernetes.io/limit-rps': '5' },
    rules: [
      {
        host: 'shop.example',
        paths: [{ type: 'Prefix', path: '/', backend: { service: 'web', port: 80 }, field: 'spec.rules[0]' }],
      },
    ],
    tls: [],
  };
  const world = (policy: readonly TrafficPolicyModel[]) =>
    compiled({
      alb: [alb('shop/lb', { ingressClass: { name: 'lb', isDefault: false } })],
      service: [service('shop/web', ['http 80'])],
      ingress: [ingress],
      policy,
    });

  test('has policies that are for it and for its ALB, beside what its annotations say', () => {
    const { intents, statuses } = world([
      trafficPolicy('shop/p', 'Ingress web', { access: { deny: ['192.0.2.1/32'] }, maxBody: 1 }),
      trafficPolicy('shop/q', 'ALB lb http', {
        maxBody: 2,
        compression: { types: ['text/*'], minLength: 1 },
      }),
    ]);
    const intent = intents.get('shop/lb~alb');
    const [action] = Object.values(intent?.actions ?? {});
    const entry = intent?.policies[action?.policy ?? ''];
    expect(entry).toMatchObject({ access: [{ deny: ['192.0.2.1/32'] }], compression: { minLength: 1 } });
    expect(entry?.origins.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'Ingress web',
      'TrafficPolicy p',
      'TrafficPolicy q',
    ]);
    expect(entry?.rateLimits).toHaveLength(1);
    expect([...statuses.keys()].filter((id) => id.includes('~'))).toEqual([]);
    for (const key of ['p', 'q'])
      expect(statuses.get(`TrafficPolicy/shop/${key}`)).toMatchObject({
        ancestors: [{ gateway: 'shop/lb~alb', conditions: [{ type: 'Accepted', status: 'True' }, {}] }],
      });
  });
});
