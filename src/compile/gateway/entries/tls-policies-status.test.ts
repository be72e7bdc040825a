/** BackendTLSPolicies in their status: which Gateways they are told for, and what is said. */
import { expect, test } from 'vitest';
import type { BackendTLSPolicyModel } from '#model/gateway/types.ts';
import { backend, httpRoute, httpRule, service, tlsPolicy } from '../samples.ts';
import {
  authority,
  type Cluster,
  certificate,
  compiled,
  gateway,
  listener,
  objectOf,
  parent,
  reference,
  said,
  secret,
} from '../testing.ts';

const to = (name: string, key = 'shop/web') =>
  httpRoute([httpRule({ backends: [backend(key)] })], {
    ...objectOf('HTTPRoute', `shop/to-${name}`),
    parents: [parent(`Gateway shop/${name}`)],
  });
const world: Cluster = {
  gateway: [gateway('shop/edge', [listener('a HTTP/80')]), gateway('shop/back', [listener('a HTTP/80')])],
  service: [service('shop/web', ['http 80', 'admin 81'])],
  route: [to('edge')],
};
const ca = (name: string, kind = 'ConfigMap', group = '') => ({
  authorities: [reference(group, kind, `shop/${name}`)],
  wellKnown: undefined!,
});

function ancestors(policies: readonly BackendTLSPolicyModel[], part: Cluster = {}) {
  const { statuses } = compiled({
    ...world,
    authority: [authority('ConfigMap', 'shop/ca')],
    tlsPolicy: policies,
    ...part,
  });
  return policies.map(({ key }) => {
    const status = statuses.get(`BackendTLSPolicy/${key}`);
    return status?.kind === 'BackendTLSPolicy'
      ? status.ancestors.map(({ gateway: name, conditions }) => [name, ...(said(conditions) ?? [])])
      : [];
  });
}

const resolved = 'ResolvedRefs True ResolvedRefs';
const good = ['shop/edge', 'Accepted True Accepted', resolved];

test.each<[string, readonly BackendTLSPolicyModel[], readonly (readonly string[])[]]>([
  ['the system’s authorities', [tlsPolicy('shop/p', 'web')], [good]],
  ['authorities of a ConfigMap', [tlsPolicy('shop/p', 'web', ca('ca'))], [good]],
  [
    'a ConfigMap that is not there',
    [tlsPolicy('shop/p', 'web', ca('none'))],
    [['shop/edge', 'Accepted False NoValidCACertificate', 'ResolvedRefs False InvalidCACertificateRef']],
  ],
  [
    'a kind that is not known',
    [tlsPolicy('shop/p', 'web', ca('ca', 'InvalidKind', 'invalid.io'))],
    [['shop/edge', 'Accepted False NoValidCACertificate', 'ResolvedRefs False InvalidKind']],
  ],
  [
    'well known to somebody else',
    [tlsPolicy('shop/p', 'web', { wellKnown: 'else.example/all' })],
    [['shop/edge', 'Accepted False Invalid', resolved]],
  ],
  [
    'a port that the Service has not',
    [tlsPolicy('shop/p', 'web:none')],
    [['shop/edge', 'Accepted False TargetNotFound', resolved]],
  ],
  [
    'the younger of two',
    [tlsPolicy('shop/a', 'web', objectOf('BackendTLSPolicy', 'shop/a', 9)), tlsPolicy('shop/b', 'web')],
    [['shop/edge', 'Accepted False Conflicted', resolved], good],
  ],
  [
    'of the same age by name',
    [tlsPolicy('shop/b', 'web'), tlsPolicy('shop/a', 'web')],
    [['shop/edge', 'Accepted False Conflicted', resolved], good],
  ],
  [
    'one for a port beside one for all',
    [tlsPolicy('shop/b', 'web'), tlsPolicy('shop/a', 'web:http')],
    [good, good],
  ],
])('%s', (_, policies, wanted) => {
  expect(ancestors(policies)).toEqual(wanted.map((each) => [each]));
});

test('the Gateways whose routes go to the target are its ancestors, others are not', () => {
  const policies = [tlsPolicy('shop/p', 'web'), tlsPolicy('shop/idle', 'else')];
  const routes = [to('edge'), to('back'), to('none')];
  const all = ancestors(policies, { route: routes }).map((list) => list.map(([name]) => name));
  expect(all).toEqual([['shop/back', 'shop/edge'], []]);
});

test('a target that is not there is told to the Gateway whose route goes there', () => {
  expect(ancestors([tlsPolicy('shop/p', 'none')], { route: [to('edge', 'shop/none')] })).toEqual([
    [['shop/edge', 'Accepted False TargetNotFound', resolved]],
  ]);
});

test('what backends are told: whom they must prove to be, and who the Gateway is', () => {
  const { intents, references } = compiled({
    ...world,
    gateway: [gateway('shop/edge', [listener('a HTTP/80')], { clientCertificate: secret('shop/client') })],
    tlsPolicy: [tlsPolicy('shop/p', 'web', ca('ca'))],
    authority: [authority('ConfigMap', 'shop/ca')],
    certificate: [certificate('shop/client')],
  });
  const intent = intents.get('shop/edge')!;
  expect(Object.values(intent.identities)).toMatchObject([
    { hostname: 'web.internal', certificate: 'shop/client', authorities: 'authorities of shop/ca\n' },
  ]);
  expect(Object.keys(intent.certificates)).toEqual(['shop/client']);
  expect([...references].sort()).toEqual(['ConfigMap/shop/ca', 'Secret/shop/client']);
});

test('nothing is sent to a target whose policy can’t be kept', () => {
  const { intents } = compiled({ ...world, tlsPolicy: [tlsPolicy('shop/p', 'web', ca('none'))] });
  expect(intents.get('shop/edge')?.backends).toEqual({});
});
