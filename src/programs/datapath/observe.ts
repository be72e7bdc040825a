/** The datapath's gauges: read off its status when somebody asks. */
import type { Registry } from '#telemetry/metrics.ts';
import type { Api } from './api.ts';

export function observe(metrics: Registry, api: Api): void {
  const endpoints = metrics.gauge({
    name: 'netloom_datapath_endpoints',
    help: 'Pod interfaces that are wired.',
  });
  const addresses = metrics.gauge({
    name: 'netloom_datapath_addresses',
    help: "Addresses of the node's blocks.",
    labels: ['subnet', 'state'],
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
    const sums = new Map<string, Record<'assigned' | 'resting' | 'free', number>>();
    for (const { subnet, assigned, resting, free } of status.blocks) {
      const sum = sums.get(subnet) ?? { assigned: 0, resting: 0, free: 0 };
      sums.set(subnet, {
        assigned: sum.assigned + assigned,
        resting: sum.resting + resting,
        free: sum.free + free,
      });
    }
    for (const subnet of known) {
      if (sums.has(subnet)) continue;
      for (const state of ['assigned', 'resting', 'free']) addresses.remove({ subnet, state });
    }
    for (const [subnet, sum] of sums) {
      for (const [state, value] of Object.entries(sum)) addresses.set(value, { subnet, state });
    }
    known = new Set(sums.keys());
  });
}
