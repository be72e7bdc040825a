/** Help texts, made from the command table. */
import { columns } from './columns.ts';
import type { Command } from './command.ts';

/** Help of the command, the group or everything that `words` name. Without a trailing newline. */
export async function helpText(commands: readonly Command[], words: readonly string[]): Promise<string> {
  const exact = commands.find(({ name }) => name.join(' ') === words.join(' '));
  if (exact !== undefined) return commandHelp(exact, (await exact.operandHelp?.()) ?? []);
  const listed = commands.filter(({ name }) => words.every((word, i) => name[i] === word));
  const shown = listed.length === 0 ? commands : listed;
  return [
    'A complete container network for Kubernetes.',
    '',
    'Usage: netloom COMMAND [OPTION…]',
    '',
    'Commands:',
    ...columns(
      shown.map(({ name, summary }) => [name.join(' '), summary]),
      '  ',
    ),
    '',
    'netloom COMMAND --help tells more. Exit codes: 0 done, 1 failed, 2 wrong usage.',
  ].join('\n');
}

function commandHelp(command: Command, operands: readonly (readonly [string, string])[]): string {
  const options = Object.entries(command.options).map(([option, spec]): [string, string] => [
    `${spec.short === undefined ? '' : `-${spec.short}, `}--${option}${spec.type === 'string' ? ` ${spec.value ?? 'VALUE'}` : ''}`,
    [
      spec.summary,
      ...(spec.choices === undefined ? [] : [`: ${spec.choices.join(', ')}`]),
      ...(spec.default === undefined ? [] : [` (default ${spec.default})`]),
    ].join(''),
  ]);
  const { examples = [] } = command;
  return [
    sentence(command.summary),
    '',
    `Usage: ${usage(command)}`,
    ...(operands.length === 0
      ? []
      : ['', `${(command.operands ?? '').replace(/[[\]]/g, '')} is one of:`, ...columns(operands, '  ')]),
    ...(options.length === 0 ? [] : ['', 'Options:', ...columns(options, '  ')]),
    ...(examples.length === 0 ? [] : ['', 'Examples:', ...examples.map((example) => `  ${example}`)]),
    ...(command.root === true ? ['', 'Needs root.'] : []),
  ].join('\n');
}

/** One line: `netloom lab up [OPTION…]`. */
export function usage(command: Command): string {
  const options = Object.keys(command.options).length === 0 ? '' : ' [OPTION…]';
  return `netloom ${command.name.join(' ')}${options}${command.operands === undefined ? '' : ` ${command.operands}`}`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
