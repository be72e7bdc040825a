/** Transactions as nft gets them: short ones, ones that it includes, and ones that its /proc keeps from it. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { openNftCommands } from './commands.ts';

let box: Sandbox;
beforeAll(async () => {
  box = await openSandbox();
});
afterAll(() => box?.close());
afterEach(() => box.exec(['nft', 'flush', 'ruleset']));

const table = ['add table inet test', 'add set inet test addresses { type ipv4_addr; }'];
const element = (index: number) => `add element inet test addresses { 10.0.${index >> 8}.${index & 255} }`;
const count = async () =>
  (await box.exec(['nft', 'list', 'set', 'inet', 'test', 'addresses'])).stdout.match(/10\.0\./g)?.length ?? 0;

describe.each([
  ['with its /proc', ['--pid']],
  ['in whose /proc it is not', []],
])('nft %s', (_, more) => {
  const open = () =>
    openNftCommands(['nsenter', `--target=${box.pid}`, '--mount', ...more, `--net=${box.namespace}`, '--']);

  it('takes transactions of any length, one after the other', async () => {
    const nft = open();
    try {
      await nft.commit(table);
      let there = 0;
      for (const size of [1, 100, 3, 200, 1, 2_000]) {
        await nft.commit(Array.from({ length: size }, (_each, index) => element(there + index)));
        there += size;
        expect(await count()).toBe(there);
      }
    } finally {
      await nft.close();
    }
  });

  it('says why it refuses a long one, of which nothing holds, and goes on', async () => {
    const nft = open();
    try {
      await nft.commit(table);
      const many = Array.from({ length: 50 }, (_each, index) => element(index));
      await expect(nft.commit([...many, 'add element inet test nothing { 10.0.0.1 }'])).rejects.toMatchObject(
        {
          outcome: 'refused',
          message: expect.stringContaining('No such file or directory'),
        },
      );
      expect(await count()).toBe(0);
      await nft.commit(many);
      expect(await count()).toBe(50);
    } finally {
      await nft.close();
    }
  });
});
