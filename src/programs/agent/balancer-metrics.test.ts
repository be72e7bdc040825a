/** What dashboards made for MetalLB find of a node. */
import { expect, test } from 'vitest';
import type { BGPSession } from '#intent/handover.ts';
import { createRegistry } from '#telemetry/metrics.ts';
import { registerBalancerMetrics } from './balancer-metrics.ts';

const session = (address: string, state: string, sent: number): BGPSession => ({
  neighbor: address,
  address,
  state,
  received: 0,
  sent,
});
const service = (name: string) => ({ origin: { kind: 'Service', namespace: 'shop', name } }) as const;

test('announced addresses and sessions, as they are now', () => {
  const registry = createRegistry();
  const metrics = registerBalancerMetrics(registry, 'node1');
  metrics.handedOver({
    put: {
      announcements: {
        '198.51.100.7/32': { ...service('api'), communities: [] },
        '198.51.100.64/26': { ...service('all'), communities: [] },
      },
    },
    remove: {},
  });
  metrics.setStatus({
    bgp: [{ ...session('192.168.66.1', 'Established', 2), bfd: 'Up' }, session('fd66::1', 'Active', 0)],
  });
  const lines = () =>
    registry
      .text()
      .split('\n')
      .filter((line) => line.startsWith('metallb_'))
      .sort();
  expect(lines()).toEqual([
    'metallb_bfd_session_up{peer="192.168.66.1",vrf=""} 1',
    'metallb_bgp_announced_prefixes_total{peer="192.168.66.1",vrf=""} 2',
    'metallb_bgp_announced_prefixes_total{peer="fd66::1",vrf=""} 0',
    'metallb_bgp_session_up{peer="192.168.66.1",vrf=""} 1',
    'metallb_bgp_session_up{peer="fd66::1",vrf=""} 0',
    'metallb_speaker_announced{protocol="bgp",service="shop/all",node="node1",ip="198.51.100.64/26"} 1',
    'metallb_speaker_announced{protocol="bgp",service="shop/api",node="node1",ip="198.51.100.7"} 1',
  ]);
  metrics.handedOver({ put: {}, remove: { announcements: ['198.51.100.64/26', '198.51.100.7/32'] } });
  metrics.setStatus({ bgp: [session('192.168.66.1', 'Established', 0)] });
  expect(lines()).toEqual([
    'metallb_bgp_announced_prefixes_total{peer="192.168.66.1",vrf=""} 0',
    'metallb_bgp_session_up{peer="192.168.66.1",vrf=""} 1',
  ]);
});
