/** Figures of policy on this node: how many policies and what became of them, and how long a change takes to the kernel. */
import type { Registry } from '#telemetry/metrics.ts';
import type { Delta } from './handover.ts';
import type { PolicyFeed } from './policies.ts';

export type PolicyMetrics = {
  /** Counts what is handed over. */
  handedOver(delta: Delta): void;
  /** Seconds from the event to the kernel. */
  readonly held: (seconds: number) => void;
};

export function registerPolicyMetrics(
  registry: Registry,
  feed: () => Pick<PolicyFeed, 'counts' | 'peers'>,
): PolicyMetrics {
  const policies = registry.gauge({
    name: 'netloom_agent_policies',
    help: 'Policies of the cluster, by kind.',
    labels: ['kind'],
  });
  const peers = registry.gauge({
    name: 'netloom_agent_policy_peers',
    help: 'Pods of other nodes that are known for the sake of policy: none while there is no policy.',
  });
  const classes = registry.gauge({
    name: 'netloom_agent_policy_classes',
    help: 'Classes of pods of this node that policy treats alike in one direction.',
  });
  const identities = registry.gauge({
    name: 'netloom_agent_policy_identities',
    help: 'Identities of peers that policy on this node tells apart.',
  });
  const seconds = registry.histogram({
    name: 'netloom_agent_policy_seconds',
    help: 'Time from the event of a change of policy until the kernel holds it.',
    buckets: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5, 30],
  });
  /** `CLASS/IDENTITY`, as in the intent. */
  const decisions = new Set<string>();
  registry.onCollect(() => {
    for (const [kind, count] of feed().counts()) policies.set(count, { kind });
    peers.set(feed().peers());
    const pairs = [...decisions].map((key) => key.split('/'));
    classes.set(new Set(pairs.map(([each]) => each)).size);
    identities.set(new Set(pairs.map(([, identity]) => identity)).size);
  });
  return {
    handedOver({ put, remove }) {
      for (const key of remove.policyDecisions ?? []) decisions.delete(key);
      for (const key of Object.keys(put.policyDecisions ?? {})) decisions.add(key);
    },
    held: (time) => seconds.observe(time),
  };
}
