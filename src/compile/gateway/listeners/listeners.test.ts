/** What is said of listeners: each rule of the specification with the objects that it is about. */
import { expect, test } from 'vitest';
import type { GatewayModel } from '#model/gateway/types.ts';
import {
  certificate,
  compiled,
  gateway,
  grant,
  listener,
  passthrough,
  reference,
  saidOf,
  secret,
} from '../testing.ts';

const good = ['Accepted True Accepted', 'Conflicted False NoConflicts', 'ResolvedRefs True ResolvedRefs'];
const served = [...good, 'Programmed True Programmed'];
const refused = (reason: string, ...more: readonly string[]) => [
  `Accepted False ${reason}`,
  'Conflicted False NoConflicts',
  'ResolvedRefs True ResolvedRefs',
  ...more,
  'Programmed False Invalid',
];
const conflicted = (reason: string) => [
  'Accepted False Invalid',
  `Conflicted True ${reason}`,
  'ResolvedRefs True ResolvedRefs',
  'Programmed False Invalid',
];
const unresolved = (reason: string, programmed = 'False Invalid') => [
  'Accepted True Accepted',
  'Conflicted False NoConflicts',
  `ResolvedRefs False ${reason}`,
  `Programmed ${programmed}`,
];
const overlapping = [...good, 'OverlappingTLSConfig True OverlappingHostnames', 'Programmed True Programmed'];

type Listeners = GatewayModel['listeners'];

const cases: readonly (readonly [string, Listeners, Readonly<Record<string, readonly string[]>>])[] = [
  ['HTTP', [listener('a HTTP/80')], { a: served }],
  ['HTTPS with a certificate', [listener('a HTTPS/443')], { a: served }],
  ['TLS passed through', [listener('a TLS/443', passthrough)], { a: served }],
  ['TLS that ends', [listener('a TLS/443')], { a: served }],
  ['TCP and UDP of one port', [listener('a TCP/53'), listener('b UDP/53')], { a: served, b: served }],
  ['a protocol of somebody else', [listener('a SCTP/80')], { a: refused('UnsupportedProtocol') }],
  ['HTTPS without tls', [{ ...listener('a HTTPS/443'), tls: undefined! }], { a: refused('Invalid') }],
  ['HTTPS that passes through', [listener('a HTTPS/443', passthrough)], { a: refused('Invalid') }],
  ['TLS without tls', [{ ...listener('a TLS/443'), tls: undefined! }], { a: refused('Invalid') }],
  ['HTTP with tls', [listener('a HTTP/80', passthrough)], { a: refused('Invalid') }],
  ['no certificate named', [listener('a HTTPS/443', {}, [])], { a: unresolved('InvalidCertificateRef') }],
  [
    'a Secret that is not there',
    [listener('a HTTPS/443', {}, [secret('shop/none')])],
    { a: unresolved('InvalidCertificateRef') },
  ],
  [
    'a certificate of an unknown kind',
    [listener('a HTTPS/443', {}, [reference('', 'ConfigMap', 'shop/cert')])],
    { a: unresolved('InvalidCertificateRef') },
  ],
  [
    'a certificate of an unknown group',
    [listener('a HTTPS/443', {}, [reference('else.example', 'Secret', 'shop/cert')])],
    { a: unresolved('InvalidCertificateRef') },
  ],
  [
    "another namespace's Secret",
    [listener('a HTTPS/443', {}, [secret('other/cert')])],
    { a: unresolved('RefNotPermitted') },
  ],
  [
    'one good certificate of two: that one is shown',
    [listener('a HTTPS/443', {}, [secret('shop/none'), secret('shop/cert')])],
    { a: unresolved('InvalidCertificateRef', 'True Programmed') },
  ],
  [
    'one hostname twice',
    [listener('a HTTP/80 a.example'), listener('b HTTP/80 a.example'), listener('c HTTP/80')],
    { a: conflicted('HostnameConflict'), b: conflicted('HostnameConflict'), c: served },
  ],
  [
    'HTTP and HTTPS on one port',
    [listener('a HTTP/80 a.example'), listener('b HTTPS/80 b.example')],
    { a: conflicted('ProtocolConflict'), b: conflicted('ProtocolConflict') },
  ],
  [
    'TCP beside HTTP: all of the port',
    [listener('a HTTP/80 a.example'), listener('b TCP/80'), listener('c HTTP/80 c.example')],
    {
      a: conflicted('ProtocolConflict'),
      b: conflicted('ProtocolConflict'),
      c: conflicted('ProtocolConflict'),
    },
  ],
  [
    'HTTPS and TLS of one name',
    [listener('a HTTPS/443'), listener('b TLS/443', passthrough)],
    { a: conflicted('ProtocolConflict'), b: conflicted('ProtocolConflict') },
  ],
  [
    'HTTPS and TLS of names that overlap',
    [listener('a HTTPS/443 *.example'), listener('b TLS/443 a.example', passthrough)],
    { a: served, b: served },
  ],
  [
    'TLS of one name in both modes',
    [listener('a TLS/443 a.example'), listener('b TLS/443 a.example', passthrough)],
    { a: conflicted('HostnameConflict'), b: conflicted('HostnameConflict') },
  ],
  [
    'a protocol of somebody else is in nobody’s way',
    [listener('a SCTP/80'), listener('b HTTP/80')],
    { a: refused('UnsupportedProtocol'), b: served },
  ],
  [
    'hostnames of HTTPS that overlap',
    [
      listener('foo HTTPS/443 foo.example.com'),
      listener('bar HTTPS/443 bar.bar.example.com'),
      listener('wild HTTPS/443 *.example.com'),
      listener('above HTTPS/443 example.com'),
      listener('else HTTPS/8443 foo.example.com'),
    ],
    { foo: overlapping, bar: overlapping, wild: overlapping, above: served, else: served },
  ],
  [
    'one without a hostname overlaps with all',
    [listener('a HTTPS/443 a.example'), listener('b HTTPS/443')],
    { a: overlapping, b: overlapping },
  ],
  [
    'HTTP does not care for names that overlap',
    [listener('a HTTP/80 a.example'), listener('b HTTP/80')],
    { a: served, b: served },
  ],
  [
    'options that are not known',
    [
      listener('a HTTPS/443', {
        tls: {
          mode: 'Terminate',
          certificates: [secret('shop/cert')],
          options: { 'netloom.dev/tls-min-version': '1.1', 'else.example/x': 'y' },
        },
      }),
    ],
    {
      a: [...good, 'netloom.dev/OptionRefused True UnsupportedOption', 'Programmed True Programmed'],
    },
  ],
  [
    'ciphers where the connection within TLS is not HTTP',
    [
      listener('a TLS/443', {
        tls: {
          mode: 'Terminate',
          certificates: [secret('shop/cert')],
          options: { 'netloom.dev/tls-ciphers': 'ECDHE-RSA-AES128-GCM-SHA256' },
        },
      }),
    ],
    {
      a: [...good, 'netloom.dev/OptionRefused True UnsupportedOption', 'Programmed True Programmed'],
    },
  ],
];

test.each(cases)('%s', (_, listeners, wanted) => {
  const { statuses } = compiled({ gateway: [gateway('shop/edge', listeners)] });
  const status = statuses.get('Gateway/shop/edge');
  expect(Object.fromEntries(listeners.map(({ name }) => [name, saidOf(status, name)]))).toEqual(wanted);
});

test.each([
  ['of the whole kind', grant('other', 'Gateway shop', 'Secret'), true],
  ['of the name', grant('other', 'Gateway shop', 'Secret cert'), true],
  ['of another name', grant('other', 'Gateway shop', 'Secret key'), false],
  ['for another namespace', grant('other', 'Gateway attic', 'Secret'), false],
  ['for another kind', grant('other', 'HTTPRoute shop', 'Secret'), false],
  ['of another kind', grant('other', 'Gateway shop', 'ConfigMap'), false],
  ['in a third namespace', grant('third', 'Gateway shop', 'Secret'), false],
])("a grant %s: another namespace's certificate", (_, given, permitted) => {
  const { intents, statuses } = compiled({
    gateway: [gateway('shop/edge', [listener('a HTTPS/443', {}, [secret('other/cert')])])],
    grant: [given],
    certificate: [certificate('other/cert')],
  });
  expect(saidOf(statuses.get('Gateway/shop/edge'), 'a')).toEqual(
    permitted ? served : unresolved('RefNotPermitted'),
  );
  expect(Object.keys(intents.get('shop/edge')?.certificates ?? {})).toEqual(permitted ? ['other/cert'] : []);
});

const kinds = (...names: readonly string[]) =>
  names.map((kind) => ({ group: 'gateway.networking.k8s.io', kind }));

test.each([
  ['HTTP', undefined, ['HTTPRoute', 'GRPCRoute'], true],
  ['HTTPS', undefined, ['HTTPRoute', 'GRPCRoute'], true],
  ['TLS', undefined, ['TLSRoute'], true],
  ['TCP', undefined, ['TCPRoute'], true],
  ['UDP', undefined, ['UDPRoute'], true],
  ['HTTP', kinds(), ['HTTPRoute', 'GRPCRoute'], true],
  ['HTTP', kinds('GRPCRoute'), ['GRPCRoute'], true],
  ['HTTP', kinds('HTTPRoute', 'Invalid'), ['HTTPRoute'], false],
  ['HTTP', kinds('TCPRoute'), [], false],
  ['TLS', kinds('TCPRoute', 'TLSRoute'), ['TCPRoute', 'TLSRoute'], true],
  ['HTTP', [{ group: 'else.example', kind: 'HTTPRoute' }], [], false],
  ['SCTP', kinds('HTTPRoute'), [], true],
])('%s with kinds %j', (protocol, allowedKinds, supported, resolved) => {
  const one = listener(`a ${protocol}/80`, allowedKinds === undefined ? {} : { allowedKinds });
  const { statuses } = compiled({ gateway: [gateway('shop/edge', [one])] });
  const status = statuses.get('Gateway/shop/edge');
  expect(status).toMatchObject({ listeners: [{ supportedKinds: kinds(...supported) }] });
  expect(saidOf(status, 'a')?.includes('ResolvedRefs False InvalidRouteKinds')).toBe(!resolved);
});

test('what the data plane is told of listeners', () => {
  const { intents } = compiled({
    gateway: [
      gateway('shop/edge', [
        listener('web HTTP/80 shop.example'),
        listener('secure HTTPS/443 *.shop.example', {
          tls: {
            mode: 'Terminate',
            certificates: [secret('shop/cert')],
            options: {
              'netloom.dev/tls-min-version': '1.3',
              'netloom.dev/tls-ciphers': 'ECDHE-RSA-AES128-GCM-SHA256',
            },
          },
        }),
        listener('raw TCP/5432'),
      ]),
    ],
  });
  expect(intents.get('shop/edge')).toMatchObject({
    ports: {
      'tcp/80': { port: 80, kind: 'http', slot: 0 },
      'tcp/443': { port: 443, kind: 'https', slot: 0 },
      'tcp/5432': { port: 5432, kind: 'tcp', slot: 0 },
    },
    listeners: {
      'gateway/shop/edge/web': { port: 'tcp/80', kind: 'http', hostname: 'shop.example' },
      'gateway/shop/edge/secure': {
        origin: { kind: 'Gateway', namespace: 'shop', name: 'edge', rule: 'spec.listeners[secure]' },
        port: 'tcp/443',
        kind: 'https',
        hostname: '*.shop.example',
        certificates: ['shop/cert'],
        minimumTLS: '1.3',
        ciphers: 'ECDHE-RSA-AES128-GCM-SHA256',
      },
      'gateway/shop/edge/raw': { port: 'tcp/5432', kind: 'tcp', hostname: '' },
    },
    certificates: { 'shop/cert': { names: ['shop.example'] } },
  });
});

test('of listeners that are refused the data plane hears nothing, nor of their ports', () => {
  const { intents } = compiled({
    gateway: [
      gateway('shop/edge', [
        listener('a HTTP/80'),
        listener('b TCP/80'),
        listener('c HTTPS/443', {}, [secret('shop/none')]),
        listener('d HTTP/8080'),
      ]),
    ],
  });
  expect(Object.keys(intents.get('shop/edge')?.ports ?? {})).toEqual(['tcp/8080']);
  expect(Object.keys(intents.get('shop/edge')?.listeners ?? {})).toEqual(['gateway/shop/edge/d']);
});
