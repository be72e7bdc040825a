/** What the gateway costs, beside plain nginx and HAProxy: requests, changes, memory, its start. */
import type { Bench } from '#programs/cli/bench/row.ts';
import { measureFromAPI } from './gateway-api.ts';
import { measureChanges } from './gateway-changes.ts';
import { measureRouter } from './gateway-router.ts';
import { measureTraffic } from './gateway-traffic.ts';

export const gateway: Bench = {
  name: 'gateway',
  summary: 'requests through the gateway against plain nginx and HAProxy, and changes of its routes',
  run: async (options) => [
    ...(await measureRouter(options.quick, options.progress)),
    ...(await measureTraffic(options)),
    ...(await measureChanges(options)),
    ...(await measureFromAPI(options)),
  ],
};
