/** MetalLB's metrics of its speaker, by their names: BGP sessions, and what they are told. L2's are in l2-status.ts. */
import type { DatapathStatus } from '#intent/handover.ts';
import type { Registry } from '#telemetry/metrics.ts';
import type { Delta } from './handover.ts';

export type BalancerMetrics = {
  /** Notes which Service a prefix is of. */
  handedOver(delta: Pick<Delta, 'put' | 'remove'>): void;
  setStatus(status: Pick<DatapathStatus, 'bgp'>): void;
};

type Series = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

export function registerBalancerMetrics(registry: Registry, node: string): BalancerMetrics {
  const labels = ['peer', 'vrf'] as const;
  const gauges = [
    registry.gauge({
      name: 'metallb_speaker_announced',
      help: 'Services being announced from this node: 1 for each address.',
      labels: ['protocol', 'service', 'node', 'ip'],
      maxSeries: 2_000,
    }),
    registry.gauge({
      name: 'metallb_bgp_session_up',
      help: '1 while the BGP session with a peer is established, else 0.',
      labels,
    }),
    registry.gauge({
      name: 'metallb_bgp_announced_prefixes_total',
      help: 'Prefixes that a peer is told now.',
      labels,
    }),
    registry.gauge({
      name: 'metallb_bfd_session_up',
      help: '1 while BFD with a peer is up, else 0; where it is asked for.',
      labels,
    }),
  ];
  const services = new Map<string, string>();
  let sessions: DatapathStatus['bgp'] = [];
  const announced = (): readonly Series[] =>
    sessions.some(({ state }) => state === 'Established')
      ? [...services].map(([prefix, service]) => ({
          labels: { protocol: 'bgp', service, node, ip: plain(prefix) },
          value: 1,
        }))
      : [];
  const ofSessions = (
    value: (session: DatapathStatus['bgp'][number]) => number | undefined,
  ): readonly Series[] =>
    sessions.flatMap((session) => {
      const found = value(session);
      return found === undefined ? [] : [{ labels: { peer: session.address, vrf: '' }, value: found }];
    });
  let told: readonly (readonly Series[])[] = [];
  registry.onCollect(() => {
    const now = [
      announced(),
      ofSessions(({ state }) => (state === 'Established' ? 1 : 0)),
      ofSessions(({ state, sent }) => (state === 'Established' ? sent : 0)),
      ofSessions(({ bfd }) => (bfd === undefined ? undefined : bfd === 'Up' ? 1 : 0)),
    ];
    for (const [index, gauge] of gauges.entries()) {
      for (const each of told[index] ?? []) gauge.remove(each.labels);
      for (const each of now[index] ?? []) gauge.set(each.value, each.labels);
    }
    told = now;
  });
  return {
    handedOver({ put, remove }) {
      for (const key of remove.announcements ?? []) services.delete(key);
      for (const [key, { origin }] of Object.entries(put.announcements ?? {}))
        services.set(key, `${origin.namespace ?? ''}/${origin.name}`);
    },
    setStatus: ({ bgp }) => {
      sessions = bgp;
    },
  };
}

/** An address without its length; an aggregate keeps it. */
function plain(prefix: string): string {
  return prefix.replace(prefix.includes(':') ? /\/128$/ : /\/32$/, '');
}
