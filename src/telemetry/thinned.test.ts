/** The first line, one in a while, and the end. */
import { expect, test } from 'vitest';
import { createThinned } from './thinned.ts';

test('a failure each 200 ms is one line at once, one each ten seconds, and one when it is over', () => {
  let now = 0;
  const lines: string[] = [];
  const line = createThinned(10_000, () => now);
  for (; now < 25_000; now += 200) line.happened((times) => lines.push(`${now}: ${times}`));
  line.over((times) => lines.push(`over after ${times}`));
  line.over((times) => lines.push(`over again after ${times}`));
  line.happened((times) => lines.push(`anew: ${times}`));
  expect(lines).toEqual(['0: 1', '10000: 50', '20000: 50', 'over after 125', 'anew: 1']);
});
