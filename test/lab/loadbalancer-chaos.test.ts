/** The short form of test/chaos/loadbalancer.ts. */
import { expect, test } from 'vitest';
import { chaosOfBalancers } from '../chaos/loadbalancer.ts';
import { isLong } from './cluster.ts';

const seed = Number(process.env.NETLOOM_SEED ?? Date.now() % 1_000_000);

test('nodes, programs, pools and Services come and go: every address ends with one Service, announced as it should be', {
  timeout: isLong ? 1_200_000 : 240_000,
}, async () => {
  const { deeds, wrong, evidence, history } = await chaosOfBalancers(isLong ? 10 : 0.6, seed);
  const seen = [`NETLOOM_SEED=${seed}`, ...history.slice(-40), ...evidence].join('\n');
  expect(wrong, seen).toEqual([]);
  expect(deeds).toBeGreaterThan(5);
});
