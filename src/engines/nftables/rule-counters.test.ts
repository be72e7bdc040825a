/** Counters of rules in the table: one a rule, for as long as a decision has it. */
import { expect, it } from 'vitest';
import type { IntentChange } from '#intent/node.ts';
import type { PolicyRowIntent } from '#intent/policy.ts';
import { createNftablesEngine } from './driver.ts';
import { createFakeConntrack, createFakeNft } from './fake.ts';
import { isRuleCounter, ruleCounter } from './rule-counters.ts';

const rule = (name: string) => ({ kind: 'NetworkPolicy', namespace: 'd', name, rule: 'spec.egress[0]' });
const all = (verdict: PolicyRowIntent['verdict'], name: string) =>
  (['tcp', 'udp', 'sctp', 'other'] as const).map((protocol) => ({
    protocol,
    first: 0,
    last: 65_535,
    verdict,
    origin: rule(name),
  }));
const decided = (verdict: PolicyRowIntent['verdict'], name: string) => ({
  direction: 'egress' as const,
  rows: all(verdict, name),
});
const counterOf = (verdict: PolicyRowIntent['verdict'], name: string) =>
  ruleCounter('egress', { verdict, origin: rule(name) }).name;

function fresh() {
  const nft = createFakeNft();
  const engine = createNftablesEngine({}, { nft, conntrack: createFakeConntrack() });
  const counters = async () => [...(await nft.read())!.counters].filter(isRuleCounter).sort();
  let generation = 0;
  const apply = (put: IntentChange['put'], remove: IntentChange['remove'] = {}) =>
    engine.apply({ generation: ++generation, replace: generation === 1, put, remove });
  return { nft, engine, counters, apply };
}

const pod = { kind: 'Pod', namespace: 'd', name: 'a' };
const restricted = {
  policySubjects: { 'd/a': { origin: pod, uid: '', egress: 7 } },
  endpoints: {
    'c/eth0': {
      origin: pod,
      device: 'nlpabc',
      ifindex: 9,
      mac: '02:00:00:00:00:02',
      addresses: ['10.244.1.9'],
      subnet: 's',
      mode: 'overlay' as const,
    },
  },
};

it('is there while any decision has its rule', async () => {
  const { counters, apply, engine } = fresh();
  await apply({
    policyDecisions: {
      '7/0': decided('deny', 'a'),
      '7/16': decided('allow', 'b'),
      '8/16': decided('allow', 'b'),
    },
  });
  const both = [counterOf('deny', 'a'), counterOf('allow', 'b')].sort();
  expect(await counters()).toEqual(both);
  await apply({}, { policyDecisions: ['7/16'] });
  expect(await counters()).toEqual(both);
  await apply({ policyDecisions: { '8/16': decided('allow', 'c') } });
  expect(await counters()).toEqual([counterOf('deny', 'a'), counterOf('allow', 'c')].sort());
  expect((await engine.resync()).operations).toEqual([]);
});

it('goes on under the same name in a successor', async () => {
  const { nft, apply, counters } = fresh();
  const put = { policyDecisions: { '7/0': decided('allow', 'a') } };
  await apply(put);
  const successor = createNftablesEngine({}, { nft, conntrack: createFakeConntrack() });
  expect(await successor.apply({ generation: 1, replace: true, put, remove: {} })).toMatchObject({
    operations: [],
  });
  expect(await counters()).toEqual([counterOf('allow', 'a')]);
});

it('tells verdicts, directions and rules apart, and what no rule decides from all of them', () => {
  const origin = rule('a');
  const names = [
    ruleCounter('egress', { verdict: 'allow', origin }),
    ruleCounter('egress', { verdict: 'audit', origin }),
    ruleCounter('ingress', { verdict: 'allow', origin }),
    ruleCounter(undefined, { verdict: 'allow', origin }),
    ruleCounter('egress', { verdict: 'allow', origin: rule('b') }),
    ruleCounter('egress', { verdict: 'allow', origin: { ...origin, rule: 'spec.egress[1]' } }),
    ruleCounter('egress', { verdict: 'allow' }),
  ].map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

it('something to be told of changes the chains of every class in the transaction that brings it, and back', async () => {
  const { nft, apply, engine } = fresh();
  await apply({ ...restricted, policyDecisions: { '7/0': decided('allow', 'a') } });
  const chains = async () => [...(await nft.read())!.chains.keys()];
  const leads = async () => [...(await nft.readElements('egressClasses4')).values()];
  expect(await chains()).not.toContain('policyAllow');
  const before = nft.transactions.length;
  await apply({ policyDecisions: { '9/16': decided('audit', 'b') } });
  expect(nft.transactions).toHaveLength(before + 1);
  expect(await leads()).toEqual(['goto policyEgress7Audit']);
  expect(await chains()).toContain('policyAllow');
  await apply({}, { policyDecisions: ['9/16'] });
  expect(nft.transactions).toHaveLength(before + 2);
  expect(await leads()).toEqual(['goto policyEgress7']);
  expect(await chains()).not.toContain('policyAllow');
  expect(await chains()).not.toContain('policyEgress7Audit');
  expect((await engine.resync()).operations).toEqual([]);
});
