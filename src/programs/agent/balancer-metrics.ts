/** MetalLB's metrics of its speaker, by their names: what this node announces, and its BGP sessions. */
import type { DatapathStatus } from '#intent/handover.ts';
import type { Origin } from '#intent/origin.ts';
import type { Registry } from '#telemetry/metrics.ts';
import type { Delta } from './handover.ts';

export type BalancerMetrics = {
  /** Notes which Service an address or a prefix is of. */
  handedOver(delta: Pick<Delta, 'put' | 'remove'>): void;
  setStatus(status: Pick<DatapathStatus, 'answering' | 'bgp'>): void;
};

type Series = { readonly labels: Readonly<Record<string, string>>; readonly value: number };

export function registerBalancerMetrics(registry: Registry, node: string): BalancerMetrics {
  const announced = registry.gauge({
    name: 'metallb_speaker_announced',
    help: '1 for each address that this node announces now.',
    labels: ['protocol', 'service', 'node', 'ip'],
  });
  const up = registry.gauge({
    name: 'metallb_bgp_session_up',
    help: '1 while the BGP session with a peer is established, else 0.',
    labels: ['peer', 'vrf'],
  });
  const prefixes = registry.gauge({
    name: 'metallb_bgp_announced_prefixes_total',
    help: 'Prefixes that a peer is told now.',
    labels: ['peer', 'vrf'],
  });
  const watched = registry.gauge({
    name: 'metallb_bfd_session_up',
    help: '1 while the BFD session with a peer is up, else 0; where BFD is asked for.',
    labels: ['peer', 'vrf'],
  });
  const addresses = new Map<string, string>();
  const routes = new Map<string, string>();
  let status: Pick<DatapathStatus, 'answering' | 'bgp'> = { bgp: [] };
  const told = [announced, up, prefixes, watched].map((gauge) => {
    let known: readonly Series[] = [];
    return (series: readonly Series[]): void => {
      for (const { labels } of known) gauge.remove(labels);
      for (const { labels, value } of series) gauge.set(value, labels);
      known = series;
    };
  });
  registry.onCollect(() => {
    const { answering = [], bgp } = status;
    const one = (protocol: string, service: string, ip: string): Series => ({
      labels: { protocol, service, node, ip },
      value: 1,
    });
    const isTold = bgp.some(({ state }) => state === 'Established');
    const sessions = bgp.map(({ address, state, sent, bfd }) => ({
      labels: { peer: address, vrf: '' },
      isUp: state === 'Established',
      sent,
      bfd,
    }));
    const all: readonly (readonly Series[])[] = [
      [
        ...answering.map(({ address }) => one('layer2', addresses.get(address) ?? '', address)),
        ...(isTold ? [...routes].map(([prefix, service]) => one('bgp', service, plain(prefix))) : []),
      ],
      sessions.map(({ labels, isUp }) => ({ labels, value: isUp ? 1 : 0 })),
      sessions.map(({ labels, isUp, sent }) => ({ labels, value: isUp ? sent : 0 })),
      sessions.flatMap(({ labels, bfd }) =>
        bfd === undefined ? [] : [{ labels, value: bfd === 'Up' ? 1 : 0 }],
      ),
    ];
    for (const [index, tell] of told.entries()) tell(all[index] ?? []);
  });
  return {
    handedOver({ put, remove }) {
      note(addresses, put.virtualAddresses, remove.virtualAddresses);
      note(routes, put.announcements, remove.announcements);
    },
    setStatus: (next) => {
      status = next;
    },
  };
}

function note(
  services: Map<string, string>,
  put: Readonly<Record<string, { readonly origin: Origin }>> = {},
  remove: readonly string[] = [],
): void {
  for (const key of remove) services.delete(key);
  for (const [key, { origin }] of Object.entries(put))
    services.set(key, `${origin.namespace ?? ''}/${origin.name}`);
}

/** An address without its length; an aggregate keeps it. */
function plain(prefix: string): string {
  return prefix.replace(prefix.includes(':') ? /\/128$/ : /\/32$/, '');
}
