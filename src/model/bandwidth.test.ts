/** Quantities and QoSPolicies: what is accepted, and that each refusal names object, field and reason. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { QoSPolicy } from '#api/kinds/qospolicy.ts';
import { readQoSPolicy } from './qospolicy.ts';
import { readQuantity } from './quantity.ts';

describe('readQuantity', () => {
  test.each<[string, bigint | undefined]>([
    ['0', 0n],
    ['1000', 1000n],
    ['1k', 1000n],
    ['10M', 10_000_000n],
    ['1.5Gi', 1_610_612_736n],
    ['.5k', 500n],
    ['5.', 5n],
    ['1e6', 1_000_000n],
    ['12E', 12n * 10n ** 18n],
    ['1E3', 1000n],
    ['100m', 1n],
    ['1001m', 2n],
    ['-1k', -1000n],
    ['', undefined],
    ['.', undefined],
    ['10 M', undefined],
    ['10Mbit', undefined],
    ['1K', undefined],
    ['NaN', undefined],
    ['1e', undefined],
    ['0x10', undefined],
    [`1${'0'.repeat(70)}`, undefined],
  ])('%s', (text, value) => {
    expect(readQuantity(text)).toBe(value);
  });

  test('reads any whole number back as it is', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 10n ** 30n), (n) => {
        expect(readQuantity(String(n))).toBe(n);
      }),
    );
  });
});

const policy = (spec: QoSPolicy['spec']): QoSPolicy => ({
  apiVersion: 'netloom.dev/v1alpha1',
  kind: 'QoSPolicy',
  metadata: { namespace: 'shop', name: 'q' },
  spec,
});

describe('readQoSPolicy', () => {
  test('rates and bursts in bits; priority 0 when none is given', () => {
    expect(
      readQoSPolicy(policy({ podSelector: {}, ingress: { rate: '1.5M', burst: '8Mi' } })).value,
    ).toMatchObject({
      namespace: 'shop',
      priority: 0,
      ingress: { bitsPerSecond: 1_500_000, burstBits: 8_388_608 },
    });
  });

  test.each<[Omit<QoSPolicy['spec'], 'podSelector'>, string, string, string]>([
    [{}, 'spec', 'Required', 'limits nothing'],
    [{ ingress: { rate: 'fast' } }, 'spec.ingress.rate', 'InvalidRate', 'is no quantity'],
    [{ ingress: { rate: '2P' } }, 'spec.ingress.rate', 'InvalidRate', 'too large'],
    [{ egress: { rate: '-1M' } }, 'spec.egress.rate', 'InvalidRate', 'too small'],
    [{ egress: { rate: '1M', burst: '1T' } }, 'spec.egress.burst', 'InvalidRate', 'too large'],
  ])('%j is refused: %s %s', (spec, field, code, text) => {
    const { value, problems } = readQoSPolicy(policy({ podSelector: {}, ...spec }));
    expect(value).toBeUndefined();
    expect(problems).toMatchObject([
      { object: { kind: 'QoSPolicy', namespace: 'shop', name: 'q' }, field, code },
    ]);
    expect(problems[0]?.message).toContain(text);
  });
});
