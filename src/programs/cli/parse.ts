/** Words of a command line ─► a command with checked options, or what is wrong with them. */
import { parseArgs } from 'node:util';
import { type Command, type Invocation, UsageError } from './command.ts';

export type Parsed =
  | {
      readonly kind: 'run';
      readonly command: Command;
      readonly values: Invocation['values'];
      readonly operands: readonly string[];
    }
  /** Help of one command, of a group (`lab`), or of everything (no words). */
  | { readonly kind: 'help'; readonly words: readonly string[] }
  | { readonly kind: 'version' };

/** Throws UsageError with one line for the user. */
export function parseCommandLine(commands: readonly Command[], words: readonly string[]): Parsed {
  const [first] = words;
  if (first === undefined || first === '--help' || first === '-h') return { kind: 'help', words: [] };
  if (first === 'help') return { kind: 'help', words: words.slice(1) };
  if (first === '--version' || first === 'version') return { kind: 'version' };
  const command = commands
    .filter(({ name }) => name.every((word, i) => words[i] === word))
    .toSorted((a, b) => b.name.length - a.name.length)[0];
  if (command === undefined) {
    const group = commands.filter(({ name }) => name.length > 1 && name[0] === first);
    if (group.length > 0 && (words[1] === undefined || words[1] === '--help' || words[1] === '-h')) {
      return { kind: 'help', words: [first] };
    }
    const known =
      group.length > 0 ? group.map(({ name }) => name.join(' ')) : commands.map(({ name }) => name.join(' '));
    const called = group.length > 0 ? words.slice(0, 2).join(' ') : first;
    throw new UsageError(`no command ${JSON.stringify(called)}${hint(called, known)}; see netloom --help`);
  }
  const rest = words.slice(command.name.length);
  const { own, passed } =
    command.operandCount === 'all' ? splitPassed(command, rest) : { own: rest, passed: [] };
  return parseOwn(command, own, passed);
}

/** Of a command that passes words on, only its own options in front of the first other word are its own. */
function splitPassed(
  command: Command,
  words: readonly string[],
): { own: readonly string[]; passed: readonly string[] } {
  let i = 0;
  while (i < words.length) {
    const [word = '', attached] = (words[i] ?? '').split('=', 2);
    if (['--help', '-h'].includes(word) && i === 0) i++;
    else if (word.startsWith('--') && command.options[word.slice(2)] !== undefined) {
      i += command.options[word.slice(2)]?.type === 'string' && attached === undefined ? 2 : 1;
    } else break;
  }
  const passed = words.slice(i);
  return { own: words.slice(0, i), passed: passed[0] === '--' ? passed.slice(1) : passed };
}

function parseOwn(command: Command, own: readonly string[], passed: readonly string[]): Parsed {
  const called = `netloom ${command.name.join(' ')}`;
  const known = [...Object.keys(command.options), 'help'].map((option) => `--${option}`);
  const { values, positionals, tokens } = parseArgs({
    args: [...own],
    options: {
      help: { type: 'boolean', short: 'h' },
      ...Object.fromEntries(
        Object.entries(command.options).map(([option, { type, short, many }]) => [
          option,
          {
            type,
            ...(short === undefined ? {} : { short }),
            ...(many === undefined ? {} : { multiple: many }),
          },
        ]),
      ),
    },
    strict: false,
    tokens: true,
    allowPositionals: true,
  });
  if (values.help === true) return { kind: 'help', words: command.name };
  const given = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const spec = Object.hasOwn(command.options, token.name) ? command.options[token.name] : undefined;
    if (spec === undefined) {
      throw new UsageError(`${called}: unknown option ${token.rawName}${hint(token.rawName, known)}`);
    }
    if (
      spec.type === 'string' &&
      (token.value === undefined || (token.inlineValue !== true && token.value.startsWith('--')))
    ) {
      throw new UsageError(`${called}: ${token.rawName} needs a value (${spec.value ?? 'VALUE'})`);
    }
    if (spec.type === 'boolean' && token.value !== undefined) {
      throw new UsageError(`${called}: ${token.rawName} takes no value`);
    }
    // The parser would keep the last one without a word.
    if (spec.type === 'string' && spec.many !== true && given.has(token.name))
      throw new UsageError(`${called}: ${token.rawName} is given twice, and takes one value`);
    given.add(token.name);
    if (spec.choices !== undefined && !spec.choices.includes(token.value ?? '')) {
      throw new UsageError(
        `${called}: ${token.rawName} is one of ${spec.choices.join(', ')}, not ${JSON.stringify(token.value)}`,
      );
    }
  }
  const operands = [...positionals, ...passed];
  const count = command.operandCount ?? [0, 0];
  if (count !== 'all' && (operands.length < count[0] || operands.length > count[1])) {
    const what = command.operands === undefined ? 'no arguments' : command.operands;
    throw new UsageError(
      `${called} takes ${what}${operands.length === 0 ? '' : `, not ${JSON.stringify(operands.join(' '))}`}`,
    );
  }
  const defaults = Object.fromEntries(
    Object.entries(command.options).flatMap(([option, spec]) =>
      spec.default === undefined ? [] : [[option, spec.default]],
    ),
  );
  const joined = Object.fromEntries(
    Object.entries(values).map(([option, value]) => [
      option,
      Array.isArray(value) ? value.join('\n') : value,
    ]),
  );
  return { kind: 'run', command, values: { ...defaults, ...joined }, operands };
}

/** `; did you mean X?` when a known word is near. */
function hint(word: string, known: readonly string[]): string {
  const ranked = known
    .map((candidate) => ({ candidate, away: distance(word, candidate) }))
    .toSorted((a, b) => a.away - b.away);
  const best = ranked[0];
  return best !== undefined && best.away <= Math.max(2, word.length / 3)
    ? `; did you mean ${best.candidate}?`
    : '';
}

/** Edits (insert, remove, replace) between two words (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
