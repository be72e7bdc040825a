import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#api/object.ts';
import { readL2Advertisement } from './l2advertisement.ts';

const advertisement = (spec?: Record<string, unknown>): KubeObject => ({
  apiVersion: 'metallb.io/v1beta1',
  kind: 'L2Advertisement',
  metadata: { namespace: 'metallb-system', name: 'lan', creationTimestamp: '2026-01-01T00:00:00Z' },
  ...(spec === undefined ? {} : { spec }),
});
const zone = { matchLabels: { zone: 'a' } };

describe('readL2Advertisement', () => {
  it('reads every field', () => {
    const { value, problems } = readL2Advertisement(
      advertisement({
        ipAddressPools: ['one', 'two'],
        ipAddressPoolSelectors: [{ matchLabels: { use: 'web' } }],
        nodeSelectors: [zone],
        serviceSelectors: [{}],
        preferredNodeSelectors: [{ weight: 7, preference: zone }],
        interfaces: ['eth0', 'bond0.100'],
      }),
    );
    expect(problems).toEqual([]);
    expect(value).toEqual({
      origin: { kind: 'L2Advertisement', namespace: 'metallb-system', name: 'lan' },
      name: 'lan',
      created: '2026-01-01T00:00:00Z',
      pools: ['one', 'two'],
      poolSelectors: [{ matchLabels: { use: 'web' } }],
      nodeSelectors: [zone],
      serviceSelectors: [{}],
      preferences: [{ weight: 7, selector: zone }],
      interfaces: ['eth0', 'bond0.100'],
    });
  });

  it('takes everything when it says nothing', () => {
    const { value, problems } = readL2Advertisement(advertisement());
    expect(problems).toEqual([]);
    expect(value).toMatchObject({
      pools: [],
      poolSelectors: [],
      nodeSelectors: [],
      serviceSelectors: [],
      interfaces: [],
      preferences: [],
    });
  });

  it.each<[string, Record<string, unknown>, string, boolean]>([
    [
      'a selector that is none',
      { nodeSelectors: [{ matchExpressions: [{ key: 'a', operator: 'Near' }] }] },
      'spec.nodeSelectors[0].matchExpressions[0].operator',
      false,
    ],
    [
      'only names that no interface has',
      { interfaces: ['a name of more than 15 bytes'] },
      'spec.interfaces[0]',
      false,
    ],
    ['one bad interface of two', { interfaces: ['a/b', 'eth0'] }, 'spec.interfaces[0]', true],
    [
      'a weight out of range',
      { preferredNodeSelectors: [{ weight: 101, preference: zone }] },
      'spec.preferredNodeSelectors[0].weight',
      true,
    ],
    [
      'a preference that is no selector',
      { preferredNodeSelectors: [{ weight: 1, preference: 'a' }] },
      'spec.preferredNodeSelectors[0].preference',
      true,
    ],
  ])('refuses %s by its field', (_, spec, field, isUsable) => {
    const { value, problems } = readL2Advertisement(advertisement(spec));
    expect(problems.map((problem) => problem.field)).toEqual([field]);
    expect(value !== undefined).toBe(isUsable);
  });
});
