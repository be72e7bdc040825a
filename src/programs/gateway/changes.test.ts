/** The file of changes, over real files: cut anywhere, written anew, and by processes that are killed. */
import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { eventually } from '#lab/eventually.ts';
import { loadChanges, openChanges } from './changes.ts';
import { createState, type GatewayState, wholeOf } from './state.ts';
import { delta, scratch, whole } from './testing.ts';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});
function file(): string {
  const { directory, remove } = scratch();
  ends.push(remove);
  return join(directory, 'changes');
}
const fail = (error: unknown): void => {
  throw error;
};
const authority = (certificates: string) => ({ authorities: { a: { certificates } } });

function load(path: string): GatewayState {
  const state = createState();
  for (const change of loadChanges(path).changes) state.take(change);
  return state;
}

test('what was appended is read again', async () => {
  const path = file();
  const state = createState();
  const changes = openChanges(path, state, fail);
  expect(load(path).generation).toBe(0);
  for (const change of [
    whole(5, authority('one')),
    delta(6, authority('two')),
    delta(7, {}, { authorities: ['b'] }),
    whole(3, authority('three')),
    delta(4, { authorities: { c: { certificates: 'four' } } }),
  ]) {
    state.take(change);
    changes.append(change);
    expect(wholeOf(load(path))).toEqual(wholeOf(state));
  }
  await changes.close();
  expect(loadChanges(path).problem).toBeUndefined();
});

test('a file that is cut anywhere gives what was whole before the cut', async () => {
  const path = file();
  const state = createState();
  const changes = openChanges(path, state, fail);
  const sizes: number[] = [];
  for (let generation = 101; generation <= 106; generation++) {
    const change =
      generation === 101 ? whole(101, authority('101')) : delta(generation, authority(`${generation}`));
    state.take(change);
    changes.append(change);
    sizes.push(readFileSync(path).length);
  }
  await changes.close();
  const bytes = readFileSync(path);
  for (let cut = 0; cut <= bytes.length; cut++) {
    writeFileSync(path, bytes.subarray(0, cut));
    const { generation } = load(path);
    const taken = sizes.filter((size) => size <= cut).length;
    // Half a whole is never taken for a whole.
    if (taken === 0) expect([0, 1]).toContain(generation);
    else expect(generation).toBe(100 + taken);
  }
});

test('what is damaged in the middle, and what follows it, is left out and told', async () => {
  const path = file();
  writeFileSync(path, `${JSON.stringify(whole(1, {}))}\nnoise\n${JSON.stringify(delta(2, {}))}\n`);
  expect(loadChanges(path)).toMatchObject({
    changes: [{ generation: 1 }],
    problem: expect.stringContaining('line 2: not JSON'),
  });
  writeFileSync(path, `${JSON.stringify(whole(1, {}))}\n${JSON.stringify(delta(3, {}))}\n`);
  expect(loadChanges(path)).toMatchObject({
    changes: [{ generation: 1 }],
    problem: expect.stringContaining('line 2 does not follow generation 1'),
  });
});

test('a file that grows is written anew and stays as large as what it holds', async () => {
  const path = file();
  const state = createState();
  const limit = 10_000;
  const changes = openChanges(path, state, fail, limit);
  const first = whole(1, {});
  state.take(first);
  changes.append(first);
  for (let generation = 2; generation <= 2_000; generation++) {
    const change = delta(generation, authority('x'.repeat(200)));
    state.take(change);
    changes.append(change);
    if (generation % 100 === 0) await new Promise(setImmediate);
  }
  await changes.close();
  expect(wholeOf(load(path))).toEqual(wholeOf(state));
  expect(readFileSync(path).length).toBeLessThan(10 * limit);
});

test('a process that is killed at any moment loses nothing that it said it took', async () => {
  const path = file();
  const program = join(import.meta.dirname, 'testing-appender.ts');
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    ends.push(() => child.kill('SIGKILL'));
    let said = '';
    child.stdout.on('data', (part: Buffer) => {
      said += part.toString();
    });
    await eventually(() => expect(said.length).toBeGreaterThan(500 * (round + 1)));
    const ended = new Promise((resolve) => child.once('close', resolve));
    child.kill('SIGKILL');
    await ended;
    const acknowledged = Number(said.slice(0, said.lastIndexOf('\n')).split('\n').pop());
    const held = load(path);
    expect(held.generation).toBeGreaterThanOrEqual(acknowledged);
    // Each entry is the last that was written under its key.
    for (const [key, { certificates }] of held.entries('authorities')) {
      expect(Number.parseInt(certificates, 10) % 50).toBe(Number(key.slice(1)));
      expect(held.generation - Number.parseInt(certificates, 10)).toBeLessThan(50);
    }
  }
});
