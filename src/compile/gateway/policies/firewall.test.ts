/** What several WAFPolicies say together, and what becomes of requests where they can't be kept. */
import { expect, test } from 'vitest';
import type { WAFPolicyModel } from '#model/gateway/policy-types.ts';
import { backend, httpRoute, httpRule, service, wafPolicy } from '../samples.ts';
import { compiled, gateway, listener, objectOf, parent, said } from '../testing.ts';

const own = (key: string, ids: readonly number[]) => ({
  origin: objectOf('ConfigMap', key).origin,
  rules: ids.map((id) => `SecAction "id:${id},phase:2,pass"\n`).join(''),
});

function cluster(wafPolicies: readonly WAFPolicyModel[], firewallRules = [own('shop/own', [1])]) {
  return compiled({
    gateway: [gateway('shop/edge', [listener('web HTTP/80')])],
    service: [service('shop/web', ['http 80'])],
    route: [
      httpRoute([httpRule({ name: 'first', backends: [backend('shop/web')] })], {
        ...objectOf('HTTPRoute', 'shop/web'),
        parents: [parent('Gateway shop/edge web')],
      }),
    ],
    wafPolicy: wafPolicies,
    firewallRules,
  });
}

function inForce(wafPolicies: readonly WAFPolicyModel[], firewallRules?: ReturnType<typeof own>[]) {
  const intent = cluster(wafPolicies, firewallRules).intents.get('shop/edge');
  const [action] = Object.values(intent?.actions ?? {});
  const policy = action?.policy === undefined ? undefined : intent?.policies[action.policy];
  return { action, firewall: policy?.firewall, held: Object.keys(intent?.firewallRules ?? {}) };
}

const byGateway = (settings: WAFPolicyModel['settings'], part: Partial<WAFPolicyModel> = {}) =>
  wafPolicy('shop/edge', 'Gateway edge', settings, part);
const byRoute = (settings: WAFPolicyModel['settings'], part: Partial<WAFPolicyModel> = {}) =>
  wafPolicy('shop/route', 'HTTPRoute web', settings, part);
const sql = [{ tags: ['attack-sqli'] }];
const comment = [{ target: 'ARGS:comment' }];

test('who attaches one has one', () => {
  expect(inForce([byGateway({})]).firewall).toEqual({
    mode: 'block',
    paranoia: 1,
    threshold: 5,
    exclusions: [],
  });
});

test('the nearest has its way, field by field, and exclusions and rules of all hold together', () => {
  const { firewall, held } = inForce([
    byGateway({ mode: 'block', paranoia: 2, threshold: 10, exclusions: sql, rules: ['own'] }),
    byRoute({ mode: 'detect', threshold: 7, exclusions: comment }),
  ]);
  expect(firewall).toEqual({
    mode: 'detect',
    paranoia: 2,
    threshold: 7,
    exclusions: [...comment, ...sql],
    rules: ['shop/own'],
  });
  expect(held).toEqual(['shop/own']);
});

test('off is off, and costs its requests nothing', () => {
  expect(inForce([byGateway({ mode: 'block' }), byRoute({ mode: 'off' })]).action?.policy).toBeUndefined();
});

test('who insists has the mode and all of the rules', () => {
  const { firewall } = inForce([
    byGateway({ mode: 'block', exclusions: sql }, { enforced: true }),
    byRoute({ mode: 'off', exclusions: comment, rules: ['own'] }),
  ]);
  expect(firewall).toMatchObject({ mode: 'block', exclusions: sql, rules: ['shop/own'] });
});

test.each([
  ['are missing', ['other'], [own('shop/own', [1])], /InvalidConfigMap/],
  [
    'have an id that others have',
    ['own', 'other'],
    [own('shop/own', [1]), own('shop/other', [2, 1])],
    /InvalidConfigMap/,
  ],
])(
  'rules that %s close what they were to protect, and nothing that is only looked at',
  (_name, rules, held, reason) => {
    const { action, firewall } = inForce([byRoute({ mode: 'block', rules })], held);
    expect(firewall).toBeUndefined();
    expect(action?.backends).toEqual([]);
    expect(inForce([byRoute({ mode: 'detect', rules })], held).firewall).toMatchObject({ mode: 'detect' });
    const status = cluster([byRoute({ mode: 'block', rules })], held).statuses.get('WAFPolicy/shop/route');
    expect(status?.kind === 'WAFPolicy' && said(status.ancestors[0]?.conditions)?.join()).toMatch(reason);
  },
);

test('a field that can not be read lets nobody in', () => {
  const refused = [{ field: 'spec.mode', message: 'is none', protects: true }] as const;
  expect(inForce([byRoute({}, { refused })]).action?.backends).toEqual([]);
});
