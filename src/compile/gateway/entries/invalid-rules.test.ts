import { expect, test } from 'vitest';
import type { FilterModel, HTTPRuleModel, SessionPersistenceModel } from '#model/gateway/types.ts';
import {
  attachment,
  backend,
  contextOf,
  grpcRoute,
  grpcRule,
  httpMatch,
  httpRoute,
  httpRule,
  listener,
} from '../samples.ts';
import { routeEntries } from './route-entries.ts';

const any = [attachment([listener('web', 'HTTP')])];
const headers = { set: [], add: [], remove: ['a'] };
const change: FilterModel = { type: 'RequestHeaderModifier', headers };
const redirect: FilterModel = { type: 'RequestRedirect', statusCode: 302 };
const rewrite: FilterModel = { type: 'URLRewrite', hostname: 'in.example' };
const replace: FilterModel = { type: 'URLRewrite', path: { type: 'ReplacePrefixMatch', value: '/x' } };
const mirror: FilterModel = { type: 'RequestMirror', backend: backend('shop/web'), share: 1_000_000 };
const foreign: FilterModel = {
  type: 'unusable',
  field: 'spec.rules[0].filters[0].extensionRef',
  message: 'Limit.acme.io is not known',
  reason: 'InvalidKind',
};
const odd: FilterModel = {
  type: 'unusable',
  field: 'spec.rules[0].filters[0].requestRedirect.scheme',
  message: '"gopher" is no scheme',
};
const exact = httpMatch({ path: { type: 'Exact', value: '/a' } });
const session = (part: Partial<SessionPersistenceModel>): SessionPersistenceModel => ({
  type: 'Cookie',
  lifetime: 'Session',
  ...part,
});

const cases: readonly [string, Partial<HTTPRuleModel>, string, string][] = [
  [
    'a redirect with a rewrite',
    { filters: [redirect, rewrite], backends: [] },
    'IncompatibleFilters',
    'filters',
  ],
  ['a redirect with backends', { filters: [redirect] }, 'IncompatibleFilters', 'filters'],
  ['a filter twice', { filters: [change, mirror, mirror, change] }, 'IncompatibleFilters', 'filters[3]'],
  ['an odd value', { filters: [odd] }, 'UnsupportedValue', 'filters[0].requestRedirect.scheme'],
  [
    'a prefix where none is matched',
    { filters: [replace], matches: [exact] },
    'UnsupportedValue',
    'filters[0]',
  ],
  [
    'a prefix where two are',
    { filters: [replace], matches: [httpMatch(), httpMatch()] },
    'UnsupportedValue',
    'filters[0]',
  ],
  ['what its reader refused', { unusable: 'matches[0].path: is odd' }, 'UnsupportedValue', 'matches[0].path'],
  [
    'a cookie for ever',
    { sessionPersistence: session({ lifetime: 'Permanent' }) },
    'UnsupportedValue',
    'sessionPersistence',
  ],
  [
    'a header that lasts',
    { sessionPersistence: session({ type: 'Header', lifetime: 'Permanent', absoluteTimeout: 1 }) },
    'UnsupportedValue',
    'sessionPersistence',
  ],
  [
    'a session whose name is none',
    { sessionPersistence: session({ name: 'a;b' }) },
    'UnsupportedValue',
    'sessionPersistence',
  ],
];

test.each(cases)('%s: requests get 500', (_, part, reason, field) => {
  const whole = routeEntries(httpRoute([httpRule(part)]), any, contextOf());
  const where = `spec.rules[0].${field}: `;
  expect(whole.conditions.map(({ type, status }) => `${type} ${status}`)).toEqual([
    'Accepted False',
    'ResolvedRefs True',
  ]);
  expect(whole.conditions[0]?.reason).toBe(reason);
  expect(whole.conditions[0]?.message.slice(0, where.length)).toBe(where);
  expect(Object.keys(whole.intent.rules)).toHaveLength(httpRule(part).matches.length);
  expect(Object.values(whole.intent.actions)).toEqual([
    {
      origin: { kind: 'HTTPRoute', namespace: 'shop', name: 'route', rule: 'spec.rules[0]' },
      kind: 'http',
      backends: [],
    },
  ]);
  expect(whole.backends).toEqual([]);

  const part2 = routeEntries(httpRoute([httpRule(), httpRule(part)]), any, contextOf());
  expect(part2.conditions).toMatchObject([
    { type: 'ResolvedRefs', status: 'True' },
    { type: 'PartiallyInvalid', status: 'True', reason: 'UnsupportedValue' },
  ]);
  expect(part2.conditions[1]?.message).toMatch(/^Dropped Rule 1, /);
  expect(part2.intent.actions['HTTPRoute/shop/route|0']?.backends).toHaveLength(1);
});

test.each([
  ['a mirror of its own', [mirror], 'backendRefs[1].filters[0]: RequestMirror'],
  ['two kinds of URL', [redirect, rewrite], 'backendRefs[1].filters: RequestRedirect'],
])('a backend with %s: its share gets 500', (_, filters, text) => {
  const rule = httpRule({ backends: [backend('shop/web'), backend('shop/web', { filters, weight: 3 })] });
  const { intent, conditions } = routeEntries(httpRoute([rule]), any, contextOf());
  expect(Object.values(intent.actions)[0]?.backends).toEqual([
    { backend: 'shop/web:80/http', weight: 1 },
    { weight: 3 },
  ]);
  expect(conditions).toMatchObject([
    { type: 'ResolvedRefs', status: 'True' },
    { type: 'PartiallyInvalid', status: 'True', reason: 'UnsupportedValue' },
  ]);
  expect(conditions[1]?.message).toMatch(/^Dropped Rule 0, in part/);
  expect(conditions[1]?.message).toContain(text);
});

test('a filter that nobody knows is not skipped: requests get 500, and the reference is said to be unknown', () => {
  const { intent, conditions } = routeEntries(
    httpRoute([httpRule({ filters: [foreign] }), httpRule()]),
    any,
    contextOf(),
  );
  expect(intent.actions['HTTPRoute/shop/route|0']?.backends).toEqual([]);
  expect(conditions).toEqual([
    {
      type: 'ResolvedRefs',
      status: 'False',
      reason: 'InvalidKind',
      message: 'spec.rules[0].filters[0].extensionRef: Limit.acme.io is not known',
    },
    {
      type: 'PartiallyInvalid',
      status: 'True',
      reason: 'UnsupportedValue',
      message:
        'Dropped Rule 0, whose requests get 500: spec.rules[0].filters[0].extensionRef: Limit.acme.io is not known',
    },
  ]);
});

test('who can ask nobody for leave lets nobody in; the route is accepted, since the Service may come', () => {
  const auth: FilterModel = {
    type: 'ExternalAuth',
    protocol: 'HTTP',
    backend: backend('shop/gone'),
    path: '',
    allowedHeaders: [],
    allowedResponseHeaders: [],
  };
  const closed = httpRule({ filters: [auth] });
  const types = (rules: readonly HTTPRuleModel[]) =>
    routeEntries(httpRoute(rules), any, contextOf()).conditions.map(
      ({ type, status, reason }) => `${type} ${status} ${reason}`,
    );
  expect(types([closed])).toEqual(['ResolvedRefs False BackendNotFound']);
  expect(types([httpRule(), closed])).toEqual([
    'ResolvedRefs False BackendNotFound',
    'PartiallyInvalid True UnsupportedValue',
  ]);
});

test('a GRPCRoute has filters of its own', () => {
  const { conditions } = routeEntries(grpcRoute([grpcRule({ filters: [rewrite] })]), any, contextOf());
  expect(conditions[0]).toMatchObject({ type: 'Accepted', status: 'False', reason: 'UnsupportedValue' });
});
