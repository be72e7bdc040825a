/** Which regular expressions are let through: all of those compile, and those that could do harm are refused with a reason. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { regexInScript, regexPart, regexProblem } from './regex.ts';

describe('regexProblem', () => {
  test.each([
    '/api/v[0-9]+/.*',
    '(?i)gold|silver',
    '^/(?:a|b)/(?<id>\\d+)/?$',
    '[^/]+\\.(png|jpe?g)',
    'a{2,4}?b{3}c{1,}',
    '(?P<x>a)(?i:b)',
    '[\\w.-]+@[a-z\\x41-\\x5a]*',
    '\\bfoo\\B\\{\\}',
    'a|',
    ']}',
  ])('takes %s', (text) => {
    expect(regexProblem(text)).toBeUndefined();
    expect(() => regexInScript(text)).not.toThrow();
  });

  test.each([
    ['', 'empty'],
    ['(a', 'nothing closes'],
    ['a)', 'nothing opens'],
    ['[a', 'nothing closes'],
    ['[]a]', 'empty class'],
    ['*a', 'repeats nothing'],
    ['a**', 'repeats a repetition'],
    ['a++', 'repeats a repetition'],
    ['^*', 'no length'],
    ['a{3,2}', 'no repetition'],
    ['a{2000}', 'no repetition'],
    ['a{x}', 'no repetition'],
    ['((a{100}){100}){100}', 'too large'],
    ['(a)\\1', "isn't allowed"],
    ['(?<x>a)\\k<x>', "isn't allowed"],
    ['(?<x>a)(?<x>b)', 'two groups'],
    ['(?=a)', "isn't allowed"],
    ['(?<!a)', "isn't allowed"],
    ['(?>a)', "isn't allowed"],
    ['(?R)', "isn't allowed"],
    ['(?1)', "isn't allowed"],
    ['(?C1)', "isn't allowed"],
    ['(?{print 1})', "isn't allowed"],
    ['(?x)a #', "isn't allowed"],
    ['(?#a)', "isn't allowed"],
    ['(*COMMIT)a', "isn't allowed"],
    ['(*LIMIT_MATCH=100000000)a', "isn't allowed"],
    ['\\Qa', "isn't allowed"],
    ['\\C', "isn't allowed"],
    ['\\p{L}', "isn't allowed"],
    ['\\', 'ends with'],
    ['[[:alpha:]]', 'POSIX'],
    ['[z-a]', 'range'],
    ['[a-\\d]', 'range'],
    ['ä', 'ASCII'],
    ['a\nb', 'ASCII'],
    ['a\0b', 'ASCII'],
    ['('.repeat(60) + ')'.repeat(60), 'levels'],
    ['a'.repeat(1025), 'longer'],
  ])('refuses %j', (text, reason) => {
    expect(regexProblem(text)).toContain(reason);
  });

  test('whatever it takes compiles', () => {
    const pieces = [
      'a',
      'b',
      '.',
      '(',
      ')',
      '(?:',
      '(?i:',
      '[',
      ']',
      '^',
      '$',
      '|',
      '*',
      '+',
      '?',
      '{2}',
      '{1,3}',
      '\\d',
    ];
    const more = ['\\', '-', '{', '}', '(?', '<x>', ':', '\\b', '[^', '\\1', '(?=', ','];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces, ...more), { maxLength: 14 }), (parts) => {
        const text = parts.join('');
        if (regexProblem(text) === undefined) expect(() => regexInScript(text)).not.toThrow();
      }),
      { numRuns: 10_000 },
    );
  });
});

test.each([
  ['(?i)go(?P<x>l+)d', 'GOLLD', true],
  ['(?i)gold', 'golds', false],
  ['(?s)a.b', 'a\nb', true],
  ['a|b', 'ab', false],
  ['[(?P<]+\\(?P<', '(?P<P<', true],
  ['v(?i:x)', 'vX', true],
  ['v(?i:x)', 'VX', false],
])('%s on %j: %s', (text, subject, wanted) => {
  expect(regexProblem(text)).toBeUndefined();
  expect(regexInScript(text).test(subject)).toBe(wanted);
});

test.each([
  ['shop', '(?:shop)'],
  ['^shop$', '(?:shop)'],
  ['^a|b$', '(?:a|b)'],
  ['^(a|b)$', '(?:(a|b))'],
  ['(?i)^shop\\.(?P<x>.*)$', '(?i:shop\\.(?:.*))'],
  ['a\\$', '(?:a\\$)'],
  ['[|^(]$', '(?:[|^(])'],
])('%s is %s in a larger one', (text, part) => {
  expect(regexPart(text)).toBe(part);
  expect(regexProblem(part)).toBeUndefined();
});
