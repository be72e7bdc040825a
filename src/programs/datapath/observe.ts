/** The datapath's gauges: read off its status when somebody asks. */
import type { Registry } from '#telemetry/metrics.ts';
import type { Api } from './api.ts';

const addressStates = ['assigned', 'resting', 'free'] as const;

export function observe(metrics: Registry, api: Api): void {
  const endpoints = metrics.gauge({
    name: 'netloom_datapath_endpoints',
    help: 'Pod interfaces that are wired.',
  });
  const addresses = metrics.gauge({
    name: 'netloom_datapath_addresses',
    help: "Addresses of the node's blocks.",
    labels: ['subnet', 'family', 'state'],
  });
  const problems = metrics.gauge({
    name: 'netloom_datapath_problems',
    help: 'Entries that an engine can not hold.',
  });
  let known = new Set<string>();
  metrics.onCollect(() => {
    const status = api.status();
    endpoints.set(status.endpoints);
    problems.set(api.problems().length);
    const sums = new Map<string, Record<(typeof addressStates)[number], number>>();
    for (const block of status.blocks) {
      const key = JSON.stringify({
        subnet: block.subnet,
        family: block.cidr.includes(':') ? 'IPv6' : 'IPv4',
      });
      const sum = sums.get(key) ?? { assigned: 0, resting: 0, free: 0 };
      for (const state of addressStates) sum[state] += block[state];
      sums.set(key, sum);
    }
    const labels = (key: string) => JSON.parse(key) as { readonly subnet: string; readonly family: string };
    for (const key of known) {
      if (sums.has(key)) continue;
      for (const state of addressStates) addresses.remove({ ...labels(key), state });
    }
    for (const [key, sum] of sums) {
      for (const state of addressStates) addresses.set(sum[state], { ...labels(key), state });
    }
    known = new Set(sums.keys());
  });
}
