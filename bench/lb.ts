/** Addresses of balancers: how fast they come, move and heal, as a client and a router outside see it. */
import type { Bench } from '#programs/cli/bench/row.ts';
import { measureAllocation } from './lb-allocation.ts';
import { announcements } from './lb-announce.ts';
import { nodeDeaths } from './lb-failover.ts';
import { echoes, openGround } from './lb-ground.ts';
import { plannedMoves } from './lb-moves.ts';

export const loadBalancer: Bench = {
  name: 'lb',
  summary:
    "balancers' addresses: outages when a node dies (L2, BGP, BGP with BFD), time to the first route and answer, losses by planned moves, allocation",
  run: async ({ quick, progress }) => {
    const allocated = await measureAllocation({ quick, progress });
    const ground = await openGround(progress);
    try {
      await ground.apply(...echoes);
      const runs = quick ? 1 : 20;
      return [
        ...allocated,
        ...(await nodeDeaths(ground, { runs, quick, progress })),
        ...(await announcements(ground, {
          sizes: quick ? [10] : [10, 1_000],
          runs: quick ? 3 : 20,
          changes: quick ? 50 : 1_000,
          progress,
        })),
        ...(await plannedMoves(ground, { runs, quick, progress })),
      ];
    } finally {
      await ground.close();
    }
  },
};
