/** What rules of policies decided on this node: the kernel's counters as metrics, and for who asks. */
import type { RuleCount } from '#engines/nftables/rule-counters.ts';
import type { PolicyCount } from '#intent/handover.ts';
import { formatOrigin } from '#intent/origin.ts';
import type { Log } from '#telemetry/log.ts';
import type { Labels, Registry } from '#telemetry/metrics.ts';

export type PolicyCounts = {
  /** Of every rule in force here, the ones that decided most first. */
  now(): Promise<readonly PolicyCount[]>;
};

/** More rules than this on a node and the others are one series. */
const mostSeries = 5_000;

/** Nothing is read until somebody asks: a scrape shows what was read at the one before it. */
export function createPolicyCounts(options: {
  readonly read: () => Promise<readonly RuleCount[]>;
  readonly log: Log;
  readonly metrics: Registry;
}): PolicyCounts {
  const { read, log, metrics } = options;
  const total = metrics.counter({
    name: 'netloom_policy_rule_connections_total',
    help: 'Connections that a rule of a policy decided here, once for each of its pods; of rules in force on the node.',
    labels: ['policy', 'rule', 'direction', 'verdict'],
    maxSeries: mostSeries,
  });
  const seen = new Map<string, { readonly labels: Labels; readonly connections: number }>();
  let readings = 0;
  let last: Promise<unknown> = Promise.resolve();

  const publish = (counts: readonly RuleCount[]): void => {
    const left = new Set(seen.keys());
    for (const count of counts) {
      const { name, connections } = count;
      const before = seen.get(name);
      const labels = before?.labels ?? labelsOf(count);
      left.delete(name);
      seen.set(name, { labels, connections });
      const from = before?.connections ?? 0;
      // One that was made anew begins at zero.
      total.inc(labels, connections < from ? connections : connections - from);
    }
    for (const name of left) {
      total.remove(seen.get(name)?.labels);
      seen.delete(name);
    }
  };
  /** One reading after the other: what the latest says holds. */
  const ask = (): Promise<readonly RuleCount[]> => {
    readings++;
    const counts = last.then(read).finally(() => {
      readings--;
    });
    last = counts.then(publish).catch(() => {});
    return last.then(() => counts);
  };
  metrics.onCollect(() => {
    if (readings > 0) return;
    ask().catch((error: unknown) => log.warn("can't read the counters of policies", { error }));
  });

  return {
    async now() {
      const counts = [...(await ask())].sort(
        (a, b) => b.connections - a.connections || (a.name < b.name ? -1 : 1),
      );
      return counts.map(({ origin, direction, verdict, connections }) => ({
        ...(origin === undefined ? {} : { policy: origin }),
        ...(direction === undefined ? {} : { direction }),
        verdict,
        connections,
      }));
    },
  };
}

function labelsOf({ origin, verdict, ...count }: RuleCount): Labels {
  const direction = count.direction ?? '';
  if (origin === undefined) return { policy: '', rule: '', direction, verdict };
  const { rule = '', ...policy } = origin;
  return { policy: formatOrigin(policy), rule, direction, verdict };
}
