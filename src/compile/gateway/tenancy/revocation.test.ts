/** A ReferenceGrant that is taken back: what it let through ends with the next change, for each kind of reference. */
import { expect, test } from 'vitest';
import type { GatewayIntent } from '#intent/gateway.ts';
import type { FilterModel, RouteModel } from '#model/gateway/types.ts';
import { createGatewayBook } from '../book.ts';
import { backend, grpcRoute, grpcRule, httpRoute, httpRule, l4Route, service, slice } from '../samples.ts';
import {
  authority,
  type Cluster,
  certificate,
  gateway,
  grant,
  listener,
  listenerSet,
  parent,
  passthrough,
  reference,
  running,
  secret,
  slots,
  snapshotOf,
} from '../testing.ts';
import type { GatewayInput } from '../types.ts';

const to = { parents: [parent('Gateway shop/edge')] };
const foreign = backend('bank/pay');
const auth: FilterModel = {
  type: 'ExternalAuth',
  protocol: 'HTTP',
  backend: foreign,
  path: '',
  allowedHeaders: [],
  allowedResponseHeaders: [],
};
const mirror: FilterModel = { type: 'RequestMirror', backend: foreign, share: 1_000_000 };
const web = listener('web HTTP/80');
const edge = (...listeners: Parameters<typeof gateway>[1]) => gateway('shop/edge', listeners);
const at = (one: Parameters<typeof gateway>[1][number], ...route: readonly RouteModel[]): Cluster => ({
  gateway: [edge(one)],
  route,
});
const reaches = (intent: GatewayIntent) =>
  Object.keys(intent.backends).some((key) => key.startsWith('bank/pay'));
const shows = (intent: GatewayIntent) => 'bank/cert' in intent.certificates;

test.each<[string, Cluster, ReturnType<typeof grant>, (intent: GatewayIntent) => boolean]>([
  [
    'a backend of an HTTPRoute',
    at(web, httpRoute([httpRule({ backends: [foreign] })], to)),
    grant('bank', 'HTTPRoute shop', 'Service pay'),
    reaches,
  ],
  [
    'a backend of a GRPCRoute',
    at(web, grpcRoute([grpcRule({ backends: [foreign] })], to)),
    grant('bank', 'GRPCRoute shop', 'Service'),
    reaches,
  ],
  [
    'a backend of a TLSRoute',
    at(listener('a TLS/443', passthrough), l4Route('TLSRoute', [foreign], to)),
    grant('bank', 'TLSRoute shop', 'Service'),
    reaches,
  ],
  [
    'a backend of a TCPRoute',
    at(listener('a TCP/80'), l4Route('TCPRoute', [foreign], to)),
    grant('bank', 'TCPRoute shop', 'Service'),
    reaches,
  ],
  [
    'a backend of a UDPRoute',
    at(listener('a UDP/53'), l4Route('UDPRoute', [backend('bank/pay', { port: 53 })], to)),
    grant('bank', 'UDPRoute shop', 'Service'),
    reaches,
  ],
  [
    'a mirror',
    at(web, httpRoute([httpRule({ filters: [mirror] })], to)),
    grant('bank', 'HTTPRoute shop', 'Service'),
    reaches,
  ],
  [
    'who is asked whether requests may pass',
    at(web, httpRoute([httpRule({ filters: [auth] })], to)),
    grant('bank', 'HTTPRoute shop', 'Service'),
    reaches,
  ],
  [
    'a certificate of a Gateway’s listener',
    { gateway: [edge(listener('a HTTPS/443', {}, [secret('bank/cert')]))] },
    grant('bank', 'Gateway shop', 'Secret cert'),
    shows,
  ],
  [
    'a certificate of a ListenerSet’s listener',
    {
      gateway: [gateway('shop/edge', [web], { allowedListeners: { from: 'All' } })],
      listenerSet: [
        listenerSet('shop/more', 'shop/edge', [listener('a HTTPS/443', {}, [secret('bank/cert')])]),
      ],
    },
    grant('bank', 'ListenerSet shop', 'Secret'),
    shows,
  ],
  [
    'what client certificates are judged by',
    {
      gateway: [
        gateway('shop/edge', [listener('a HTTPS/443')], {
          clientValidation: {
            default: { authorities: [reference('', 'ConfigMap', 'bank/ca')], mode: 'AllowValidOnly' },
            perPort: new Map(),
          },
        }),
      ],
    },
    grant('bank', 'Gateway shop', 'ConfigMap'),
    ({ listeners }) => Object.keys(listeners).length > 0,
  ],
  [
    'what a Gateway shows to backends',
    { gateway: [gateway('shop/edge', [web], { clientCertificate: secret('bank/cert') })] },
    grant('bank', 'Gateway shop', 'Secret'),
    shows,
  ],
])('%s', (_, cluster, permit, isServed) => {
  const book = createGatewayBook(slots);
  const snapshot = snapshotOf({
    service: [service('bank/pay', ['http 80', 'dns 53/UDP']), service('shop/web', ['http 80'])],
    slice: [slice('bank/pay', ['10.0.0.1'])],
    certificate: [certificate('shop/cert'), certificate('bank/cert')],
    authority: [authority('ConfigMap', 'bank/ca')],
    ...cluster,
  });
  for (const kind of Object.keys(snapshot) as GatewayInput[])
    for (const [key, value] of snapshot[kind]) book.set(kind, key, value as never);
  book.setFacts('shop/edge', running);
  const now = () => {
    book.settle();
    return isServed(book.whole('shop/edge')!);
  };
  expect(now()).toBe(false);
  book.set('grant', permit.key, permit);
  expect(now()).toBe(true);
  book.set('grant', permit.key, undefined);
  const { instances } = book.settle();
  expect(isServed(book.whole('shop/edge')!)).toBe(false);
  // And its pods are told so.
  expect(instances.get('shop/edge')).toBeDefined();
});
