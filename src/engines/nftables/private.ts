/** The chains that judge who may open connections to pods of a private Subnet. */
import { chain, rule } from './chain.ts';
import type { Chain } from './objects.ts';

/**
 * Called for new connections on their way to a pod of this node, after translation; returns for whom it lets through. A connection to
 * any other Subnet costs one lookup. Nodes are known by their underlay addresses, and through the tunnel by the address that each
 * tells of itself (`SelfIntent.tunnelAddresses`).
 *
 * `intoPrivateByPublished` is called for new translated connections to any node's pods. A Service can be pointed at anybody's pods, and
 * a published one hides the client behind a node, which may come in: so it lets in only whom the Subnet names, and a node's address
 * proves nothing, since another node may have put it in the place of its pods'.
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
    chain('intoPrivateByPublished', [
      rule(
        'ip daddr @privateSubnets4 ct original ip daddr != @serviceAddresses4 ip saddr . ip daddr != @privateFrom4 counter name "droppedPrivate" drop',
        'by a published address or port: judged where it comes in, since from there on it has a node address',
      ),
      rule(
        'ip6 daddr @privateSubnets6 ct original ip6 daddr != @serviceAddresses6 ip6 saddr . ip6 daddr != @privateFrom6 counter name "droppedPrivate" drop',
      ),
    ]),
    chain('intoPrivate', [
      rule('ip daddr @privateSubnets4 goto private'),
      rule('ip6 daddr @privateSubnets6 goto private'),
    ]),
  ];
}
