/** The metrics of a work queue, by the names that Kubernetes dashboards look for. */
import type { Registry } from '#telemetry/metrics.ts';

export type QueueMetrics<K> = {
  added(key: K): void;
  started(key: K): void;
  finished(key: K): void;
  retried(): void;
};

const buckets = [1e-4, 1e-3, 1e-2, 0.1, 1, 10, 60];

/** Without a registry nothing is measured. */
export function createQueueMetrics<K>(
  registry: Registry | undefined,
  name = 'default',
  depth: () => number,
): QueueMetrics<K> {
  if (registry === undefined) return { added() {}, started() {}, finished() {}, retried() {} };
  const labels = { name };
  const of = (metric: string, help: string) => ({ name: metric, help, labels: ['name'] });
  const adds = registry.counter(of('workqueue_adds_total', 'Keys added.'));
  const retries = registry.counter(of('workqueue_retries_total', 'Keys added again after a failure.'));
  const waited = registry.histogram({
    ...of('workqueue_queue_duration_seconds', 'Time a key waits.'),
    buckets,
  });
  const worked = registry.histogram({
    ...of('workqueue_work_duration_seconds', 'Time a key is in work.'),
    buckets,
  });
  const waiting = registry.gauge(of('workqueue_depth', 'Keys waiting.'));
  const unfinished = registry.gauge(
    of('workqueue_unfinished_work_seconds', 'Seconds of work in progress, summed over the keys in work.'),
  );
  const longest = registry.gauge(
    of('workqueue_longest_running_processor_seconds', 'How long the oldest key in work has been.'),
  );
  const addedAt = new Map<K, number>();
  const startedAt = new Map<K, number>();
  registry.onCollect(() => {
    const now = performance.now();
    const ages = Array.from(startedAt.values(), (at) => (now - at) / 1000);
    waiting.set(depth(), labels);
    unfinished.set(
      ages.reduce((sum, age) => sum + age, 0),
      labels,
    );
    longest.set(Math.max(0, ...ages), labels);
  });
  return {
    added(key) {
      adds.inc(labels);
      addedAt.set(key, performance.now());
    },
    started(key) {
      const now = performance.now();
      waited.observe((now - (addedAt.get(key) ?? now)) / 1000, labels);
      addedAt.delete(key);
      startedAt.set(key, now);
    },
    finished(key) {
      const at = startedAt.get(key);
      if (at !== undefined) worked.observe((performance.now() - at) / 1000, labels);
      startedAt.delete(key);
    },
    retried: () => retries.inc(labels),
  };
}
