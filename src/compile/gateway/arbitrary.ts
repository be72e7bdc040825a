/** For tests: any objects around Gateways, small enough that they meet, and any changes of them. */
import fc from 'fast-check';
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type {
  GatewayModel,
  HTTPRouteModel,
  L4RouteModel,
  ListenerModel,
  NamespacesFrom,
  RouteKind,
  RouteModel,
} from '#model/gateway/types.ts';
import { anyAlaudaChange } from '../alauda/arbitrary.ts';
import { anyIngress, anyIngressClass } from '../ingress/arbitrary.ts';
import { anyBackendPolicy, anyFirewall, anyPolicy } from './policies/arbitrary.ts';
import { backend, httpRule, service, slice, tlsPolicy } from './samples.ts';
import {
  alb,
  authority,
  certificate,
  gateway,
  gatewayClass,
  grant,
  hostnameGrant,
  listener,
  listenerSet,
  objectOf,
  parent,
  passthrough,
  reference,
  secret,
  sharing,
  users,
} from './testing.ts';
import type { GatewayInput, GatewayInputs, InstanceFacts } from './types.ts';

/** One object that is set, or removed (`undefined`). */
export type Change =
  | {
      readonly [K in GatewayInput]: {
        readonly kind: K;
        readonly key: string;
        readonly value: GatewayInputs[K] | undefined;
      };
    }[GatewayInput]
  | { readonly kind: 'facts'; readonly key: string; readonly value: InstanceFacts | undefined };

const none = { nil: undefined };
const spaces = fc.constantFrom('shop', 'other');
const hostname = fc.constantFrom('', '', '', ' a.example', ' *.example', ' b.a.example', ' *.a.example');
const namespaces: fc.Arbitrary<NamespacesFrom> = fc.constantFrom<NamespacesFrom>(
  { from: 'Same' },
  { from: 'All' },
  { from: 'All' },
  { from: 'All' },
  { from: 'Selector', selector: { matchLabels: { team: 'a' } } },
);
const place = fc.constantFrom(
  'HTTP/80',
  'HTTP/80',
  'HTTP/80',
  'HTTP/80',
  'HTTPS/443',
  'HTTPS/443',
  'TLS/443',
  'TLS/443',
  'TCP/80',
  'TCP/5000',
  'UDP/80',
  'SCTP/1',
);
const oneListener: fc.Arbitrary<ListenerModel> = fc
  .record({
    name: fc.constantFrom('x', 'y', 'z'),
    place,
    hostname,
    allowedNamespaces: namespaces,
    passes: fc.boolean(),
    secret: fc.constantFrom('shop/cert', 'shop/cert', 'shop/cert', 'other/cert', 'shop/none'),
    kinds: fc.constantFrom<readonly RouteKind[]>([], [], [], [], [], ['HTTPRoute'], ['TCPRoute', 'TLSRoute']),
  })
  .map(({ name, place: at, hostname: host, allowedNamespaces, passes, secret: key, kinds }) =>
    listener(
      `${name} ${at}${host}`,
      {
        allowedNamespaces,
        ...(passes && at.startsWith('TLS') ? passthrough : {}),
        ...(kinds.length === 0
          ? {}
          : { allowedKinds: kinds.map((kind) => ({ group: 'gateway.networking.k8s.io', kind })) }),
      },
      [secret(key)],
    ),
  );
const listeners = fc.uniqueArray(oneListener, {
  minLength: 1,
  maxLength: 3,
  selector: ({ name }) => name,
});

const gatewayPart = fc.record({
  allowedListeners: fc.constantFrom<NamespacesFrom>(
    { from: 'None' },
    { from: 'All' },
    { from: 'All' },
    { from: 'Selector', selector: { matchLabels: { team: 'a' } } },
  ),
  className: fc.constantFrom('netloom', 'netloom', 'netloom', 'netloom', 'netloom', 'netloom', 'else'),
  proxyProtocol: fc.constantFrom<true | undefined>(undefined, true),
  defaultScope: fc.constantFrom('All', 'None', undefined),
  clientCertificate: fc.constantFrom(undefined, secret('shop/cert'), secret('other/cert')),
  validation: fc.constantFrom(undefined, {
    authorities: [reference('', 'ConfigMap', 'shop/ca'), reference('', 'ConfigMap', 'other/ca')],
    mode: 'AllowValidOnly' as const,
  }),
  addresses: fc.constantFrom<GatewayModel['addresses']>([], [{ type: 'IPAddress', value: '192.0.2.1' }]),
  shared: fc.constantFrom<Partial<GatewayModel>>({}, {}, {}, sharing('shop/lb'), sharing('shop/lc')),
});

const anyGateway = fc
  .record({
    key: fc.constantFrom('shop/edge', 'shop/edge', 'shop/edge', 'shop/back', 'other/edge'),
    age: fc.integer({ min: 0, max: 2 }),
    listeners,
    part: gatewayPart,
  })
  .map(
    ({
      key,
      age,
      listeners: own,
      part: { validation, proxyProtocol, defaultScope, clientCertificate, shared, ...part },
    }) =>
      gateway(key, own, {
        ...objectOf('Gateway', key, age),
        ...part,
        ...shared,
        clientValidation: {
          ...(validation === undefined ? {} : { default: validation }),
          perPort: new Map(),
        },
        ...(proxyProtocol === undefined ? {} : { proxyProtocol }),
        ...(defaultScope === undefined ? {} : { defaultScope }),
        ...(clientCertificate === undefined ? {} : { clientCertificate }),
      }),
  );

const anyALB = fc
  .record({
    key: fc.constantFrom('shop/lb', 'shop/lb', 'shop/lc'),
    part: fc.constantFrom<Partial<ALBModel>>(
      {},
      { https: { port: 443, certificate: 'cert' } },
      { tenants: { namespaces: ['other'], projects: [] } },
      { tenants: { namespaces: [], projects: ['a'] }, proxyProtocol: true },
      { tenants: { namespaces: ['other'], projects: [] }, hostnames: 'GrantOnly' },
      {
        tenants: { namespaces: ['other'], projects: [] },
        hostnames: 'Shared',
        quotas: { routes: 1, requestsPerSecond: 5 },
      },
      {
        tenants: { namespaces: ['other'], projects: [] },
        hostnames: 'Shared',
        quotas: { size: 2500, concurrency: 7 },
      },
    ),
  })
  .map(({ key, part }) => alb(key, part));

const parents = fc.uniqueArray(
  fc.constantFrom(
    'Gateway shop/edge',
    'Gateway shop/edge',
    'Gateway shop/edge',
    'Gateway shop/back',
    'Gateway other/edge',
    'ALB shop/lb',
    'ALB shop/lc',
    'Gateway shop/edge x',
    'Gateway shop/edge :80',
    'ListenerSet shop/more',
    'ListenerSet other/more',
  ),
  { minLength: 1, maxLength: 3 },
);
const backendKey = fc.constantFrom('shop/web', 'shop/web', 'other/web', 'shop/none');
const anyRoute: fc.Arbitrary<RouteModel> = fc
  .record({
    kind: fc.constantFrom<RouteKind>(
      'HTTPRoute',
      'HTTPRoute',
      'GRPCRoute',
      'TLSRoute',
      'TCPRoute',
      'UDPRoute',
    ),
    namespace: spaces,
    name: fc.constantFrom('r', 's', 'i~ingress'),
    age: fc.integer({ min: 0, max: 2 }),
    parents,
    hostnames: fc.uniqueArray(fc.constantFrom('a.example', '*.example', 'c.a.example', '*.a.example'), {
      maxLength: 2,
    }),
    backends: fc.array(backendKey, { maxLength: 2 }),
    standard: fc.constantFrom('All', undefined, undefined),
  })
  .map(({ kind, namespace, name, age, parents: refs, hostnames, backends, standard }): RouteModel => {
    const base = {
      ...objectOf(kind, `${namespace}/${name}`, age),
      parents: refs.map(parent),
      hostnames,
      ...(standard === undefined ? {} : { defaultGateways: standard }),
    };
    const sent = backends.map((key) => backend(key));
    if (kind === 'HTTPRoute')
      return { ...base, kind, rules: [httpRule({ name: 'one', backends: sent })] } satisfies HTTPRouteModel;
    if (kind === 'GRPCRoute') return { ...base, kind, rules: [{ matches: [], filters: [], backends: sent }] };
    return { ...base, kind, rules: [{ backends: sent }] } satisfies L4RouteModel;
  });

const change = <T>(kind: GatewayInput | 'facts', key: string, value: fc.Arbitrary<T>): fc.Arbitrary<Change> =>
  fc.option(value, none).map((each) => ({ kind, key, value: each }) as Change);
const keyed = <T extends { readonly key: string }>(
  kind: GatewayInput,
  value: fc.Arbitrary<T>,
  keyOf: (each: T) => string = ({ key }) => key,
): fc.Arbitrary<Change> =>
  fc
    .tuple(value, fc.integer({ min: 0, max: 4 }))
    .map(([each, gone]) => ({ kind, key: keyOf(each), value: gone === 0 ? undefined : each }) as Change);

/** From nothing not much can come. */
export const beginning: readonly Change[] = [
  { kind: 'class', key: 'netloom', value: gatewayClass() },
  { kind: 'certificate', key: 'shop/cert', value: certificate('shop/cert') },
  { kind: 'service', key: 'shop/web', value: service('shop/web', ['http 80']) },
  { kind: 'slice', key: 'one', value: slice('shop/web', ['10.0.0.1']) },
];

/** Mostly Gateways and routes; now and then what they depend on. */
export const anyChange: fc.Arbitrary<Change> = fc.oneof(
  { weight: 5, arbitrary: keyed('gateway', anyGateway) },
  { weight: 12, arbitrary: keyed('route', anyRoute, (route) => `${route.kind}/${route.key}`) },
  {
    weight: 3,
    arbitrary: keyed(
      'listenerSet',
      fc
        .record({ namespace: spaces, of: fc.constantFrom('edge', 'edge', 'back', 'lb', 'none'), listeners })
        .map(({ namespace, of, listeners: own }) => ({
          ...listenerSet(`${namespace}/more`, `shop/${of}`, own),
          ...(of === 'lb' ? { parent: parent('ALB shop/lb') } : {}),
        })),
    ),
  },
  {
    weight: 1,
    arbitrary: change(
      'class',
      'netloom',
      fc.constantFrom(
        gatewayClass(),
        gatewayClass(),
        gatewayClass({ controllerName: 'else' }),
        gatewayClass({ parameters: reference('', 'ConfigMap', 'shop/x') }),
        gatewayClass({ parameters: reference('netloom.dev', 'ALB', 'shop/lb') }),
      ),
    ),
  },
  {
    weight: 2,
    arbitrary: keyed(
      'grant',
      fc.constantFrom(
        grant('other', 'Gateway shop', 'Secret'),
        grant('other', 'Gateway shop', 'ConfigMap ca'),
        grant('shop', 'ListenerSet other', 'Secret cert'),
        grant('other', 'HTTPRoute shop', 'Service web'),
        grant('other', 'HTTPRoute shop', 'Service else', { key: 'other/httproute-shop-service-web' }),
        grant('shop', 'TCPRoute other', 'Service'),
      ),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.oneof(
      change(
        'certificate',
        'shop/cert',
        fc.constantFrom(certificate('shop/cert'), certificate('shop/cert', [])),
      ),
      change('certificate', 'other/cert', fc.constant(certificate('other/cert'))),
      change('authority', 'ConfigMap/shop/ca', fc.constant(authority('ConfigMap', 'shop/ca'))),
      change('authority', 'ConfigMap/other/ca', fc.constant(authority('ConfigMap', 'other/ca'))),
    ),
  },
  {
    weight: 3,
    arbitrary: fc.oneof(
      change(
        'service',
        'shop/web',
        fc.constantFrom(service('shop/web', ['http 80']), service('shop/web', ['tls 80', 'u 80/UDP'])),
      ),
      change('service', 'other/web', fc.constant(service('other/web', ['http 80']))),
      change(
        'slice',
        'one',
        fc.constantFrom(slice('shop/web', ['10.0.0.1']), slice('other/web', ['10.0.0.2'])),
      ),
      change('slice', 'two', fc.constantFrom(slice('shop/web', ['10.0.0.3', '10.0.0.4 dead']))),
    ),
  },
  {
    weight: 2,
    arbitrary: keyed(
      'tlsPolicy',
      fc.constantFrom(
        tlsPolicy('shop/p', 'web'),
        tlsPolicy('shop/p', 'web:tls', {
          authorities: [reference('', 'ConfigMap', 'shop/ca')],
          wellKnown: undefined!,
        }),
        tlsPolicy('shop/q', 'web', objectOf('BackendTLSPolicy', 'shop/q', -1)),
        tlsPolicy('other/p', 'web'),
      ),
    ),
  },
  { weight: 6, arbitrary: keyed('policy', anyPolicy) },
  { weight: 1, arbitrary: keyed('wafPolicy', anyFirewall) },
  { weight: 1, arbitrary: keyed('backendPolicy', anyBackendPolicy) },
  { weight: 1, arbitrary: change('users', 'shop/cert', fc.constant(users('shop/cert'))) },
  {
    weight: 2,
    arbitrary: keyed(
      'hostnameGrant',
      fc
        .record({
          name: fc.constantFrom('g', 'h'),
          hostnames: fc.uniqueArray(fc.constantFrom('a.example', '*.example', '*.a.example'), {
            minLength: 1,
            maxLength: 2,
          }),
          namespaces: fc.uniqueArray(spaces, { maxLength: 1 }),
        })
        .map(({ name, hostnames, namespaces: names }) => hostnameGrant(name, hostnames, ...names)),
    ),
  },
  {
    weight: 1,
    arbitrary: fc.oneof(
      change('namespace', 'shop', fc.constantFrom({}, { team: 'a' })),
      change('namespace', 'other', fc.constantFrom({}, { team: 'a' }, { 'cpaas.io/project': 'a' })),
    ),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('shop/edge', 'shop/lb~alb').chain((instance) =>
      change(
        'facts',
        instance,
        fc.constantFrom<InstanceFacts>(
          { addresses: [], waiting: 'waits' },
          { addresses: [{ type: 'IPAddress', value: '192.0.2.1' }] },
          {
            addresses: [{ type: 'IPAddress', value: '192.0.2.2' }],
            slots: new Map([['tcp/80', { kind: 'http' as const, slot: 2 }]]),
          },
        ),
      ),
    ),
  },
  { weight: 3, arbitrary: keyed('alb', anyALB) },
  { weight: 8, arbitrary: anyAlaudaChange },
  { weight: 6, arbitrary: keyed('ingress', anyIngress) },
  { weight: 2, arbitrary: keyed('ingressClass', anyIngressClass) },
);
