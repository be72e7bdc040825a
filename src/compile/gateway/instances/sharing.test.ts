/** ALBs: who shares their instance, who is kept out, and what is said of that. */
import { describe, expect, test } from 'vitest';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { IngressClassModel } from '#model/ingress/types.ts';
import { httpRoute, httpRule, service } from '../samples.ts';
import {
  alb,
  authority,
  type Cluster,
  certificate,
  compiled,
  gateway,
  gatewayClass,
  listener,
  listenerSet,
  objectOf,
  parent,
  reference,
  saidOf,
  saidOfRoute,
  sharing,
} from '../testing.ts';

const tenants = (...namespaces: readonly string[]): Partial<ALBModel> => ({
  tenants: { namespaces, projects: [] },
});
const route = (key: string, ...parents: readonly string[]) => {
  const [namespace = ''] = key.split('/');
  const backends = [{ ...httpRule().backends[0]!, namespace }];
  return httpRoute([httpRule({ backends })], {
    ...objectOf('HTTPRoute', key),
    parents: parents.map(parent),
    hostnames: [`${namespace}.example`],
  });
};
const services = ['infra', 'shop', 'bank'].map((each) => service(`${each}/web`, ['http 80']));
/** Gateways of the class share `infra/lb`. */
const shared = gatewayClass({ parameters: reference('netloom.dev', 'ALB', 'infra/lb') });
const world = (cluster: Cluster) => compiled({ service: services, ...cluster });

test('an ALB has an instance of its own, and routes may name it as their parent', () => {
  const { intents, statuses } = world({
    alb: [alb('infra/lb', { https: { port: 443, certificate: 'cert' } })],
    certificate: [certificate('infra/cert')],
    route: [route('infra/r', 'ALB infra/lb')],
    class: [],
  });
  const intent = intents.get('infra/lb~alb');
  expect(intent?.ports).toMatchObject({ 'tcp/80': { kind: 'http' }, 'tcp/443': { kind: 'https' } });
  expect(Object.values(intent?.listeners ?? {}).map(({ origin }) => origin)).toEqual([
    { kind: 'ALB', namespace: 'infra', name: 'lb', rule: 'spec.http' },
    { kind: 'ALB', namespace: 'infra', name: 'lb', rule: 'spec.https' },
  ]);
  expect(Object.keys(intent?.rules ?? {})).toHaveLength(2);
  const status = statuses.get('ALB/infra/lb');
  expect(saidOf(status)).toEqual([
    'Accepted True Accepted',
    'Programmed True Programmed',
    'ResolvedRefs True ResolvedRefs',
  ]);
  expect(status).toMatchObject({ gateways: 0, listeners: [{ attachedRoutes: 1 }, { attachedRoutes: 1 }] });
  expect(saidOfRoute(statuses.get('HTTPRoute/infra/r'))[0]).toContain('Accepted True Accepted');
  expect([...statuses.keys()].filter((id) => id.includes('~'))).toEqual([]);
});

test('a certificate that there is not is said of the ALB', () => {
  const { statuses } = world({
    alb: [alb('infra/lb', { https: { port: 443, certificate: 'none' } })],
  });
  expect(saidOf(statuses.get('ALB/infra/lb'))).toEqual([
    'Accepted True Accepted',
    'Programmed True Programmed',
    'ResolvedRefs False InvalidCertificateRef',
  ]);
});

test('an ALB whose class is somebody else’s is told so', () => {
  const ingressClass = { name: 'web', isDefault: false };
  const told = (...held: readonly Partial<IngressClassModel>[]) => {
    const { statuses } = world({
      alb: [
        alb('infra/lb', { ingressClass }),
        { ...alb('shop/lb', { ingressClass }), ...objectOf('ALB', 'shop/lb', 1) },
      ],
      ingressClass: held.map((part) => ({
        ...objectOf('IngressClass', '/web'),
        key: 'web',
        controller: 'netloom.dev/ingress',
        isDefault: false,
        ...part,
      })),
    });
    return ['infra/lb', 'shop/lb'].map((key) => saidOf(statuses.get(`ALB/${key}`))?.[0]);
  };
  const [good, bad] = ['Accepted True Accepted', 'Accepted True PartiallyInvalid'];
  expect(told()).toEqual([good, bad]);
  expect(told({})).toEqual([good, bad]);
  expect(told({ alb: 'shop/lb' })).toEqual([bad, good]);
  expect(told({ controller: 'example.com/other' })).toEqual([bad, bad]);
});

test('what of an ALB can not be used is said of it', () => {
  const { statuses } = world({ alb: [alb('infra/lb', { unusable: ['spec.quotas.size: "x" is none'] })] });
  const status = statuses.get('ALB/infra/lb');
  expect(saidOf(status)?.[0]).toBe('Accepted True PartiallyInvalid');
  expect(JSON.stringify(status)).toContain('spec.quotas.size');
});

describe('Gateways that share an ALB', () => {
  const edge = (key: string, second: number, ...listeners: readonly string[]) => {
    const all = { allowedNamespaces: { from: 'All' } } as const;
    const own = listeners.map((each) => listener(each, all));
    return gateway(key, own, { ...objectOf('Gateway', key, second), allowedListeners: { from: 'All' } });
  };

  test('of several namespaces have one instance: the ALB’s listeners come first, then the oldest’s', () => {
    const { intents, statuses, instances } = world({
      class: [shared],
      alb: [alb('infra/lb', tenants('shop', 'bank'))],
      gateway: [
        edge('shop/edge', 2, 'a HTTP/80 shop.example', 'b HTTP/8080', 'c HTTP/80'),
        edge('bank/edge', 1, 'a HTTP/80 bank.example', 'b HTTP/8080'),
      ],
      route: [route('shop/r', 'Gateway shop/edge'), route('bank/r', 'Gateway bank/edge', 'ALB infra/lb')],
    });
    expect([...intents.keys()]).toEqual(['infra/lb~alb']);
    expect([...instances.values()]).toEqual(['infra/lb~alb', 'infra/lb~alb', 'infra/lb~alb']);
    const { listeners, rules } = intents.get('infra/lb~alb')!;
    expect(Object.keys(listeners)).toEqual([
      'gateway/bank/edge/a',
      'gateway/bank/edge/b',
      'gateway/infra/lb~alb/http',
      'gateway/shop/edge/a',
    ]);
    expect(Object.keys(rules).map((key) => key.split('|').slice(0, 3).join(' '))).toEqual([
      'gateway/bank/edge/a bank.example HTTPRoute/bank/r',
      'gateway/bank/edge/b bank.example HTTPRoute/bank/r',
      'gateway/infra/lb~alb/http bank.example HTTPRoute/bank/r',
      'gateway/shop/edge/a shop.example HTTPRoute/shop/r',
    ]);
    const shop = statuses.get('Gateway/shop/edge');
    expect(saidOf(shop, 'a')).toContain('Conflicted False NoConflicts');
    expect(saidOf(shop, 'b')).toContain('Conflicted True HostnameConflict');
    expect(saidOf(shop, 'c')).toContain('Conflicted True HostnameConflict');
    expect(saidOf(statuses.get('Gateway/bank/edge'), 'b')).toContain('Conflicted False NoConflicts');
    expect(statuses.get('ALB/infra/lb')).toMatchObject({ gateways: 2 });
    expect(saidOf(shop)).toContain('Programmed True Programmed');
  });

  test('need no class with parameters in its own namespace', () => {
    const { intents } = world({
      alb: [alb('shop/lb')],
      gateway: [gateway('shop/edge', [listener('a HTTP/8080')], sharing('shop/lb'))],
    });
    expect([...intents.keys()]).toEqual(['shop/lb~alb']);
    expect(Object.keys(intents.get('shop/lb~alb')?.ports ?? {})).toEqual(['tcp/80', 'tcp/8080']);
  });

  test.each([
    ['there is no ALB infra/lb', []],
    ['ALB infra/lb takes nothing of namespace shop', [alb('infra/lb', tenants('bank'))]],
  ] as const)('are not accepted where they can not: %s', (why, albs) => {
    const { intents, statuses } = world({
      class: [shared],
      alb: albs,
      gateway: [edge('shop/edge', 1, 'a HTTP/80 shop.example')],
      route: [route('shop/r', 'Gateway shop/edge')],
    });
    const status = statuses.get('Gateway/shop/edge');
    expect(saidOf(status)?.slice(0, 2)).toEqual([
      'Accepted False InvalidParameters',
      'Programmed False Invalid',
    ]);
    expect(JSON.stringify(status)).toContain(why);
    expect(intents.has('shop/edge')).toBe(false);
    expect(intents.get('infra/lb~alb')?.rules ?? {}).toEqual({});
  });

  test('let only tenants attach anything, whatever they allow themselves', () => {
    const { intents, statuses } = world({
      class: [shared],
      alb: [alb('infra/lb', tenants('shop'))],
      gateway: [edge('shop/edge', 1, 'a HTTP/80 shop.example')],
      listenerSet: [listenerSet('bank/more', 'shop/edge', [listener('x HTTP/9090')])],
      route: [route('bank/r', 'ALB infra/lb'), route('bank/s', 'Gateway shop/edge')],
    });
    expect(intents.get('infra/lb~alb')?.rules).toEqual({});
    expect(Object.keys(intents.get('infra/lb~alb')?.ports ?? {})).toEqual(['tcp/80']);
    expect(saidOf(statuses.get('ListenerSet/bank/more'))).toContain('Accepted False NotAllowed');
    for (const each of ['r', 's'])
      expect(saidOfRoute(statuses.get(`HTTPRoute/bank/${each}`))[0]?.[0]).toBe(
        'Accepted False NotAllowedByListeners',
      );
  });
});

test.each<[string, Partial<ALBModel>, boolean]>([
  ['by name', tenants('shop'), true],
  ['by label', { tenants: { namespaces: [], projects: [], selector: { matchLabels: { team: 'a' } } } }, true],
  ['by project', { tenants: { namespaces: [], projects: ['one'] } }, true],
  ['of another project', { tenants: { namespaces: [], projects: ['two'] } }, false],
  ['none', {}, false],
])('a namespace is a tenant %s', (_, part, is) => {
  const { statuses } = world({
    alb: [alb('infra/lb', part)],
    route: [route('shop/r', 'ALB infra/lb')],
    namespaces: new Map([['shop', { team: 'a', 'cpaas.io/project': 'one' }]]),
  });
  expect(saidOfRoute(statuses.get('HTTPRoute/shop/r'))[0]?.[0]).toBe(
    is ? 'Accepted True Accepted' : 'Accepted False NotAllowedByListeners',
  );
});

const nodes = (part: Partial<ALBModel['instance']> = {}) =>
  alb('infra/lb', {
    instance: { ...alb('infra/lb').instance, network: 'HostNetwork', ...part },
    tenants: { namespaces: ['shop'], projects: [] },
  });

test.each([
  ['of the ALB', 80, true],
  ['that the ALB gives', 8080, true],
  ['that nobody gave', 8081, false],
  ['of the node itself, given or not', 22, false],
] as const)('with HostNetwork a listener gets a port %s: %i', (_, port, is) => {
  const { statuses } = world({
    class: [shared],
    alb: [nodes({ hostPorts: [8080, 22] })],
    gateway: [gateway('shop/edge', [listener(`a HTTP/${port} shop.example`)])],
  });
  expect(saidOf(statuses.get('Gateway/shop/edge'), 'a')).toContain(
    is ? 'Accepted True Accepted' : 'Accepted False PortUnavailable',
  );
});

test('authorities of Gateways that share stay apart, and none shows backends a certificate', () => {
  const validation = (key: string) => ({
    default: { authorities: [reference('', 'ConfigMap', key)], mode: 'AllowValidOnly' as const },
    perPort: new Map(),
  });
  const cert = reference('', 'Secret', 'shop/cert');
  const secured = (key: string, host: string) =>
    gateway(
      key,
      [listener(`a HTTPS/443 ${host}`, {}, [reference('', 'Secret', `${key.split('/')[0]}/cert`)])],
      {
        clientValidation: validation(key.replace('edge', 'ca')),
        ...(key === 'shop/edge' ? { clientCertificate: cert } : {}),
      },
    );
  const { intents, statuses } = world({
    class: [shared],
    alb: [alb('infra/lb', tenants('shop', 'bank'))],
    gateway: [secured('shop/edge', 'shop.example'), secured('bank/edge', 'bank.example')],
    certificate: [certificate('shop/cert'), certificate('bank/cert')],
    authority: [authority('ConfigMap', 'shop/ca'), authority('ConfigMap', 'bank/ca')],
  });
  const { listeners, authorities } = intents.get('infra/lb~alb')!;
  const shown = ['shop', 'bank'].map(
    (each) =>
      authorities[listeners[`gateway/${each}/edge/a`]?.clientValidation?.authority ?? '']?.certificates,
  );
  expect(shown).toEqual(['authorities of shop/ca\n', 'authorities of bank/ca\n']);
  expect(saidOf(statuses.get('Gateway/shop/edge'))).toContain(
    'ResolvedRefs False InvalidClientCertificateRef',
  );
});
