/** Two minutes of the fuzzer, with another seed each time; the failure says which. */
import { expect, test } from 'vitest';
import { fuzzPolicy } from './policy.ts';

const minutes = 2;

test('oracle, compiles, kernel and packets agree on random policies', { timeout: 240_000 }, async () => {
  const seed = Number(process.env.NETLOOM_SEED ?? Date.now() % 1_000_000);
  const { rounds, cases } = await fuzzPolicy(minutes, seed);
  expect(cases.join('\n'), `seed ${seed}`).toBe('');
  expect(rounds).toBeGreaterThan(5);
});
