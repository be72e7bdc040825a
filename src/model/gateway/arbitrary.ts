/** For tests: objects that somebody bends until they break, or until they do harm. */
import fc from 'fast-check';
import type { KubeObject } from '#api/object.ts';

/** The object with up to five places in it replaced, taken out or added to; of another kind it never is. */
export function hostile({ apiVersion, kind, ...rest }: KubeObject): fc.Arbitrary<KubeObject> {
  return fc.array(mutation, { maxLength: 5 }).map((mutations) => {
    const changed = mutations.reduce<unknown>(
      (now, [steps, value, how]) => mutated(now, steps, value, how),
      rest,
    );
    const body = typeof changed === 'object' && changed !== null ? changed : {};
    return { metadata: { name: 'x' }, ...body, apiVersion, kind };
  });
}

const nasty = fc.oneof(
  fc.constantFrom(
    null,
    '',
    '\r\nX-Evil: 1',
    'a\nb',
    'a\0b',
    '\u2028',
    '$host',
    '; rm',
    '/../..',
    '*.*',
    '*',
    '%0d%0a',
    '__proto__',
    'constructor',
    '\ud800',
    '(?R)',
    '(a+)+$',
    'RegularExpression',
    'All',
    'Selector',
    '0s',
    '99999h99999h',
    -1,
    0,
    1e308,
    Number.NaN,
    2 ** 53,
    true,
    [],
    {},
  ),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.jsonValue({ maxDepth: 2 }),
);

/** The object with one place in it replaced, taken out or added to. */
function mutated(
  value: unknown,
  [step, ...rest]: readonly number[],
  replacement: unknown,
  how: number,
): unknown {
  if (typeof value !== 'object' || value === null || step === undefined) return replacement;
  if (Array.isArray(value)) {
    if (how === 2 && rest.length === 0) return [...value, replacement];
    if (value.length === 0) return [replacement];
    const at = step % value.length;
    return value.map((each: unknown, index) => (index === at ? mutated(each, rest, replacement, how) : each));
  }
  const entries = Object.entries(value);
  if (entries.length === 0) return replacement;
  const at = step % entries.length;
  if (rest.length === 0 && how === 1) return Object.fromEntries(entries.filter((_, index) => index !== at));
  return Object.fromEntries(
    entries.map(([key, each], index) => [key, index === at ? mutated(each, rest, replacement, how) : each]),
  );
}

const mutation = fc.tuple(fc.array(fc.nat(9), { minLength: 1, maxLength: 12 }), nasty, fc.nat(2));
