/** Controllers wait for their own writes, and not for what came and went. */
import { expect, test } from 'vitest';
import { untilSeen } from './controller.ts';

const cacheAt = (position: string | undefined) => ({ position: () => position, onChange: () => () => {} });
const waits = async (informer: ReturnType<typeof cacheAt>, version: string): Promise<boolean> => {
  const soon = new Promise<true>((resolve) => setTimeout(() => resolve(true), 50));
  return Promise.race([untilSeen(informer, () => false, version).then(() => false), soon]);
};

test('what was deleted before the answer to its creation came is not waited for', async () => {
  expect(await waits(cacheAt('10'), '9')).toBe(false);
  expect(await waits(cacheAt('9'), '9')).toBe(false);
});

test('a cache that is behind the write, or has no list yet, is waited for', async () => {
  expect(await waits(cacheAt('9'), '10')).toBe(true);
  expect(await waits(cacheAt(undefined), '10')).toBe(true);
});
