/** What the controller that leads counts of gateways. */
import type { Registry } from '#telemetry/metrics.ts';

export type GatewayMetrics = {
  settled(milliseconds: number): void;
  pushed(kind: 'whole' | 'delta', milliseconds: number): void;
  /** `refused`: the pod holds something else than was thought. */
  pushFailed(why: 'refused' | 'error'): void;
  statusWritten(kind: string): void;
};

export type GatewayCounts = {
  readonly instances: number;
  /** That some ready pod holds nothing of, or that have no ready pod. */
  readonly waiting: number;
};

/** `counts`: undefined while this controller doesn't lead. */
export function registerGatewayMetrics(
  registry: Registry,
  counts: () => GatewayCounts | undefined,
): GatewayMetrics {
  const instances = registry.gauge({
    name: 'netloom_gateway_instances',
    help: 'Gateways that have a data plane of ours; told by the controller that leads.',
  });
  const waiting = registry.gauge({
    name: 'netloom_gateway_instances_waiting',
    help: 'Of those, the ones without a pod that is ready and holds what it is to serve, or without an address.',
  });
  const pushes = registry.counter({
    name: 'netloom_gateway_pushes_total',
    help: "Changes that pods of gateways took over, by kind: the whole, or a delta on it; and those that they didn't (refused, error).",
    labels: ['kind'],
  });
  const seconds = registry.histogram({
    name: 'netloom_gateway_push_seconds',
    help: 'Time from the decision on a change until a pod serves it, by kind.',
    labels: ['kind'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30],
  });
  const settles = registry.histogram({
    name: 'netloom_gateway_settle_seconds',
    help: 'Time to find out what a change of objects means for gateways.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5],
  });
  const writes = registry.counter({
    name: 'netloom_gateway_status_writes_total',
    help: 'Statuses written, by kind of the object.',
    labels: ['kind'],
  });
  registry.onCollect(() => {
    const now = counts();
    instances.set(now?.instances ?? 0);
    waiting.set(now?.waiting ?? 0);
  });
  return {
    settled: (milliseconds) => settles.observe(milliseconds / 1000),
    pushed(kind, milliseconds) {
      pushes.inc({ kind });
      seconds.observe(milliseconds / 1000, { kind });
    },
    pushFailed: (kind) => pushes.inc({ kind }),
    statusWritten: (kind) => writes.inc({ kind }),
  };
}
