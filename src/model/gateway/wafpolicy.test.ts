/** What is read of a WAFPolicy, and what becomes of what can't be read. */
import { describe, expect, it } from 'vitest';
import { readWAFPolicy } from './wafpolicy.ts';

const read = (spec: object) =>
  readWAFPolicy({
    apiVersion: 'netloom.dev/v1alpha1',
    kind: 'WAFPolicy',
    metadata: { namespace: 'shop', name: 'web' },
    spec,
  });
const targetRefs = [
  { group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', name: 'web', sectionName: 'one' },
];

describe('a WAFPolicy', () => {
  it('is read whole', () => {
    const { value, problems } = read({
      targetRefs,
      enforced: true,
      mode: 'Block',
      paranoia: 2,
      threshold: 10,
      exclusions: [{ rules: ['942100', '941000-941999'], target: 'ARGS:comment' }, { tags: ['attack-rce'] }],
      configMapRefs: [{ name: 'own' }],
    });
    expect(problems).toEqual([]);
    expect(value).toMatchObject({
      key: 'shop/web',
      enforced: true,
      targets: [{ kind: 'HTTPRoute', name: 'web', section: 'one' }],
      settings: {
        mode: 'block',
        paranoia: 2,
        threshold: 10,
        exclusions: [
          { rules: ['942100', '941000-941999'], target: 'ARGS:comment' },
          { tags: ['attack-rce'] },
        ],
        rules: ['own'],
      },
    });
    expect(value?.refused).toBeUndefined();
  });

  it.each([
    ['mode', { mode: 'off' }, true],
    ['paranoia', { paranoia: 5 }, true],
    ['threshold', { threshold: 0 }, true],
    ['configMapRefs', { configMapRefs: [{ name: '../etc' }] }, true],
    ['exclusions', { exclusions: [{ rules: ['1; SecRuleEngine Off'] }] }, undefined],
    ['exclusions', { exclusions: [{ tags: ['a"\nSecRuleEngine Off'] }] }, undefined],
    ['exclusions', { exclusions: [{ rules: ['942100'], target: 'TX:anomaly_score' }] }, undefined],
    ['exclusions', { exclusions: [{}] }, undefined],
    ['exclusions', { exclusions: [{ rules: ['949110'] }] }, undefined],
    ['exclusions', { exclusions: [{ rules: ['901000-901999'] }] }, undefined],
  ])('%s that can not be used: said, and never an open door', (field, spec, protects) => {
    const { value, problems } = read({ targetRefs, ...spec });
    expect(problems.map(({ field }) => field).join()).toContain(`spec.${field}`);
    expect(value?.refused?.[0]?.protects).toBe(protects);
    expect(value?.settings).toEqual({});
  });
});
