/** What a policy is told that isn't heard, since somebody further out insists; and what who insists has by that. */
import { expect, test } from 'vitest';
import type { TrafficPolicyModel, WAFPolicyModel } from '#model/gateway/policy-types.ts';
import { createGatewayBook } from '../book.ts';
import {
  backend,
  backendPolicy,
  httpRoute,
  httpRule,
  service,
  trafficPolicy,
  wafPolicy,
} from '../samples.ts';
import {
  type Cluster,
  compiled,
  gateway,
  gatewayClass,
  listener,
  listenerSet,
  objectOf,
  openALB,
  parent,
  running,
  sharing,
  slots,
} from '../testing.ts';
import type { GatewayCondition, GatewayStatus } from '../types.ts';

const insists = { enforced: true };
/** Tenant `shop` has a route at its own Gateway, which shares the ALB of `infra`, and at another one that doesn't. */
const world = (more: Cluster): Cluster => ({
  alb: [openALB('infra/lb', { http: { port: 8080 }, hostnames: 'Shared' })],
  gateway: [
    gateway('shop/edge', [listener('web HTTP/80')], {
      allowedListeners: { from: 'All' },
      ...sharing('infra/lb'),
    }),
    gateway('shop/alone', [listener('web HTTP/80')]),
  ],
  listenerSet: [listenerSet('shop/more', 'shop/edge', [listener('set HTTP/82')])],
  service: [service('shop/web', ['http 80'])],
  route: [
    httpRoute([httpRule({ name: 'one', backends: [backend('shop/web')] })], {
      ...objectOf('HTTPRoute', 'shop/web'),
      parents: [parent('Gateway shop/edge'), parent('Gateway shop/alone'), parent('ListenerSet shop/more')],
    }),
  ],
  ...more,
});
/** By Gateway: what is said to be overridden. */
const overriddenOf = (status: GatewayStatus | undefined): Readonly<Record<string, string | undefined>> => {
  const ancestors = status !== undefined && 'ancestors' in status ? status.ancestors : [];
  const found = (all: readonly GatewayCondition[]) => all.find(({ type }) => type === 'Overridden')?.message;
  return Object.fromEntries(ancestors.map((each) => [each.gateway ?? '', found(each.conditions)]));
};

test('is told by whom, and what of it: objects of another namespace are not named', () => {
  const policies: readonly TrafficPolicyModel[] = [
    trafficPolicy('infra/all', 'ALB lb', { maxBody: 1, accessLog: { share: 1 } }, insists),
    trafficPolicy('shop/own', 'HTTPRoute web', { maxBody: 2, compression: { types: [], minLength: 1 } }),
    trafficPolicy('shop/edge', 'Gateway edge', { maxBody: 3, access: { deny: ['192.0.2.1/32'] } }),
  ];
  const { statuses } = compiled(world({ policy: policies }));
  const by = 'is overridden by a TrafficPolicy of ALB infra/lb, which is enforced';
  expect(overriddenOf(statuses.get('TrafficPolicy/shop/own'))).toEqual({
    'shop/edge': `maxBodySize of HTTPRoute web ${by}`,
    'shop/alone': undefined,
  });
  expect(overriddenOf(statuses.get('TrafficPolicy/shop/edge'))).toEqual({
    'shop/edge': `maxBodySize of Gateway edge ${by}`,
  });
  expect(overriddenOf(statuses.get('TrafficPolicy/infra/all'))).toEqual({ 'infra/lb~alb': undefined });
});

test('by who insists at the port of the ALB that a listener is reached by', () => {
  const { statuses } = compiled({
    ...world({
      policy: [
        trafficPolicy('infra/port', 'ALB lb http', { maxBody: 1 }, insists),
        trafficPolicy('shop/edge', 'Gateway edge', { maxBody: 2 }),
        trafficPolicy('shop/set', 'ListenerSet more', { maxBody: 3 }),
      ],
    }),
    alb: [openALB('infra/lb', { http: { port: 80 }, hostnames: 'Shared' })],
  });
  const by = 'is overridden by a TrafficPolicy of ALB infra/lb http, which is enforced';
  expect(overriddenOf(statuses.get('TrafficPolicy/shop/edge'))).toEqual({
    'shop/edge': `maxBodySize of Gateway edge ${by}`,
  });
  expect(overriddenOf(statuses.get('TrafficPolicy/shop/set'))).toEqual({ 'shop/edge': undefined });
});

test('of a rule, a listener, a ListenerSet and a port of a Service', () => {
  const { statuses } = compiled(
    world({
      policy: [
        trafficPolicy('shop/rule', 'HTTPRoute web one', { maxBody: 1 }),
        trafficPolicy('shop/route', 'HTTPRoute web', { maxBody: 2 }, insists),
        trafficPolicy('shop/listener', 'Gateway edge web', { maxBody: 3 }),
        trafficPolicy('shop/set', 'ListenerSet more', { maxBody: 4 }),
        trafficPolicy('shop/gateway', 'Gateway edge', { maxBody: 5 }, insists),
      ],
      backendPolicy: [
        backendPolicy('shop/port', 'Service web http', { mostRequests: 1, balance: 'leastRequests' }),
        backendPolicy('shop/service', 'Service web', { mostRequests: 2 }, insists),
      ],
    }),
  );
  const edge = (name: string) => overriddenOf(statuses.get(`TrafficPolicy/shop/${name}`))['shop/edge'];
  const by = 'is overridden by TrafficPolicy gateway of Gateway shop/edge, which is enforced';
  expect(edge('rule')).toBe(`maxBodySize of HTTPRoute web one ${by}`);
  expect(overriddenOf(statuses.get('TrafficPolicy/shop/rule'))['shop/alone']).toContain(
    'TrafficPolicy route of HTTPRoute shop/web',
  );
  expect(edge('route')).toBe(`maxBodySize of HTTPRoute web ${by}`);
  expect(edge('listener')).toBe(`maxBodySize of Gateway edge web ${by}`);
  expect(edge('set')).toBe(`maxBodySize of ListenerSet more ${by}`);
  expect(edge('gateway')).toBeUndefined();
  expect(overriddenOf(statuses.get('BackendPolicy/shop/port'))['shop/edge']).toBe(
    'maxRequests of Service web http is overridden by BackendPolicy service of Service shop/web, which is enforced',
  );
});

const firewallAt = (wafPolicies: readonly WAFPolicyModel[], more: Cluster = {}) => {
  const result = compiled(world({ wafPolicy: wafPolicies, ...more }));
  const intent = result.intents.get('infra/lb~alb');
  return { ...result, firewall: Object.values(intent?.policies ?? {})[0]?.firewall };
};

test('who insists on a firewall has all of it, also against who insists nearer', () => {
  const everything = [{ rules: ['1-9999999'] }];
  const policies = [
    wafPolicy('infra/all', 'ALB lb', { mode: 'block' }, insists),
    wafPolicy(
      'shop/own',
      'HTTPRoute web',
      { mode: 'off', paranoia: 1, threshold: 10_000, exclusions: everything },
      insists,
    ),
  ];
  const { firewall, statuses } = firewallAt(policies);
  expect(firewall).toEqual({ mode: 'block', paranoia: 1, threshold: 5, exclusions: [] });
  const told = overriddenOf(statuses.get('WAFPolicy/shop/own'));
  for (const field of ['mode', 'paranoia', 'threshold', 'exclusions'])
    expect(told['shop/edge']).toContain(
      `${field} of HTTPRoute web is overridden by a WAFPolicy of ALB infra/lb`,
    );
  expect(told['shop/alone']).toBeUndefined();
});

test('whoever shares an ALB names no proxies, and the outermost does, insisted or not', () => {
  const proxies = (cidr: string) => ({ trustedProxies: [cidr] });
  const tenant = trafficPolicy('shop/own', 'Gateway edge', { ...proxies('0.0.0.0/0'), maxBody: 1 }, insists);
  const owner = trafficPolicy('infra/all', 'ALB lb', proxies('192.0.2.0/24'));
  const ofALB = (policy: readonly TrafficPolicyModel[]) => {
    const { intents, statuses } = compiled(world({ policy }));
    const [entry] = Object.values(intents.get('infra/lb~alb')?.policies ?? {});
    return { proxies: entry?.trustedProxies, status: statuses.get('TrafficPolicy/shop/own') };
  };
  expect(ofALB([tenant]).proxies).toBeUndefined();
  expect(ofALB([tenant, owner]).proxies).toEqual(['192.0.2.0/24']);
  const { status } = ofALB([tenant]);
  expect(status).toMatchObject({
    ancestors: [{ conditions: [{}, {}, { type: 'PartiallyInvalid', status: 'True' }] }],
  });
  const ownPolicies = [
    trafficPolicy('shop/a', 'Gateway alone', proxies('192.0.2.0/24')),
    trafficPolicy('shop/b', 'Gateway alone web', proxies('10.0.0.0/8'), insists),
  ];
  const [own] = Object.values(
    compiled(world({ policy: ownPolicies })).intents.get('shop/alone')?.policies ?? {},
  );
  expect(own?.trustedProxies).toEqual(['192.0.2.0/24']);
});

test('it is said, and no more, as policies, routes and what is shared come and go', () => {
  const cluster = world({});
  const book = createGatewayBook(slots);
  book.set('class', 'netloom', gatewayClass());
  for (const each of cluster.alb ?? []) book.set('alb', each.key, each);
  for (const each of cluster.gateway ?? []) book.set('gateway', each.key, each);
  for (const each of cluster.service ?? []) book.set('service', each.key, each);
  for (const key of ['infra/lb~alb', 'shop/edge', 'shop/alone']) book.setFacts(key, running);
  const [route] = cluster.route ?? [];
  const known = new Map<string, GatewayStatus | undefined>();
  const settle = () => {
    for (const [id, status] of book.settle().statuses) known.set(id, status);
    return overriddenOf(known.get('TrafficPolicy/shop/own'));
  };
  const own = trafficPolicy('shop/own', 'HTTPRoute web', { maxBody: 2 });
  const all = trafficPolicy('infra/all', 'ALB lb', { maxBody: 1 }, insists);
  book.set('policy', own.key, own);
  expect(settle()).toEqual({});
  book.set('route', 'HTTPRoute/shop/web', route);
  expect(settle()).toEqual({ 'shop/edge': undefined, 'shop/alone': undefined });
  book.set('policy', all.key, all);
  expect(settle()['shop/edge']).toContain('ALB infra/lb');
  const [edge] = cluster.gateway ?? [];
  book.set('gateway', 'shop/edge', edge && { ...edge, ...gateway('shop/edge', edge.listeners) });
  expect(settle()['shop/edge']).toBeUndefined();
  book.set('gateway', 'shop/edge', edge);
  expect(settle()['shop/edge']).toContain('ALB infra/lb');
  book.set('policy', all.key, { ...all, enforced: false });
  expect(settle()['shop/edge']).toBeUndefined();
});
