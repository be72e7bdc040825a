/** The chains that judge who may open connections to pods of a private Subnet. */
import { chain, rule } from './chain.ts';
import type { Chain } from './objects.ts';

/**
 * Called for new connections on their way to a pod of this node, after translation; returns for whom it lets through. A connection to
 * any other Subnet costs one lookup. Nodes are known by their underlay addresses, and through the tunnel by the address that each
 * tells of itself (`SelfIntent.tunnelAddresses`).
 */
export function privateChains(): Chain[] {
  return [
    chain('private', [
      rule(
        'ip saddr . ip daddr @privateFrom4 return',
        'its own pods, Subnet allowSubnets and allowInboundFrom',
      ),
      rule('ip6 saddr . ip6 daddr @privateFrom6 return'),
      rule('ip saddr @nodes4 return', 'another node'),
      rule('ip6 saddr @nodes6 return'),
      rule('ip saddr @tunnelAddresses4 return'),
      rule('ip6 saddr @tunnelAddresses6 return'),
      rule('counter name "droppedPrivate" drop', 'Subnet private'),
    ]),
    chain('intoPrivate', [
      rule('ip daddr @privateSubnets4 goto private'),
      rule('ip6 daddr @privateSubnets6 goto private'),
    ]),
  ];
}
