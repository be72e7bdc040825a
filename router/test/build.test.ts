import { readFile, rm, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { buildRouter, buildStream } from '../build.ts';

test('functions of nginx get no table before their arguments', async () => {
  const lua = await readFile(await buildRouter(), 'utf8');
  const called = [...lua.matchAll(/\bngx(?:\.\w+)*:\w+/g)].map(([call]) => call);
  expect(called).toEqual([]);
});

test('what is built stays while no source changes', async () => {
  const path = await buildRouter('pure');
  const before = await stat(path);
  expect(await buildRouter('pure')).toBe(path);
  expect((await stat(path)).ino).toBe(before.ino);
});

test('who waits is told before something is compiled, and only then', async () => {
  const path = await buildStream();
  await rm(path);
  let told = 0;
  const tell = () => {
    told += 1;
  };
  await buildStream(tell);
  expect(told).toBe(1);
  await buildStream(tell);
  expect(told).toBe(1);
});
