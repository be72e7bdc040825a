/** Long work lets the loop turn, and comes to the same as in one go. */
import { expect, it } from 'vitest';
import { atOnce, inSlices, type Steps } from './steps.ts';

function* count(to: number): Steps<number> {
  let sum = 0;
  for (let at = 1; at <= to; at++) {
    // A millisecond of work.
    for (const end = performance.now() + 1; performance.now() < end; );
    sum += at;
    yield;
  }
  return sum;
}

it('turns the loop between slices, and gives the same', async () => {
  let turns = 0;
  const turning = setInterval(() => turns++, 1);
  try {
    expect(await inSlices(count(200))).toBe(atOnce(count(200)));
    expect(turns).toBeGreaterThan(10);
  } finally {
    clearInterval(turning);
  }
});

it('hands on what goes wrong', async () => {
  function* broken(): Steps<number> {
    yield;
    throw new Error('no');
  }
  await expect(inSlices(broken())).rejects.toThrow('no');
});
