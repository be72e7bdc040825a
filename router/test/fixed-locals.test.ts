/** What the compiler writes with and without the plugin does the same, whatever is used before it is defined. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSandbox, type Sandbox } from '../../src/lab/sandbox.ts';
import { compileText } from './compile-text.ts';

const sample = `
/** Further down: a number, a table, functions that call each other, a variable that changes. */
export function main(): string {
  count += 1;
  return limit + ' ' + upper('a') + ' ' + even(5) + ' ' + names.first + ' ' + count + ' ' + exported(2) + ' ' + changed;
}
function upper(text: string): string {
  return text === '' ? '' : text.toUpperCase() + suffix;
}
const limit = 47;
const suffix = '!';
let changed = 1;
changed = changed + 1;
const names = { first: make('x') };
let count = 0;
let unset: string | undefined;
function make(text: string): string {
  return text + 'y';
}
function even(number: number): boolean {
  return number === 0 ? true : odd(number - 1);
}
function odd(number: number): boolean {
  return number === 0 ? unset !== undefined : even(number - 1);
}
export function exported(number: number): number {
  return Math.max(number, limit, twice(number));
}
const twice = (number: number): number => number * 2;
`;
const loadedEarly = `
export const early = describe();
function describe(): string {
  return word === undefined ? 'nothing yet' : word;
}
const word = 'word';
export function main(): string {
  return early + describe();
}
`;

describe('locals of a module', () => {
  let box: Sandbox;
  beforeAll(async () => {
    box = await openSandbox();
  });
  afterAll(() => box?.close());

  const run = async (lua: string): Promise<string> => {
    const input = `io.write((function() ${lua} end)().main())`;
    const { stdout, stderr } = await box.exec(['luajit', '-'], { input });
    expect(stderr).toBe('');
    return stdout;
  };

  it('are assigned where they are declared, but for one of two functions that call each other and what has no value yet', async () => {
    const lua = await compileText(sample, true);
    expect(lua.match(/^local [\w, ]+$/gm)).toEqual(['local even, unset']);
    expect(await run(lua)).toBe('47 A! false xy 1 47 2');
    expect(await run(await compileText(sample, false))).toBe('47 A! false xy 1 47 2');
  });

  it('have names for functions of libraries, which are looked up once', async () => {
    const lua = await compileText(sample, true);
    expect(lua).toContain('local ____math_max = math.max');
    expect(lua.match(/math\.max/g)).toHaveLength(1);
  });

  it('stay as they are where what runs at once needs what comes later', async () => {
    const lua = await compileText(loadedEarly, true);
    expect(await run(lua)).toBe(await run(await compileText(loadedEarly, false)));
  });
});
