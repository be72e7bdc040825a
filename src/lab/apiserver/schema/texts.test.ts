/** Regular expressions and quantities: what other implementations read the same way. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalQuantity, formatQuantity, parseQuantity } from './quantity.ts';
import { compileRe2 } from './regex.ts';

describe('RE2', () => {
  const matches = (pattern: string, text: string) => {
    const compiled = compileRe2(pattern);
    return 'problem' in compiled ? compiled.problem : compiled.value.test(text);
  };

  it.each<[string, string, boolean]>([
    ['^[[:alpha:]]+$', 'abc', true],
    ['^[^[:digit:]x]$', 'x', false],
    ['(?i)^ABC$', 'abc', true],
    ['^(?i:A)b$', 'aB', false],
    ['\\Aa\\z', 'a\n', false],
    ['^\\s$', '\v', false],
    ['^\\S+$', 'ab', true],
    ['^\\pL+$', 'é', true],
    ['^\\p{Greek}$', 'α', true],
    ['\\Qa.b\\E', 'axb', false],
    ['(?P<year>\\d{4})', '2026', true],
    ['^[\\w-]+$', 'a-b', true],
    ['^[a-z-]$', '-', true],
    ['^[]a]+$', ']a', true],
    ['^a{,2}$', 'a{,2}', true],
    ['^\\x{1F642}$', '🙂', true],
    ['^.$', '🙂', true],
    ["^[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2}$", '%2F', true],
  ])('%s on %j: %s', (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  it.each([
    '(?=a)',
    '(?!a)',
    '(?<=a)',
    '(a)\\1',
    '(?>a)',
    'a**',
    '[b-a]',
    '(',
    '[a',
    '\\',
    '\\y',
    '[[:nothing:]]',
  ])('refuses %s', (pattern) => {
    expect(compileRe2(pattern)).toHaveProperty('problem');
  });
});

describe('quantities', () => {
  it.each<[string | number, string | undefined]>([
    ['1000m', '1'],
    ['1.5', '1500m'],
    ['1024Ki', '1Mi'],
    ['1.5Gi', '1536Mi'],
    ['1000', '1k'],
    ['123456', '123456'],
    ['1e3', '1e3'],
    ['0.5Ki', '512'],
    ['-1', '-1'],
    ['0', '0'],
    [2, '2'],
    [0.1, '100m'],
    ['1.', '1'],
    ['.5', '500m'],
    ['1x', undefined],
    ['', undefined],
    ['1 Gi', undefined],
    ['Ki', undefined],
  ])('%s is %s', (given, expected) => {
    expect(canonicalQuantity(given)).toBe(expected);
  });

  it('keep their value in canonical form', () => {
    const suffix = fc.constantFrom('', 'm', 'u', 'n', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e2');
    fc.assert(
      fc.property(
        fc.integer({ min: -100_000, max: 100_000 }),
        fc.nat(999),
        suffix,
        (whole, fraction, unit) => {
          const quantity = parseQuantity(`${whole}.${fraction}${unit}`)!;
          const again = parseQuantity(formatQuantity(quantity))!;
          expect(again.nanos).toBe(quantity.nanos);
          expect(formatQuantity(again)).toBe(formatQuantity(quantity));
        },
      ),
    );
  });
});
