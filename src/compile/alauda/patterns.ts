/** Regular expressions as ALB means them (found anywhere in a text) as ours (all of the text must match). */
import { regexProblem } from '#model/gateway/regex.ts';

/** A text that stands for itself. */
export function literally(text: string): string {
  return text.replace(/[^A-Za-z0-9_/]/g, String.raw`\$&`);
}

export type Pattern = {
  /** Of each alternative: it begins with `^`, it ends with `$`. Without them. */
  readonly branches: readonly { readonly text: string; readonly begins: boolean; readonly ends: boolean }[];
  /** Settings in front of it (`i`, `s`). */
  readonly flags: string;
  /** How many groups it captures. */
  readonly groups: number;
};

/** Of an expression that the model lets through. */
export function patternOf(expression: string): Pattern {
  const [, flags = '', rest = expression] = /^\(\?([is]+)\)(.*)$/.exec(expression) ?? [];
  const branches: string[][] = [[]];
  let depth = 0;
  let groups = 0;
  for (const [token] of rest.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|\(\?P?<\w+>|\(\?[is]*:|./g)) {
    if (token.startsWith('(')) depth += 1;
    else if (token === ')') depth -= 1;
    if (token === '(' || token.endsWith('>')) groups += 1;
    if (token === '|' && depth === 0) branches.push([]);
    // Names of groups are of no use, and the whole may have two of one name.
    else branches.at(-1)?.push(token.startsWith('(?') && token.endsWith('>') ? '(' : token);
  }
  return {
    flags,
    groups,
    branches: branches.map((tokens) => {
      const begins = tokens[0] === '^';
      const ends = tokens.at(-1) === '$' && tokens.length > (begins ? 1 : 0);
      return { text: tokens.slice(begins ? 1 : 0, ends ? -1 : undefined).join(''), begins, ends };
    }),
  };
}

/** What matches a text in which `expression` is found. */
export function foundIn(expression: string): string {
  const { flags, branches } = patternOf(expression);
  const parts = branches.map(({ text, begins, ends }) => `${begins ? '' : '.*'}${text}${ends ? '' : '.*'}`);
  const whole = parts.length === 1 ? (parts[0] ?? '') : `(?:${parts.join('|')})`;
  return flags === '' ? whole : `(?${flags}:${whole})`;
}

/** Any of several; undefined: the engine doesn't take it. */
export function anyOf(patterns: readonly string[], settings = ''): string | undefined {
  const joined = patterns.length === 1 ? (patterns[0] ?? '') : `(?:${patterns.join('|')})`;
  const pattern = settings === '' ? joined : `(?${settings})${joined}`;
  return regexProblem(pattern) === undefined ? pattern : undefined;
}
