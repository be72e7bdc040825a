/** Regular expressions of RE2 syntax (what Kubernetes' schemas and CEL use) as JavaScript ones; what can't be told exactly is refused. */

export type Compiled = { readonly value: RegExp } | { readonly problem: string };

const cache = new Map<string, Compiled>();

/**
 * Compiles an RE2 pattern. Look-around, back-references and atomic groups aren't RE2 and are refused; `\A`, `\z`, `\Q…\E`, `\pN`,
 * POSIX classes, `(?P<name>…)`, `(?i)` and the flags s, m, U are translated. Source: RE2's syntax page (google/re2).
 */
export function compileRe2(pattern: string): Compiled {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  const made = compile(pattern);
  if (cache.size > 5000) cache.clear();
  cache.set(pattern, made);
  return made;
}

function compile(pattern: string): Compiled {
  const translated = translate(pattern);
  if ('problem' in translated) return translated;
  try {
    return { value: new RegExp(translated.source, `u${translated.flags}`) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

type Translation = { readonly source: string; readonly flags: string } | { readonly problem: string };

function translate(pattern: string): Translation {
  let source = '';
  let flags = '';
  let closing = 0;
  for (let i = 0; i < pattern.length; ) {
    const rest = pattern.slice(i);
    if (rest.startsWith('\\')) {
      const piece = translateEscape(rest, false);
      if ('problem' in piece) return piece;
      source += piece.source;
      i += piece.length;
    } else if (rest.startsWith('[')) {
      const set = translateClass(rest);
      if ('problem' in set) return set;
      source += set.source;
      i += set.length;
    } else if (rest.startsWith('(?')) {
      const inline = /^\(\?([imsU]+)\)/.exec(rest);
      if (inline !== null) {
        if (inline[1]!.includes('U')) return { problem: 'the flag U (ungreedy) is not supported' };
        if (i === 0) flags = inline[1]!;
        else {
          source += `(?${inline[1]!}:`;
          closing++;
        }
        i += inline[0].length;
        continue;
      }
      const group = /^\(\?(?:P?<([A-Za-z_]\w*)>|([ims]*(?:-[ims]+)?):)/.exec(rest);
      if (group === null) return { problem: `invalid or unsupported Perl syntax: \`${rest.slice(0, 3)}\`` };
      source += group[1] === undefined ? `(?${group[2]}:` : `(?<${group[1]}>`;
      i += group[0].length;
    } else {
      const brace = rest[0] === '{' && !/^\{\d+(?:,\d*)?\}/.test(rest);
      source += brace
        ? '\\{'
        : rest[0] === '}' && !endsQuantifier(pattern, i)
          ? '\\}'
          : rest[0] === ']'
            ? '\\]'
            : rest[0];
      i++;
    }
  }
  if (closing > 0 && source.includes('|')) {
    return { problem: 'flags in the middle of an alternation are not supported; use (?i:…)' };
  }
  return { source: source + ')'.repeat(closing), flags: [...new Set(flags)].join('') };
}

function endsQuantifier(pattern: string, at: number): boolean {
  return /\{\d+(?:,\d*)?\}$/.test(pattern.slice(0, at + 1));
}

type Piece = { readonly source: string; readonly length: number } | { readonly problem: string };

function translateEscape(rest: string, inClass: boolean): Piece {
  const next = rest[1];
  if (next === undefined) return { problem: 'trailing backslash at end of expression' };
  if (/[1-9]/.test(next)) return { problem: `invalid piece sequence: \`\\${next}\`` };
  if (next === 'Q') {
    const end = rest.indexOf('\\E', 2);
    const literal = end === -1 ? rest.slice(2) : rest.slice(2, end);
    return {
      source: literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'),
      length: end === -1 ? rest.length : end + 2,
    };
  }
  if (next === 'A') return { source: '(?<![\\s\\S])', length: 2 };
  if (next === 'z') return { source: '(?![\\s\\S])', length: 2 };
  if (next === 'a') return { source: '\\x07', length: 2 };
  if (next === 'C') return { problem: 'invalid piece sequence: `\\C`' };
  const property = /^\\([pP])(?:\{(\^?)([A-Za-z_]+)\}|([A-Z]))/.exec(rest);
  if (property !== null) {
    const negated = (property[1] === 'P') !== (property[2] === '^');
    const name = property[3] ?? property[4]!;
    const script = name.length > 2 ? `Script=${name}` : name;
    return { source: `\\${negated ? 'P' : 'p'}{${script}}`, length: property[0].length };
  }
  const hex = /^\\x\{([0-9A-Fa-f]{1,6})\}/.exec(rest);
  if (hex !== null) return { source: `\\u{${hex[1]}}`, length: hex[0].length };
  // RE2's \s has no \v and no Unicode blanks; \d and \w are ASCII in both.
  const blanks = inClass ? '\\t\\n\\f\\r ' : '[\\t\\n\\f\\r ]';
  if (next === 's') return { source: blanks, length: 2 };
  if (next === 'S')
    return inClass
      ? { problem: '`\\S` in a class is not supported' }
      : { source: '[^\\t\\n\\f\\r ]', length: 2 };
  if (/[dDwWbBfnrtv0]/.test(next) || /^\\x[0-9A-Fa-f]{2}/.test(rest))
    return { source: `\\${next}`, length: 2 };
  if (/[A-Za-z]/.test(next)) return { problem: `invalid piece sequence: \`\\${next}\`` };
  const needed = /[\\^$.*+?()[\]{}|/]/.test(next) || (inClass && next === '-');
  return { source: needed ? `\\${next}` : next, length: 2 };
}

function translateClass(rest: string): Piece {
  let source = '[';
  let i = 1;
  if (rest[i] === '^') {
    source += '^';
    i++;
  }
  let first = true;
  while (i < rest.length) {
    const here = rest.slice(i);
    if (here.startsWith(']') && !first) return { source: `${source}]`, length: i + 1 };
    first = false;
    const posix = /^\[:(\^?)([a-z]+):\]/.exec(here);
    if (posix !== null) {
      const members = posixClasses[posix[2]!];
      if (members === undefined || posix[1] === '^')
        return { problem: `invalid character class range: \`${posix[0]}\`` };
      source += members;
      i += posix[0].length;
    } else if (here.startsWith('\\')) {
      const piece = translateEscape(here, true);
      if ('problem' in piece) return piece;
      source += piece.source;
      i += piece.length;
    } else {
      const point = String.fromCodePoint(here.codePointAt(0)!);
      // A dash at either end is a literal for RE2; after a class piece JavaScript's unicode mode refuses it unescaped.
      const literalDash =
        point === '-' &&
        (here[1] === ']' ||
          source.endsWith('[') ||
          source.endsWith('[^') ||
          /(?:\\[dwDW]|[^\\]\\[dw])$/.test(source));
      source += point === '[' || point === ']' || literalDash ? `\\${point}` : point;
      i += point.length;
    }
  }
  return { problem: 'missing closing ]' };
}
