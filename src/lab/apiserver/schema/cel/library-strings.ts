/** The regex library and the extended strings library of CEL, with RE2 expressions. */
import type { Environment } from '@marcbachmann/cel-js';
import { compileRe2 } from '../regex.ts';
import { define, defineNamespace, fail } from './functions.ts';

/** What `matches` is renamed to before checking: cel-js would hand the expression to JavaScript as it is. */
export const re2Matches = 'matchesRe2';

/** find, findAll, matches; charAt, replace, format, strings.quote; conversions that cel-js lacks. */
export function addStrings(environment: Environment): void {
  define(environment, `string.${re2Matches}(string): bool`, matches);
  define(environment, 'matches(string, string): bool', matches);
  define(
    environment,
    'string.find(string): string',
    (text: string, pattern: string) => re2(pattern).exec(text)?.[0] ?? '',
  );
  define(environment, 'string.findAll(string): list<string>', (text: string, pattern: string) =>
    findAll(text, pattern, -1n),
  );
  define(environment, 'string.findAll(string, int): list<string>', findAll);

  define(environment, 'string.charAt(int): string', (text: string, at: bigint) => {
    const points = Array.from(text);
    if (at < 0n || at > points.length) return fail(`index out of range: ${at}`);
    return points[Number(at)] ?? '';
  });
  define(environment, 'string.replace(string, string): string', (text: string, old: string, now: string) =>
    text.replaceAll(old, () => now),
  );
  define(environment, 'string.replace(string, string, int): string', replaceSome);
  define(environment, 'string.format(list<dyn>): string', formatText);
  defineNamespace(environment, 'strings', {
    'quote(string): string': (text: string) => JSON.stringify(text),
  });

  define(environment, 'string(google.protobuf.Timestamp): string', (at: Date) =>
    at.toISOString().replace('.000Z', 'Z'),
  );
  define(environment, 'string(google.protobuf.Duration): string', (each: { toString(): string }) =>
    each.toString(),
  );
  define(environment, 'int(google.protobuf.Timestamp): int', (at: Date) =>
    BigInt(Math.floor(at.getTime() / 1000)),
  );
  define(environment, 'timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp', (at: Date) => at);
  define(environment, 'duration(google.protobuf.Duration): google.protobuf.Duration', (each: object) => each);
}

function matches(text: string, pattern: string): boolean {
  return re2(pattern).test(text);
}

function re2(pattern: string): RegExp {
  const compiled = compileRe2(pattern);
  return 'problem' in compiled
    ? fail(`invalid regular expression ${pattern}: ${compiled.problem}`)
    : compiled.value;
}

function findAll(text: string, pattern: string, limit: bigint): readonly string[] {
  const expression = re2(pattern);
  const all = Array.from(
    text.matchAll(new RegExp(expression.source, `${expression.flags}g`)),
    (each) => each[0],
  );
  return limit < 0n ? all : all.slice(0, Number(limit));
}

function replaceSome(text: string, old: string, now: string, limit: bigint): string {
  if (limit < 0n) return text.replaceAll(old, () => now);
  let left = limit;
  return text.replaceAll(old, (found) => (left-- > 0n ? now : found));
}

/** `"%s is %d".format([…])`: %s %d %f %e %b %x %X %o %%, with a precision for %f and %e. */
function formatText(text: string, values: readonly unknown[]): string {
  let next = 0;
  const out = text.replaceAll(
    /%(?:\.(\d+))?([a-zA-Z%])/g,
    (_, precision: string | undefined, verb: string) => {
      if (verb === '%') return '%';
      if (next >= values.length) return fail(`index ${next} out of range`);
      return formatOne(verb, values[next++], precision === undefined ? 6 : Number(precision));
    },
  );
  return out;
}

function formatOne(verb: string, value: unknown, precision: number): string {
  const whole = () => (typeof value === 'bigint' ? value : fail(`%${verb} needs an integer`));
  switch (verb) {
    case 's':
      return shown(value);
    case 'd':
      return String(typeof value === 'number' ? value : whole());
    case 'f':
      return Number(value).toFixed(precision);
    case 'e':
      return Number(value)
        .toExponential(precision)
        .replace(/e([+-])(\d)$/, 'e$10$2');
    case 'b':
      return typeof value === 'boolean' ? String(Number(value)) : whole().toString(2);
    case 'o':
      return whole().toString(8);
    case 'x':
    case 'X': {
      const hex = typeof value === 'string' ? Buffer.from(value).toString('hex') : whole().toString(16);
      return verb === 'X' ? hex.toUpperCase() : hex;
    }
    default:
      return fail(`unrecognized formatting clause "${verb}"`);
  }
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`;
  if (value instanceof Map)
    return `{${[...value].map(([key, each]) => `${shown(key)}: ${shown(each)}`).join(', ')}}`;
  if (value instanceof Date) return value.toISOString().replace('.000Z', 'Z');
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8');
  return typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value);
}
