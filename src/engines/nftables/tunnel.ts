/** The chains that judge what comes out of the tunnel, and keep its outer packets out of connection tracking. */
import { hookPriorities, numbers, ports } from '#system/registry.ts';
import { base, chain, rule } from './chain.ts';
import type { Chain, Rule } from './objects.ts';
import type { StaticContext } from './static.ts';

const vxlan = ports.vxlan.value;

/**
 * Inner headers are raw payload behind the 8 bytes of UDP (RFC 7348 §5): VXLAN flags at bit 64, VNI at 96, inner Ethernet type at
 * 224 (a VLAN tag would stand there), inner IPv4 source at 336, inner IPv6 source at 304.
 */
export function tunnelChains(context: StaticContext): Chain[] {
  const inner = (type: string, bits: string, outer: 'ip' | 'ip6', set: string): Rule =>
    rule(`@th,224,16 ${type} ${outer} saddr . @th,${bits} @${set} notrack accept`);
  const own = (ip: 'ip' | 'ip6', address: string | undefined): Rule[] =>
    address === undefined ? [] : [rule(`${ip} daddr ${address} goto tunnelSource`)];
  const header = (0x08n << 48n) | BigInt(numbers.vni.value);
  return [
    chain('tunnelSource', [
      rule(
        `@th,64,56 != 0x${header.toString(16)} goto tunnelForged`,
        'flags: a VNI and nothing else; our VNI',
      ),
      inner('0x800', '336,32', 'ip', 'tunnelSources4in4'),
      inner('0x86dd', '304,128', 'ip', 'tunnelSources6in4'),
      inner('0x800', '336,32', 'ip6', 'tunnelSources4in6'),
      inner('0x86dd', '304,128', 'ip6', 'tunnelSources6in6'),
      rule('goto tunnelForged', 'unknown peer, or an inner source that is not the peer own'),
    ]),
    chain('tunnelForged', [rule('counter name "droppedTunnel" drop')]),
    chain('tunnelArrival', [
      ...own('ip', context.address4),
      ...own('ip6', context.address6),
      rule(
        'fib daddr type != unicast goto tunnelSource',
        'whatever the tunnel socket would take: local, broadcast, multicast',
      ),
    ]),
    base('tunnelGuard', 'filter', 'prerouting', hookPriorities.tunnelGuard.value, [
      rule(`udp dport ${vxlan} goto tunnelArrival`),
    ]),
    base('tunnelOutput', 'filter', 'output', hookPriorities.tunnelGuard.value, [
      rule(
        `udp dport ${vxlan} ip daddr @nodes4 notrack accept`,
        'each inner connection would be an outer one, too, and cost a tenth of the way',
      ),
      rule(`udp dport ${vxlan} ip6 daddr @nodes6 notrack accept`),
    ]),
  ];
}
