/**
 * Which regular expressions of tenants are let through to the engine (PCRE2, with limits on matching): those that it compiles, and that
 * can be written for JavaScript, too. It knows a part of the syntax, and refuses what it doesn't know.
 */

/** How long an expression may be, and how large once its repetitions are written out; how often it may repeat, and nest. */
const limits = { length: 1024, size: 4000, repeats: 1000, depth: 40 } as const;

/** A sentence about what is wrong; undefined: it can be used. */
export function regexProblem(text: string): string | undefined {
  if (text === '') return 'is empty';
  if (text.length > limits.length) return `is longer than ${limits.length} characters`;
  if (!/^[ -~]*$/.test(text)) return 'has characters other than printable ASCII';
  const state: State = { text, at: 0, names: new Set() };
  try {
    const size = alternatives(state, 0);
    if (state.at < text.length) return `has a ) at ${state.at + 1} that nothing opens`;
    return size > limits.size ? 'is too large with all of its repetitions' : undefined;
  } catch (error) {
    if (error instanceof Unusable) return error.message;
    throw error;
  }
}

/** For JavaScript, what `regexProblem` lets through: all of a text must match. */
export function regexInScript(text: string): RegExp {
  const { pattern, flags } = inScript(text);
  return new RegExp(`^(?:${pattern})$`, flags.join(''));
}

/** The same, where it is enough that a text begins with it, in whatever letters. */
export function regexBeginning(text: string): RegExp {
  const { pattern, flags } = inScript(text);
  return new RegExp(`^(?:${pattern})`, [...new Set([...flags, 'i'])].join(''));
}

function inScript(text: string): { readonly pattern: string; readonly flags: readonly string[] } {
  const flags = /^\(\?([is]+)\)/.exec(text)?.[1] ?? '';
  const rest = flags === '' ? text : text.slice(flags.length + 3);
  // Only groups are written otherwise; what looks like one behind a backslash or in a class is none.
  const named = rest.replaceAll(/\\.|\[(?:\\.|[^\]\\])*\]|\(\?P</g, (part) =>
    part === '(?P<' ? '(?<' : part,
  );
  return { pattern: named, flags: [...new Set(flags)] };
}

/** As a part of a larger one, which all of the part's text must match: its settings stay its own, and its ends are no ends of text. */
export function regexPart(text: string): string {
  const [, flags = '', rest = text] = /^\(\?([is]+)\)(.*)$/.exec(text) ?? [];
  const branches: string[][] = [[]];
  let depth = 0;
  // Names of groups are of no use, and another part may have the same.
  for (const [token] of rest.matchAll(/\\.|\[(?:\\.|[^\]\\])*\]|\(\?P?<\w+>|./g)) {
    if (token.startsWith('(')) depth += 1;
    else if (token === ')') depth -= 1;
    if (token === '|' && depth === 0) branches.push([]);
    else branches.at(-1)?.push(token.startsWith('(?') && token.endsWith('>') ? '(?:' : token);
  }
  const parts = branches.map((tokens) => {
    const from = tokens[0] === '^' ? 1 : 0;
    return tokens.slice(from, tokens.at(-1) === '$' ? -1 : undefined).join('');
  });
  return `(?${flags}:${parts.join('|')})`;
}

type State = { readonly text: string; at: number; readonly names: Set<string> };

class Unusable extends Error {}

/** Until the group's `)` or the end. All of these give the size. */
function alternatives(state: State, depth: number): number {
  if (depth > limits.depth) throw new Unusable(`has groups in more than ${limits.depth} levels`);
  let size = 1;
  while (state.at < state.text.length && state.text[state.at] !== ')') {
    if (state.text[state.at] === '|') {
      state.at += 1;
      size += 1;
    } else size += repeated(state, depth);
    if (size > limits.size) throw new Unusable('is too large with all of its repetitions');
  }
  return size;
}

function repeated(state: State, depth: number): number {
  const start = state.at;
  const { size, fixed } = atom(state, depth);
  const next = state.text[state.at];
  if (next !== '*' && next !== '+' && next !== '?' && next !== '{') return size;
  const rest = state.text.slice(state.at, state.at + 12);
  const counted = /^\{(\d{1,4})(?:(,)(\d{1,4})?)?\}/.exec(rest);
  const [quantifier] = counted ?? /^[*+?]/.exec(rest) ?? [''];
  if (quantifier === '') return size;
  if (fixed) throw new Unusable(`repeats what has no length at ${start + 1}`);
  state.at += quantifier.length;
  if (state.text[state.at] === '?') state.at += 1;
  if (/[*+?{]/.test(state.text[state.at] ?? ''))
    throw new Unusable(`repeats a repetition at ${state.at + 1}`);
  if (counted === null) return size + 1;
  const [, least = '0', , most = least] = counted;
  if (Number(most) > limits.repeats || Number(least) > Number(most))
    throw new Unusable(
      `${quantifier} is no repetition from a lower to a higher number up to ${limits.repeats}`,
    );
  return size * Math.max(1, Number(most));
}

type Atom = {
  readonly size: number;
  /** It takes no characters: it can't be repeated. */
  readonly fixed?: true;
};

function atom(state: State, depth: number): Atom {
  const char = state.text[state.at] as string;
  switch (char) {
    case '(':
      return group(state, depth);
    case '[':
      return { size: charClass(state) };
    case '\\':
      return escaped(state, false);
    case '^':
    case '$':
      state.at += 1;
      return { size: 1, fixed: true };
    case '*':
    case '+':
    case '?':
      throw new Unusable(`repeats nothing at ${state.at + 1}`);
    case '{':
      throw new Unusable(`has a { at ${state.at + 1} that is no repetition; write \\{`);
    default:
      state.at += 1;
      return { size: 1 };
  }
}

/** Plain ones, those that aren't captured, those with a name; flags i and s for the group. */
function group(state: State, depth: number): Atom {
  const { text, at: start } = state;
  const [opening, flags, name] = /^\((?:\?(?:([is]*):|P?<([A-Za-z_]\w{0,31})>))?/.exec(text.slice(start)) ?? [
    '(',
  ];
  const next = text[start + opening.length];
  if (opening === '(' && (next === '?' || next === '*')) {
    const setting = /^\(\?[is]+\)/.exec(text.slice(start));
    // A setting at the very beginning is for all of it, wherever the whole is put as a group.
    if (setting !== null && start === 0) {
      state.at += setting[0].length;
      return { size: 1, fixed: true };
    }
    throw new Unusable(
      `has a group at ${start + 1} of a kind that isn't allowed (lookaround, recursion and the like)`,
    );
  }
  if (flags !== undefined && new Set(flags).size !== flags.length) throw new Unusable('has a flag twice');
  if (name !== undefined && state.names.has(name)) throw new Unusable(`has two groups called ${name}`);
  if (name !== undefined) state.names.add(name);
  state.at += opening.length;
  const size = alternatives(state, depth + 1);
  if (text[state.at] !== ')') throw new Unusable(`has a ( at ${start + 1} that nothing closes`);
  state.at += 1;
  return { size: size + 2 };
}

function charClass(state: State): number {
  const { text, at: start } = state;
  state.at += text[start + 1] === '^' ? 2 : 1;
  let members = 0;
  for (;;) {
    const char = text[state.at];
    if (char === undefined) throw new Unusable(`has a [ at ${start + 1} that nothing closes`);
    // Right behind the opening a ] is a member; that is easily meant otherwise.
    if (char === ']' && members === 0) throw new Unusable(`has an empty class at ${start + 1}`);
    if (char === ']') break;
    const from = member(state);
    if (text[state.at] === '-' && text[state.at + 1] !== ']' && text[state.at + 1] !== undefined) {
      state.at += 1;
      const to = member(state);
      if (from === undefined || to === undefined || from > to)
        throw new Unusable(`has a range at ${state.at + 1} that is none`);
    }
    members += 1;
  }
  state.at += 1;
  return 4;
}

/** Its code; undefined for a class within the class. */
function member(state: State): number | undefined {
  const { text } = state;
  const char = text[state.at] as string;
  if (char === '[' && /[:.=]/.test(text[state.at + 1] ?? ''))
    throw new Unusable(`has a class of POSIX at ${state.at + 1}; write it out`);
  if (char === '\\') return escaped(state, true).code;
  state.at += 1;
  return char.charCodeAt(0);
}

const controls: Readonly<Record<string, number>> = { t: 9, n: 10, r: 13, f: 12 };

function escaped(state: State, inClass: boolean): Atom & { readonly code?: number } {
  const rest = state.text.slice(state.at + 1, state.at + 4);
  const char = rest[0];
  if (char === undefined) throw new Unusable('ends with a \\');
  const hex = /^x([0-9a-fA-F]{2})/.exec(rest);
  state.at += hex === null ? 2 : 4;
  if (hex !== null) return { size: 1, code: Number.parseInt(hex[1] as string, 16) };
  if (/[^A-Za-z0-9]/.test(char)) return { size: 1, code: char.charCodeAt(0) };
  const control = controls[char];
  if (control !== undefined) return { size: 1, code: control };
  if ('dDwWsS'.includes(char)) return { size: 1 };
  if (!inClass && 'bB'.includes(char)) return { size: 1, fixed: true };
  throw new Unusable(`has \\${char}, which isn't allowed`);
}
