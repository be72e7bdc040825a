/** Counters of rules as metrics: what the kernel counts anew goes on, and what is out of force goes. */
import { expect, it } from 'vitest';
import type { RuleCount } from '#engines/nftables/rule-counters.ts';
import { ruleCounter } from '#engines/nftables/rule-counters.ts';
import { createLog } from '#telemetry/log.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { createPolicyCounts } from './policy-counts.ts';

const web = { kind: 'NetworkPolicy', namespace: 'shop', name: 'web' };
const rule = (connections: number, part: Partial<RuleCount> = {}): RuleCount => ({
  ...ruleCounter('ingress', { verdict: 'allow', origin: { ...web, rule: 'spec.ingress[0]' } }),
  connections,
  ...part,
});
const isolated = (connections: number): RuleCount => ({
  ...ruleCounter('ingress', { verdict: 'deny', origin: web }),
  connections,
});
const line = (rule: string, verdict: string, count: number) =>
  `netloom_policy_rule_connections_total{policy="NetworkPolicy shop/web",rule="${rule}",direction="ingress",verdict="${verdict}"} ${count}`;

it('counts on where the kernel begins anew, and forgets what is no more in force', async () => {
  let counts: RuleCount[] = [];
  const metrics = createRegistry();
  const policyCounts = createPolicyCounts({
    read: async () => counts,
    log: createLog({ write: () => {} }),
    metrics,
  });
  counts = [rule(7), isolated(0)];
  expect(await policyCounts.now()).toEqual([
    { policy: { ...web, rule: 'spec.ingress[0]' }, direction: 'ingress', verdict: 'allow', connections: 7 },
    { policy: web, direction: 'ingress', verdict: 'deny', connections: 0 },
  ]);
  expect(metrics.text()).toContain(line('spec.ingress[0]', 'allow', 7));
  expect(metrics.text()).toContain(line('', 'deny', 0));
  counts = [rule(2), isolated(5)];
  expect((await policyCounts.now())[0]).toMatchObject({ verdict: 'deny', connections: 5 });
  expect(metrics.text()).toContain(line('spec.ingress[0]', 'allow', 9));
  counts = [isolated(5)];
  await policyCounts.now();
  expect(metrics.text()).not.toContain('spec.ingress[0]');
});
