/** Command lines: what is understood, and what a user is told of the rest. */
import { describe, expect, test } from 'vitest';
import { type Command, UsageError } from './command.ts';
import { commands } from './commands.ts';
import { helpText, usage } from './help.ts';
import { parseCommandLine } from './parse.ts';

const parse = (line: string) => parseCommandLine(commands, line === '' ? [] : line.split(' '));
const values = (line: string) => {
  const parsed = parse(line);
  if (parsed.kind !== 'run') throw new Error(`${line} is ${parsed.kind}`);
  return { called: parsed.command.name.join(' '), values: parsed.values, operands: parsed.operands };
};

test('commands of two words, options with both spellings, defaults', () => {
  expect(values('lab up --nodes=5 --family ipv6')).toEqual({
    called: 'lab up',
    values: { name: 'default', nodes: '5', family: 'ipv6', mode: 'overlay', mtu: '1500', segments: '1' },
    operands: [],
  });
  expect(values('lab load web:1 ./web.tar --name x').operands).toEqual(['web:1', './web.tar']);
});

test('files may be named several times', () => {
  for (const command of ['why a/b c/d', 'diff', 'gateway'])
    expect(values(`${command} -f one.yaml --files=two.yaml -f three`).values.files).toBe(
      'one.yaml\ntwo.yaml\nthree',
    );
});

test('kubectl and lab exec pass on whatever follows', () => {
  expect(values('kubectl --name two get pods -A --name three')).toEqual({
    called: 'kubectl',
    values: { name: 'two' },
    operands: ['get', 'pods', '-A', '--name', 'three'],
  });
  expect(values('kubectl get --help').operands).toEqual(['get', '--help']);
  expect(parse('kubectl --help')).toEqual({ kind: 'help', words: ['kubectl'] });
  expect(values('lab exec node1 ip -6 route').operands).toEqual(['node1', 'ip', '-6', 'route']);
  expect(values('lab exec -- node1 ls').operands).toEqual(['node1', 'ls']);
});

test('help of everything, a group, a command', () => {
  expect(parse('')).toEqual({ kind: 'help', words: [] });
  expect(parse('lab')).toEqual({ kind: 'help', words: ['lab'] });
  expect(parse('lab up -h')).toEqual({ kind: 'help', words: ['lab', 'up'] });
  expect(parse('help lab down')).toEqual({ kind: 'help', words: ['lab', 'down'] });
  expect(parse('--version')).toEqual({ kind: 'version' });
});

describe('refusals name what is near', () => {
  test.each([
    ['dmeo', 'no command "dmeo"; did you mean demo?; see netloom --help'],
    ['lab upp', 'no command "lab upp"; did you mean lab up?; see netloom --help'],
    ['frobnicate', 'no command "frobnicate"; see netloom --help'],
    ['lab up --node 3', 'netloom lab up: unknown option --node; did you mean --nodes?'],
    ['lab up --nodes', 'netloom lab up: --nodes needs a value (K)'],
    ['lab up --nodes --family ipv4', 'netloom lab up: --nodes needs a value (K)'],
    ['lab up --family ipx', 'netloom lab up: --family is one of ipv4, ipv6, dual, not "ipx"'],
    ['lab status --json=yes', 'netloom lab status: --json takes no value'],
    ['lab down now', 'netloom lab down takes no arguments, not "now"'],
    ['lab load web', 'netloom lab load takes IMAGE DIR|TAR, not "web"'],
    ['lab up --nodes 3 --nodes=5', 'netloom lab up: --nodes is given twice, and takes one value'],
    ['why a/b c/d -o text -o json', 'netloom why: -o is given twice, and takes one value'],
    ['diff -f a --against b --against c', 'netloom diff: --against is given twice, and takes one value'],
    ['lab up --__proto__ x', 'netloom lab up: unknown option --__proto__'],
  ])('%s', (line, message) => {
    expect(() => parse(line)).toThrow(new UsageError(message));
  });
});

test.each(commands.map((command): [string, Command] => [command.name.join(' '), command]))(
  'help of %s names each option and its code can be loaded',
  async (name, command) => {
    const text = await helpText(commands, name.split(' '));
    expect(text).toContain(usage(command));
    for (const option of Object.keys(command.options)) expect(text).toContain(`--${option}`);
    expect(command.summary).not.toMatch(/\.$/);
    expect((await command.load()).run).toBeTypeOf('function');
  },
);
