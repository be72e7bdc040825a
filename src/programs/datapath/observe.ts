/** The datapath's gauges, read off its status when somebody asks, and how long ADDs wait. */
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

/** Takes in milliseconds what an ADD waited. */
export function observeWaits(metrics: Registry): (milliseconds: number) => void {
  const waits = metrics.histogram({
    name: 'netloom_datapath_add_wait_seconds',
    help: "Part of an ADD that waited for the agent's word of its pod and for addresses.",
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5],
  });
  return (milliseconds) => waits.observe(milliseconds / 1000);
}
