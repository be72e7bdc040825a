import { expect, test } from 'vitest';
import type { L4RouteModel } from '#model/gateway/types.ts';
import { attachment, backend, contextOf, l4Route, listener, service, tlsPolicy } from '../samples.ts';
import { routeEntries } from './route-entries.ts';

const model = listener('pass', 'TLS').model;
const tls = { mode: 'Passthrough', certificates: [], options: {} } as const;
const listeners = {
  TCP: listener('tcp', 'TCP'),
  UDP: listener('udp', 'UDP'),
  end: listener('end', 'TLS'),
  pass: listener('pass', 'TLS', { model: { ...model, tls } }),
};
const services = [service('shop/web', ['http 80', 'dns 80/UDP'])];

const cases: readonly [L4RouteModel['kind'], keyof typeof listeners, string][] = [
  ['TCPRoute', 'TCP', 'shop/web:80/tcp'],
  ['UDPRoute', 'UDP', 'shop/web:80/udp'],
  ['TLSRoute', 'pass', 'shop/web:80/tcp'],
  ['TLSRoute', 'end', 'shop/web:80/tcp@shop/policy/tcp'],
];

test.each(cases)('%s at a listener %s, with a policy for TLS', (kind, at, key) => {
  const backends = [
    backend('shop/web', { weight: 3 }),
    backend('shop/gone', { weight: 2 }),
    backend('shop/web', { weight: 0 }),
  ];
  const hosts = kind === 'TLSRoute' ? ['a.example', '*.b.example'] : [];
  const {
    intent,
    backends: uses,
    conditions,
  } = routeEntries(
    l4Route(kind, backends),
    [attachment([listeners[at], ...hosts])],
    contextOf({ services, policies: [tlsPolicy('shop/policy', 'web')] }),
  );
  const places = hosts.length === 0 ? [''] : hosts;
  expect(Object.keys(intent.streams)).toEqual(places.map((host) => `${listeners[at].key}|${host}`));
  expect(Object.values(intent.streams)[0]).toEqual({
    origin: { kind, namespace: 'shop', name: 'stream', rule: 'spec.rules[0]' },
    listener: listeners[at].key,
    host: places[0],
    backends: [{ backend: key, weight: 3 }, { weight: 2 }],
  });
  expect(uses.map((use) => use.key)).toEqual([key]);
  expect(conditions).toMatchObject([{ type: 'ResolvedRefs', status: 'False', reason: 'BackendNotFound' }]);
});

test('at two listeners of one route TLS ends at one and passes at the other', () => {
  const { intent } = routeEntries(
    l4Route('TLSRoute', [backend('shop/web')]),
    [attachment([listeners.pass, 'a.example'], [listeners.end, 'a.example'])],
    contextOf({ services, policies: [tlsPolicy('shop/policy', 'web')] }),
  );
  expect(Object.values(intent.streams).map(({ backends }) => backends[0]?.backend)).toEqual([
    'shop/web:80/tcp',
    'shop/web:80/tcp@shop/policy/tcp',
  ]);
});

test('a route that sends nowhere closes what comes', () => {
  const { intent } = routeEntries(l4Route('TCPRoute', []), [attachment([listeners.TCP])], contextOf());
  expect(Object.values(intent.streams)).toMatchObject([{ backends: [] }]);
});
