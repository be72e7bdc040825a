import { readFile, stat } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { buildRouter } from '../build.ts';

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
