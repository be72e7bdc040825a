/** What the web application firewall costs: where it is off while others have it on, where it looks, and in memory. */
import type { Bench } from '#programs/cli/bench/row.ts';
import { measureFirewallMemory } from './waf-memory.ts';
import { measureFirewallTraffic } from './waf-traffic.ts';

export const waf: Bench = {
  name: 'waf',
  summary: 'requests through the web application firewall against those that nobody looks at, and its memory',
  run: async (options) => [
    ...(await measureFirewallTraffic(options)),
    ...(await measureFirewallMemory(options)),
  ],
};
