/** Which of several policies has its way with requests, wherever they are attached. */
import { expect, test } from 'vitest';
import type { TrafficPolicyModel } from '#model/gateway/policy-types.ts';
import { ingressOf } from '../../ingress/testing.ts';
import { backend, httpRoute, httpRule, service, trafficPolicy } from '../samples.ts';
import {
  alb,
  certificate,
  compiled,
  gateway,
  listener,
  listenerSet,
  objectOf,
  openALB,
  parent,
  reference,
  said,
  sharing,
} from '../testing.ts';

const rules = [
  httpRule({ name: 'first', backends: [backend('shop/web')] }),
  httpRule({
    name: 'second',
    matches: [{ path: { type: 'PathPrefix', value: '/b' }, headers: [], query: [] }],
    backends: [backend('shop/web')],
  }),
];

/** A Gateway that shares an ALB, a ListenerSet at it, and a route at both; the route that an Ingress was made into is at the Gateway. */
function cluster(policy: readonly TrafficPolicyModel[], name = 'web') {
  return compiled({
    alb: [alb('shop/lb', { http: { port: 8080 } })],
    gateway: [
      gateway('shop/edge', [listener('web HTTP/80'), listener('other HTTP/81')], {
        allowedListeners: { from: 'All' },
        ...sharing('shop/lb'),
      }),
    ],
    listenerSet: [listenerSet('shop/more', 'shop/edge', [listener('set HTTP/82')])],
    service: [service('shop/web', ['http 80'])],
    route: [
      httpRoute(rules, {
        ...objectOf('HTTPRoute', `shop/${name}`),
        parents: [parent('Gateway shop/edge web'), parent('ListenerSet shop/more')],
      }),
    ],
    policy,
  });
}

/** What is in force of maxBody: by rule and listener. */
function bodies(policy: readonly TrafficPolicyModel[], name?: string): Readonly<Record<string, unknown>> {
  const intent = cluster(policy, name).intents.get('shop/lb~alb');
  return Object.fromEntries(
    Object.entries(intent?.rules ?? {}).map(([key, { action }]) => {
      const [at = '', , , rule = ''] = key.split('|');
      const of = intent?.actions[action]?.policy;
      const place = `${at.slice(at.lastIndexOf('/') + 1)} ${rule.slice(0, 1)}`;
      return [place, of === undefined ? undefined : intent?.policies[of]?.maxBody];
    }),
  );
}

const policy = (name: string, target: string, maxBody: number, part: Partial<TrafficPolicyModel> = {}) =>
  trafficPolicy(`shop/${name}`, target, { maxBody }, part);
const insists = { enforced: true };

test.each<[string, readonly TrafficPolicyModel[], readonly unknown[]]>([
  ['none', [], [undefined, undefined, undefined, undefined]],
  ['the ALB', [policy('p', 'ALB lb', 1)], [1, 1, 1, 1]],
  ['the Gateway', [policy('p', 'Gateway edge', 1), policy('q', 'ALB lb', 2)], [1, 1, 1, 1]],
  ['a ListenerSet', [policy('p', 'ListenerSet more', 1), policy('q', 'Gateway edge', 2)], [2, 2, 1, 1]],
  [
    'a listener of each',
    [
      policy('p', 'Gateway edge web', 1),
      policy('q', 'ListenerSet more set', 2),
      policy('r', 'Gateway edge', 3),
    ],
    [1, 1, 2, 2],
  ],
  ['a route', [policy('p', 'HTTPRoute web', 1), policy('q', 'Gateway edge web', 2)], [1, 1, 1, 1]],
  ['a rule', [policy('p', 'HTTPRoute web second', 1), policy('q', 'HTTPRoute web', 2)], [2, 1, 2, 1]],
  [
    'another kind of that name',
    [policy('p', 'GRPCRoute web', 1)],
    [undefined, undefined, undefined, undefined],
  ],
  ['a listener that nothing is at', [policy('p', 'Gateway edge other', 1)], Array(4).fill(undefined)],
  ['another namespace', [{ ...policy('p', 'Gateway edge', 1), namespace: 'x' }], Array(4).fill(undefined)],
  [
    'one that insists, further out',
    [policy('p', 'HTTPRoute web', 1), policy('q', 'Gateway edge', 2, insists)],
    [2, 2, 2, 2],
  ],
  [
    'the outermost that insists',
    [policy('p', 'HTTPRoute web', 1, insists), policy('q', 'ListenerSet more', 2, insists)],
    [1, 1, 2, 2],
  ],
  [
    'the older at one target',
    [policy('p', 'Gateway edge', 1, { created: '2026-02-01T00:00:00Z' }), policy('q', 'Gateway edge', 2)],
    [2, 2, 2, 2],
  ],
  [
    'one that insists at one target',
    [policy('p', 'Gateway edge', 1), policy('q', 'Gateway edge', 2, insists)],
    [2, 2, 2, 2],
  ],
])('%s has its way', (_, policies, expected) => {
  const at = bodies(policies);
  expect([at['web 0'], at['web 1'], at['set 0'], at['set 1']]).toEqual(expected);
});

/** Tenants of an ALB whose HTTPS port has no certificate of its own: an Ingress with one, a ListenerSet, and a Gateway that shares it. */
function tenants(policies: readonly TrafficPolicyModel[]) {
  return compiled({
    alb: [
      openALB('infra/lb', {
        http: { port: 8080 },
        https: { port: 8443 },
        ingressClass: { name: 'main', isDefault: false },
      }),
    ],
    gateway: [
      gateway('shop/edge', [listener('tls HTTPS/8443 edge.x'), listener('plain HTTP/81')], {
        ...sharing('infra/lb'),
      }),
    ],
    listenerSet: [
      {
        ...listenerSet('shop/more', '', [listener('set HTTPS/8443 set.x')]),
        parent: reference('netloom.dev', 'ALB', 'infra/lb'),
      },
    ],
    ingress: [
      {
        ...ingressOf({
          name: 'own',
          namespace: 'shop',
          tls: { 'own.x': 'cert' },
          paths: { 'own.x/': 'web' },
        }),
        className: 'main',
      },
    ],
    certificate: [certificate('shop/cert', ['own.x'])],
    service: [service('shop/web', ['http 80'])],
    route: [
      httpRoute([httpRule({ backends: [backend('shop/web')] })], {
        ...objectOf('HTTPRoute', 'shop/web'),
        parents: [parent('Gateway shop/edge'), parent('ListenerSet shop/more')],
      }),
    ],
    policy: policies,
  });
}

test.each([
  ['https', ['edge.x tcp/8443', 'own.x tcp/8443', 'set.x tcp/8443']],
  ['http', [' tcp/8080']],
])('%s of an ALB is all that comes in at that port, whoever has the listener', (section, expected) => {
  const policies = [trafficPolicy('infra/p', `ALB lb ${section}`, { maxBody: 1 }, insists)];
  const { intents, statuses } = tenants(policies);
  const { rules = {}, actions = {}, listeners = {} } = intents.get('infra/lb~alb') ?? {};
  const policed = Object.values(rules).flatMap(({ listener: key, action }) => {
    const { hostname = '', port = '' } = listeners[key] ?? {};
    return actions[action]?.policy === undefined ? [] : [`${hostname} ${port}`];
  });
  expect([...new Set(policed)].toSorted()).toEqual(expected);
  const status = statuses.get('TrafficPolicy/infra/p');
  expect(status?.kind === 'TrafficPolicy' && said(status.ancestors[0]?.conditions)).toEqual([
    'Accepted True Accepted',
    'ResolvedRefs True ResolvedRefs',
  ]);
});

test('a port that an ALB does not have is no section of it', () => {
  const { statuses } = compiled({
    alb: [alb('shop/lb', { http: { port: 8080 } })],
    policy: [policy('p', 'ALB lb https', 1)],
  });
  expect(statuses.get('TrafficPolicy/shop/p')).toMatchObject({
    ancestors: [{ conditions: [{ reason: 'TargetNotFound', message: expect.stringContaining('"https"') }] }],
  });
});

test('a policy of an Ingress holds for all routes that are made of it, and those nearer come first', () => {
  const derived = 'HTTPRoute web~ingress~tls';
  expect(bodies([policy('p', 'Ingress web', 1)], 'web~ingress~tls')).toMatchObject({
    'web 0': 1,
    'set 1': 1,
  });
  const both = [policy('p', 'Ingress web', 1), policy('web~ingress', derived, 2)];
  expect(bodies(both, 'web~ingress~tls')).toMatchObject({ 'web 0': 2 });
});

test('what an action and its policy are called says which policies hold', () => {
  const policies = [
    policy('a', 'HTTPRoute web second', 1),
    policy('b', 'ListenerSet more', 2),
    policy('c', 'ALB lb', 3),
  ];
  const intent = cluster(policies).intents.get('shop/lb~alb');
  expect(Object.keys(intent?.actions ?? {})).toEqual([
    'HTTPRoute/shop/web|0~^shop/c',
    'HTTPRoute/shop/web|0~shop/b+^shop/c',
    'HTTPRoute/shop/web|1~shop/a+^shop/c',
    'HTTPRoute/shop/web|1~shop/a+shop/b+^shop/c',
  ]);
  expect(intent?.policies['shop/a+shop/b+^shop/c']?.origins.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
});

test('the name stays short, however many policies there are, and the last of too many are not heard', () => {
  const many = Array.from({ length: 40 }, (_, index) =>
    trafficPolicy(`shop/${String(index).padStart(60, 'x')}`, 'Gateway edge', {
      access: { deny: [`192.0.2.${index}/32`] },
    }),
  );
  const { intents, statuses } = cluster(many);
  const [[key, entry] = []] = Object.entries(intents.get('shop/lb~alb')?.policies ?? {});
  expect(key?.length).toBeLessThanOrEqual(250);
  expect(entry?.access).toHaveLength(16);
  const last = statuses.get(`TrafficPolicy/${many[39]?.key}`);
  expect(last).toMatchObject({ ancestors: [{ gateway: 'shop/edge' }] });
  expect(last?.kind === 'TrafficPolicy' && said(last.ancestors[0]?.conditions)).toEqual([
    'Accepted False Conflicted',
    'ResolvedRefs True ResolvedRefs',
  ]);
});
