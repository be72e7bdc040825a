/** How many addresses Subnets have, hold and use: the numbers of their status, for graphs and alerts. */
import type { Subnet } from '#api/kinds/subnet.ts';
import type { Registry } from '#telemetry/metrics.ts';

const states = ['total', 'held', 'used', 'available'] as const;

/** As of the last status that was written; a number above 2^53 is rounded. */
export function registerSubnetMetrics(registry: Registry, subnets: () => readonly Subnet[]): void {
  const addresses = registry.gauge({
    name: 'netloom_subnet_addresses',
    help: 'Addresses of a Subnet: total, in blocks that nodes hold, used by pods and nodes, available.',
    labels: ['subnet', 'family', 'state'],
  });
  let known = new Set<string>();
  registry.onCollect(() => {
    const seen = new Set<string>();
    for (const { metadata, status } of subnets()) {
      for (const [family, counts] of [
        ['IPv4', status?.ipv4],
        ['IPv6', status?.ipv6],
      ] as const) {
        if (counts === undefined) continue;
        seen.add(JSON.stringify({ subnet: metadata.name, family }));
        for (const state of states)
          addresses.set(Number(counts[state]), { subnet: metadata.name, family, state });
      }
    }
    for (const key of known) {
      if (seen.has(key)) continue;
      const labels = JSON.parse(key) as { readonly subnet: string; readonly family: string };
      for (const state of states) addresses.remove({ ...labels, state });
    }
    known = seen;
  });
}
