import { expect, test } from 'vitest';
import type { GRPCMatchModel } from '#model/gateway/types.ts';
import { attachment, backend, contextOf, grpcRoute, grpcRule, listener, service } from '../samples.ts';
import { routeEntries } from './route-entries.ts';

const any = [attachment([listener('web', 'HTTP'), 'api.example'])];

const methods: readonly [string, GRPCMatchModel['method'], string, string][] = [
  ['a method of a service', { type: 'Exact', service: 'a.B', method: 'C' }, 'exact', '/a.B/C'],
  ['a service', { type: 'Exact', service: 'a.B' }, 'prefix', '/a.B'],
  ['a method of any service', { type: 'Exact', method: 'C' }, 'regex', '/[^/]+/C'],
  ['an odd method', { type: 'Exact', method: 'C.|' }, 'regex', String.raw`/[^/]+/C\.\|`],
  [
    'expressions',
    { type: 'RegularExpression', service: 'a|b', method: 'Get.*' },
    'regex',
    '/(?:a|b)/(?:Get.*)',
  ],
  ['an expression for services', { type: 'RegularExpression', service: 'a.+' }, 'regex', '/(?:a.+)/[^/]+'],
  ['nothing', undefined, 'prefix', '/'],
];

test.each(methods)('a call by %s', (_, method, type, value) => {
  const match: GRPCMatchModel = {
    ...(method === undefined ? {} : { method }),
    headers: [{ name: 'user', type: 'RegularExpression', value: 'a.*' }],
  };
  const { rules } = routeEntries(grpcRoute([grpcRule({ matches: [match] })]), any, contextOf()).intent;
  expect(Object.entries(rules)).toMatchObject([
    [
      'gateway/shop/edge/web|api.example|GRPCRoute/shop/calls|0.0',
      {
        host: 'api.example',
        path: { type, value },
        headers: [{ name: 'user', value: 'a.*', regex: true }],
        action: 'GRPCRoute/shop/calls|0',
      },
    ],
  ]);
});

test('a rule that asks for nothing takes all calls, after every other', () => {
  const named = grpcRule({ matches: [{ method: { type: 'Exact', service: 'a.B' }, headers: [] }] });
  const { rules, actions } = routeEntries(grpcRoute([grpcRule(), named]), any, contextOf()).intent;
  const [all, some] = Object.values(rules);
  expect(all).toMatchObject({ path: { type: 'prefix', value: '/' }, action: 'GRPCRoute/shop/calls|0' });
  expect(all!.rank > some!.rank).toBe(true);
  expect(Object.values(actions)[0]).toMatchObject({
    kind: 'grpc',
    backends: [{ backend: 'shop/web:80/h2c', weight: 1 }],
  });
});

test('filters, mirrors and sessions of calls', () => {
  const headers = { set: [{ name: 'a', value: 'b' }], add: [], remove: [] };
  const rule = grpcRule({
    filters: [
      { type: 'RequestHeaderModifier', headers },
      { type: 'ResponseHeaderModifier', headers },
      { type: 'RequestMirror', backend: backend('shop/copy'), share: 500_000 },
    ],
    backends: [backend('shop/web', { weight: 2, filters: [{ type: 'RequestHeaderModifier', headers }] })],
    sessionPersistence: { type: 'Header', name: 'x-session', lifetime: 'Session' },
  });
  const services = [service('shop/web', ['http 80']), service('shop/copy', ['http 80'])];
  const { intent } = routeEntries(grpcRoute([rule]), any, contextOf({ services }));
  const set = { set: [{ name: 'a', value: 'b' }] };
  expect(Object.values(intent.actions)[0]).toMatchObject({
    filters: { request: set, response: set },
    mirrors: [{ backend: 'shop/copy:80/h2c', share: 500_000 }],
    backends: [{ backend: 'shop/web:80/h2c', weight: 2, filters: { request: set } }],
    persistence: { type: 'header', name: 'x-session' },
  });
});
