/** What tenants notice of each other, and what many instances in one cluster take. */
import type { Bench } from '#programs/cli/bench/row.ts';
import { measureInstances } from './tenants-instances.ts';
import { measureNeighbours } from './tenants-neighbours.ts';

export const tenants: Bench = {
  name: 'tenants',
  summary:
    'a quiet tenant beside one that floods or churns routes, on one instance and on its own; 200 instances in a cluster',
  run: async (options) => [...(await measureNeighbours(options)), ...(await measureInstances(options))],
};
