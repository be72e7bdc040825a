import { expect, test } from 'vitest';
import type { AuthorityModel, BackendTLSPolicyModel, ObjectReference } from '#model/gateway/types.ts';
import { service, tlsPolicy } from '../samples.ts';
import { type PolicyContext, tlsOf, tlsPolicyConditions, tlsPolicyReferences } from './tls-policies.ts';

const authority = (name: string, kind = 'ConfigMap'): AuthorityModel => ({
  origin: { kind, namespace: 'shop', name },
  key: `shop/${name}`,
  certificates: `PEM of ${name}`,
});
const reference = (name: string, kind = 'ConfigMap', group = ''): ObjectReference => ({
  group,
  kind,
  namespace: 'shop',
  name,
});

function contextOf(policies: readonly BackendTLSPolicyModel[]): PolicyContext {
  const web = service('shop/web', ['http 80', 'https 443', 'dns 443/UDP']);
  const known = [authority('roots'), authority('more'), authority('issuer', 'Secret')];
  return {
    service: (key) => (key === 'shop/web' ? web : undefined),
    policies: (key) =>
      policies.filter((policy) => policy.targets.some(({ name }) => `${policy.namespace}/${name}` === key)),
    authority: (key) => known.find((each) => `${each.origin.kind}/${each.key}` === key),
  };
}

/** With a ConfigMap's authorities instead of the system's. */
function by(references: readonly ObjectReference[], target = 'web'): BackendTLSPolicyModel {
  const { wellKnown: _, ...policy } = tlsPolicy('shop/policy', target);
  return { ...policy, authorities: references };
}

const young = { created: '2026-02-01T00:00:00Z' };
const inForce: readonly [string, readonly BackendTLSPolicyModel[], number, string | undefined][] = [
  ['none', [], 80, undefined],
  ['one for the whole Service', [tlsPolicy('shop/a', 'web')], 80, 'shop/a'],
  ['one for another port', [tlsPolicy('shop/a', 'web:https')], 80, undefined],
  [
    'one for the port, though younger',
    [tlsPolicy('shop/a', 'web'), tlsPolicy('shop/b', 'web:https', young)],
    443,
    'shop/b',
  ],
  ['the older one', [tlsPolicy('shop/a', 'web', young), tlsPolicy('shop/b', 'web')], 80, 'shop/b'],
  ['the first by name', [tlsPolicy('shop/b', 'web'), tlsPolicy('shop/a', 'web')], 80, 'shop/a'],
  ['none of another namespace', [tlsPolicy('bank/a', 'web')], 80, undefined],
];

test.each(inForce)('in force: %s', (_, policies, port, expected) => {
  const tls = tlsOf('shop/web', port, contextOf(policies));
  expect(tls?.policy.key).toBe(expected);
  if (tls !== undefined) expect(tls.usable).toBe(true);
  expect(tlsOf('shop/web', port, contextOf(policies.toReversed()))?.policy.key).toBe(expected);
});

type Row = readonly [string, BackendTLSPolicyModel, boolean, string, string];

const judged: readonly Row[] = [
  ['of the system', tlsPolicy('shop/policy', 'web'), true, 'True Accepted', 'True ResolvedRefs'],
  ['of a ConfigMap', by([reference('roots')]), true, 'True Accepted', 'True ResolvedRefs'],
  ['of a Secret', by([reference('issuer', 'Secret')]), true, 'True Accepted', 'True ResolvedRefs'],
  [
    'some',
    by([reference('roots'), reference('gone')]),
    true,
    'True Accepted',
    'False InvalidCACertificateRef',
  ],
  ['missing', by([reference('gone')]), false, 'False NoValidCACertificate', 'False InvalidCACertificateRef'],
  [
    'of an odd kind',
    by([reference('roots', 'Bag', 'acme.io')]),
    false,
    'False NoValidCACertificate',
    'False InvalidKind',
  ],
  ['none', by([]), false, 'False Invalid', 'True ResolvedRefs'],
  [
    'unknown',
    tlsPolicy('shop/policy', 'web', { wellKnown: 'acme.io/x' }),
    false,
    'False Invalid',
    'True ResolvedRefs',
  ],
  [
    'of two origins',
    { ...by([reference('roots')]), wellKnown: 'System' },
    false,
    'False Invalid',
    'True ResolvedRefs',
  ],
];

test.each(judged)('authorities: %s', (_, policy, usable, accepted, resolved) => {
  const context = contextOf([policy]);
  expect(tlsOf('shop/web', 80, context)?.usable).toBe(usable);
  expect(
    tlsPolicyConditions(policy, context).map(({ type, status, reason }) => [type, `${status} ${reason}`]),
  ).toEqual([
    ['Accepted', accepted],
    ['ResolvedRefs', resolved],
  ]);
});

test('authorities of several references are one bundle', () => {
  const policy = by([reference('roots'), reference('more')]);
  expect(tlsOf('shop/web', 80, contextOf([policy]))?.authorities).toBe('PEM of roots\nPEM of more');
});

const accepted = (policy: BackendTLSPolicyModel, all: readonly BackendTLSPolicyModel[]) => {
  const [condition] = tlsPolicyConditions(policy, contextOf(all));
  return `${condition?.status} ${condition?.reason}`;
};

test('of two for the same, one is in conflict; one for a port and one for all are not', () => {
  const first = tlsPolicy('shop/a', 'web');
  const second = tlsPolicy('shop/b', 'web');
  const port = tlsPolicy('shop/c', 'web:https', young);
  const all = [first, second, port];
  expect(all.map((policy) => accepted(policy, all))).toEqual([
    'True Accepted',
    'False Conflicted',
    'True Accepted',
  ]);
});

test('of several targets one that is won is enough', () => {
  const first = tlsPolicy('shop/a', 'web:https');
  const targets = [...first.targets, { group: '', kind: 'Service', name: 'web', section: 'http' }];
  const second = tlsPolicy('shop/b', 'web', { targets });
  expect(accepted(second, [first, second])).toBe('True Accepted');
});

test.each(['web:admin', 'gone'])('a target that is not there: %s', (target) => {
  const policy = tlsPolicy('shop/a', target);
  expect(accepted(policy, [policy])).toBe('False TargetNotFound');
  expect(tlsOf('shop/web', 80, contextOf([policy]))).toBeUndefined();
});

test('options are without effect, and that is said', () => {
  const policy = tlsPolicy('shop/policy', 'web', { options: { 'acme.io/x': '1' } });
  expect(tlsPolicyConditions(policy, contextOf([policy]))[2]).toEqual({
    type: 'netloom.dev/OptionRefused',
    status: 'True',
    reason: 'UnsupportedOption',
    message: 'Without effect: acme.io/x is no option that is known here',
  });
});

test('what a policy refers to', () => {
  const policy = by([reference('roots'), reference('x', 'Bag', 'acme.io'), reference('issuer', 'Secret')]);
  expect(tlsPolicyReferences(policy)).toEqual({
    services: ['shop/web'],
    authorities: ['ConfigMap/shop/roots', 'Secret/shop/issuer'],
  });
});
