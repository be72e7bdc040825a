import { expect, test } from 'vitest';
import type { BackendReference, RouteKind } from '#model/gateway/types.ts';
import { backend, contextOf, service, tlsPolicy } from '../samples.ts';
import { resolveBackend, type Speech } from './backend-refs.ts';

const services = [
  service('shop/web', [
    'plain 80',
    'h2c 81 kubernetes.io/h2c',
    'ws 82 kubernetes.io/ws',
    'wss 83 kubernetes.io/wss',
    'https 84 HTTPS',
    'odd 85 acme.io/gopher',
    'dns 86/UDP',
    'both 87',
    'both-udp 87/UDP',
    'http 88 http',
    'sctp 89/SCTP',
  ]),
  service('shop/alias', ['http 80'], true),
  service('bank/vault', ['http 80']),
];

type Case = readonly [string, Partial<BackendReference>, Speech, string];

const refused: readonly Case[] = [
  ['shop/web', { kind: 'Bucket', group: 'acme.io' }, 'http', 'InvalidKind: acme.io/Bucket'],
  ['shop/web', { kind: 'Pod' }, 'http', 'InvalidKind: Pod'],
  ['bank/vault', {}, 'http', 'RefNotPermitted: no ReferenceGrant in bank'],
  ['bank/nothing', {}, 'http', 'RefNotPermitted: no ReferenceGrant in bank'],
  ['shop/gone', {}, 'http', 'BackendNotFound: there is no Service shop/gone'],
  ['shop/alias', {}, 'http', 'InvalidKind: Service shop/alias is of type ExternalName'],
  ['shop/web', { port: 99 }, 'http', 'BackendNotFound: Service shop/web has no port 99'],
  ['shop/web', { port: 86 }, 'http', 'UnsupportedProtocol: port 86 of Service shop/web is UDP'],
  ['shop/web', { port: 86 }, 'passed', 'UnsupportedProtocol: port 86 of Service shop/web is UDP'],
  ['shop/web', { port: 80 }, 'udp', 'UnsupportedProtocol: port 80 of Service shop/web is TCP'],
  ['shop/web', { port: 89 }, 'tcp', 'UnsupportedProtocol: port 89 of Service shop/web is SCTP'],
  [
    'shop/web',
    { port: 83 },
    'http',
    'UnsupportedProtocol: port 83 of Service shop/web speaks "kubernetes.io/wss", which needs a BackendTLSPolicy',
  ],
  [
    'shop/web',
    { port: 84 },
    'http',
    'UnsupportedProtocol: port 84 of Service shop/web speaks "HTTPS", which needs a BackendTLSPolicy',
  ],
  [
    'shop/web',
    { port: 85 },
    'http',
    'UnsupportedProtocol: port 85 of Service shop/web speaks "acme.io/gopher", which a',
  ],
  ['shop/web', { port: 82 }, 'grpc', 'UnsupportedProtocol: port 82'],
  ['shop/web', { port: 88 }, 'grpc', 'UnsupportedProtocol: port 88'],
];

const kinds: Readonly<Record<Speech, RouteKind>> = {
  http: 'HTTPRoute',
  grpc: 'GRPCRoute',
  tcp: 'TLSRoute',
  passed: 'TCPRoute',
  udp: 'UDPRoute',
};

test.each(refused)('%s %j by %s: %s', (key, part, speech, expected) => {
  const from = { kind: kinds[speech], namespace: 'shop' };
  const { use, refusal } = resolveBackend(backend(key, part), from, speech, contextOf({ services }));
  expect(use).toBeUndefined();
  expect(`${refusal?.reason}: ${refusal?.message}`.slice(0, expected.length)).toBe(expected);
});

test('without a port a Service is nowhere', () => {
  const { port: _, ...reference } = backend('shop/web');
  const from = { kind: 'HTTPRoute', namespace: 'shop' } as const;
  expect(resolveBackend(reference, from, 'http', contextOf({ services })).refusal?.reason).toBe(
    'BackendNotFound',
  );
});

const spoken: readonly [number, Speech, boolean, string][] = [
  [80, 'http', false, 'shop/web:80/http'],
  [80, 'grpc', false, 'shop/web:80/h2c'],
  [80, 'tcp', false, 'shop/web:80/tcp'],
  [81, 'http', false, 'shop/web:81/h2c'],
  [81, 'grpc', false, 'shop/web:81/h2c'],
  [82, 'http', false, 'shop/web:82/http'],
  [85, 'passed', false, 'shop/web:85/tcp'],
  [86, 'udp', false, 'shop/web:86/udp'],
  [87, 'udp', false, 'shop/web:87/udp'],
  [87, 'passed', false, 'shop/web:87/tcp'],
  [80, 'http', true, 'shop/web:80/http@shop/policy/http'],
  [80, 'grpc', true, 'shop/web:80/h2c@shop/policy/h2c'],
  [81, 'http', true, 'shop/web:81/h2c@shop/policy/h2c'],
  [83, 'http', true, 'shop/web:83/http@shop/policy/http'],
  [84, 'http', true, 'shop/web:84/http@shop/policy/http'],
  [84, 'grpc', true, 'shop/web:84/h2c@shop/policy/h2c'],
  [80, 'tcp', true, 'shop/web:80/tcp@shop/policy/tcp'],
  [80, 'passed', true, 'shop/web:80/tcp'],
  [86, 'udp', true, 'shop/web:86/udp'],
];

test.each(spoken)('port %i by %s, with a policy: %s', (port, speech, tls, expected) => {
  const context = contextOf({ services, policies: tls ? [tlsPolicy('shop/policy', 'web')] : [] });
  const from = { kind: kinds[speech], namespace: 'shop' };
  const { use, refusal } = resolveBackend(backend('shop/web', { port }), from, speech, context);
  expect(refusal).toBeUndefined();
  expect(use?.key).toBe(expected);
});

test('a ReferenceGrant is asked for with who refers and to what', () => {
  const asked: unknown[] = [];
  const context = contextOf({
    services,
    permits: (from, to) => {
      asked.push([from, to.namespace, to.name]);
      return true;
    },
  });
  const from = { kind: 'HTTPRoute', namespace: 'shop' } as const;
  expect(resolveBackend(backend('bank/vault'), from, 'http', context).use?.key).toBe('bank/vault:80/http');
  expect(asked).toEqual([
    [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'shop' }, 'bank', 'vault'],
  ]);
});

test('a policy that cannot be kept never means plain text', () => {
  const policies = [tlsPolicy('shop/policy', 'web', { wellKnown: 'acme.io/roots' })];
  const from = { kind: 'HTTPRoute', namespace: 'shop' } as const;
  expect(resolveBackend(backend('shop/web'), from, 'http', contextOf({ services, policies }))).toEqual({});
});
