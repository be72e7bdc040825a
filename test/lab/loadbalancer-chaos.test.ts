/** The short form of test/chaos/loadbalancer.ts. */
import { expect, test } from 'vitest';
import { chaosOfBalancers } from '../chaos/loadbalancer.ts';
import { isLong } from './cluster.ts';

const seed = Number(process.env.NETLOOM_SEED ?? Date.now() % 1_000_000);

test('nodes, programs, pools and Services come and go: every address ends with one Service, announced as it should be', {
  timeout: isLong ? 1_200_000 : 240_000,
}, async () => {
  const { deeds, wrong, history } = await chaosOfBalancers(isLong ? 10 : 0.6, seed);
  expect(wrong, `NETLOOM_SEED=${seed}\n${history.slice(-40).join('\n')}`).toEqual([]);
  expect(deeds).toBeGreaterThan(5);
});
