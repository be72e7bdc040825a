/** Two minutes of the fuzzer, the same each time: what fails here, the change broke. Other seeds are for longer runs. */
import { expect, test } from 'vitest';
import { fuzzPolicy } from './policy.ts';

const minutes = 2;

test('oracle, compiles, kernel and packets agree on random policies', { timeout: 400_000 }, async () => {
  const seed = Number(process.env.NETLOOM_SEED ?? 4_242);
  const { rounds, cases } = await fuzzPolicy(minutes, seed);
  expect(cases.join('\n'), `seed ${seed}`).toBe('');
  expect(rounds).toBeGreaterThan(2);
});
