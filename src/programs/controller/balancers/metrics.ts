/** MetalLB's metrics of its controller, by their names, so that dashboards and alerts go on. */
import type { PoolUsage } from '#compile/loadbalancer/usage.ts';
import type { Registry } from '#telemetry/metrics.ts';

export type BalancerMetrics = {
  /** A change of a Service was taken in. */
  updated(): void;
  writeFailed(): void;
};

export type BalancerState = {
  /** Undefined while another process allocates. */
  readonly usage: readonly PoolUsage[] | undefined;
  readonly isLoaded: boolean;
  readonly isStale: boolean;
};

const gauges = {
  metallb_allocator_addresses_total: [
    'Addresses of a pool that can be given.',
    (use) => total(use, 'ipv4', 'ipv6'),
  ],
  metallb_allocator_ipv4_addresses_total: ['Of them IPv4.', (use) => total(use, 'ipv4')],
  metallb_allocator_ipv6_addresses_total: ['Of them IPv6.', (use) => total(use, 'ipv6')],
  metallb_allocator_addresses_in_use_total: [
    'Addresses of a pool that Services have.',
    (use) => inUse(use, 'ipv4', 'ipv6'),
  ],
  metallb_allocator_ipv4_addresses_in_use_total: ['Of them IPv4.', (use) => inUse(use, 'ipv4')],
  metallb_allocator_ipv6_addresses_in_use_total: ['Of them IPv6.', (use) => inUse(use, 'ipv6')],
  metallb_allocator_services_allocated_total: [
    'Services that have addresses of a pool.',
    ({ services }) => services,
  ],
  netloom_allocator_services_waiting: [
    'Services that wait for an address of a pool.',
    ({ waiting }) => waiting,
  ],
} as const satisfies Readonly<Record<string, readonly [string, (use: PoolUsage) => number]>>;

export function registerBalancerMetrics(registry: Registry, state: () => BalancerState): BalancerMetrics {
  const all = Object.entries(gauges).map(([name, [help, value]]) => ({
    gauge: registry.gauge({ name, help, labels: ['pool'] }),
    value,
  }));
  const loaded = registry.gauge({
    name: 'metallb_k8s_client_config_loaded_bool',
    help: '1 once all pools and Services are known.',
  });
  const stale = registry.gauge({
    name: 'metallb_k8s_client_config_stale_bool',
    help: '1 while something that pools say is not in effect.',
  });
  const updates = registry.counter({
    name: 'metallb_k8s_client_updates_total',
    help: 'Changes of Services that were taken in.',
  });
  const errors = registry.counter({
    name: 'metallb_k8s_client_update_errors_total',
    help: 'Services that could not be written.',
  });
  let known: readonly string[] = [];
  registry.onCollect(() => {
    const { usage = [], isLoaded, isStale } = state();
    for (const use of usage) for (const { gauge, value } of all) gauge.set(value(use), { pool: use.name });
    const names = usage.map(({ name }) => name);
    for (const pool of known) if (!names.includes(pool)) for (const { gauge } of all) gauge.remove({ pool });
    known = names;
    loaded.set(isLoaded ? 1 : 0);
    stale.set(isStale ? 1 : 0);
  });
  return { updated: () => updates.inc(), writeFailed: () => errors.inc() };
}

type Kind = 'ipv4' | 'ipv6';

function inUse(usage: PoolUsage, ...kinds: readonly Kind[]): number {
  return kinds.reduce((sum, kind) => sum + usage[kind].assigned, 0);
}

function total(usage: PoolUsage, ...kinds: readonly Kind[]): number {
  return inUse(usage, ...kinds) + kinds.reduce((sum, kind) => sum + Number(usage[kind].available), 0);
}
