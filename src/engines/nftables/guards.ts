/**
 * The chains that judge where a packet comes from, before anything else sees it: what comes out of the tunnel, what pods send, and
 * pod addresses on any other device. Every packet passes here, so the order is that of the busiest ways and devices are told by group.
 */
import { hookPriorities, linkGroups, links, numbers, ports } from '#system/registry.ts';
import { base, chain, rule } from './chain.ts';
import type { Chain, Rule } from './objects.ts';
import type { StaticContext } from './static.ts';
import { blockMask } from './tunnel-sources.ts';

export const fromPod = `iifgroup ${linkGroups.pods.value}`;
/** By name, so that a device with our prefix that nobody knows is met, too. */
export const toPod = `oifname "${links.podPrefix.value}*"`;
export const fromTunnel = `iifgroup ${linkGroups.tunnel.value}`;
export const toTunnel = `oifgroup ${linkGroups.tunnel.value}`;
/** From a device of ours, whichever. */
export const fromOurs = `iifgroup ${linkGroups.pods.value}-${linkGroups.tunnel.value}`;

const tunnel = `"${links.tunnel.value}"`;
const vxlan = ports.vxlan.value;

export function guardChains(context: StaticContext): Chain[] {
  return [
    tunnelArrival(),
    ...podChains(),
    base('guard', 'filter', 'prerouting', hookPriorities.guard.value, [
      rule(`${fromPod} goto podSource`),
      rule(`${fromTunnel} accept`, 'judged by tunnelArrival when it came in its outer packet'),
      rule(`udp dport ${vxlan} jump tunnelArrival`),
      rule('iif "lo" accept'),
      rule(
        `iifname "${links.podPrefix.value}*" goto podSource`,
        'not in its group: nobody knows it, or not yet',
      ),
      rule('ip saddr @podSubnets4 goto foreignSource'),
      rule('ip6 saddr @podSubnets6 goto foreignSource'),
    ]),
    base('tunnelOutput', 'filter', 'output', hookPriorities.guard.value, [
      rule(
        `udp dport ${vxlan} notrack accept`,
        'each inner connection would be an outer one, too, and cost a tenth of the way',
      ),
    ]),
    ...(context.routed ? routedChains() : []),
  ];
}

/**
 * What is found good is not tracked, and only what is not tracked reaches the tunnel's socket (filterInput). Inner headers are raw
 * payload behind the 8 bytes of UDP (RFC 7348 §5): VXLAN flags at bit 64, VNI at 96, inner Ethernet type at 224 (a VLAN tag would
 * stand there), inner IPv4 source at 336, inner IPv6 source at 304.
 */
function tunnelArrival(): Chain {
  const header = `@th,64,56 0x${((0x08n << 48n) | BigInt(numbers.vni.value)).toString(16)}`;
  const source4 = '@th,224,16 0x800 OUTER saddr . @th,336,32';
  const source6 = '@th,224,16 0x86dd OUTER saddr . @th,304,128';
  const judge = (source: string, outer: 'ip' | 'ip6', set: string): Rule =>
    rule(`${header} ${source.replace('OUTER', outer)} @${set} notrack accept`);
  return chain('tunnelArrival', [
    judge(`${source4} & ${blockMask(4)}`, 'ip', 'tunnelBlocks4in4'),
    judge(`${source6} & ${blockMask(6)}`, 'ip', 'tunnelBlocks6in4'),
    judge(`${source4} & ${blockMask(4)}`, 'ip6', 'tunnelBlocks4in6'),
    judge(`${source6} & ${blockMask(6)}`, 'ip6', 'tunnelBlocks6in6'),
    judge(source4, 'ip', 'tunnelSources4in4'),
    judge(source6, 'ip', 'tunnelSources6in4'),
    judge(source4, 'ip6', 'tunnelSources4in6'),
    judge(source6, 'ip6', 'tunnelSources6in6'),
  ]);
}

function podChains(): Chain[] {
  return [
    chain('podSource', [
      rule('iifname . ip saddr @podAddresses4 accept'),
      rule('iifname . ip6 saddr @podAddresses6 accept'),
      rule('ip6 saddr fe80::/10 drop', 'link-local chatter: both ends have permanent neighbours'),
      rule(
        'ip6 saddr :: drop',
        'duplicate address detection on a link of two: no answer is the right answer',
      ),
      rule('counter name "droppedSource" drop', 'not an address of this pod, or a device that nobody knows'),
    ]),
    chain('foreignSource', [
      rule('ip saddr @routedSubnets4 accept', 'judged by routedGuard'),
      rule('ip6 saddr @routedSubnets6 accept'),
      rule('fib saddr . iif oif exists accept', 'the route to this pod leaves by the device it came from'),
      rule(
        `ip daddr @routedSubnets4 fib saddr oifname ${tunnel} accept`,
        'overlay pod to routed pod: comes without tunnel, answers go through it',
      ),
      rule(`ip6 daddr @routedSubnets6 fib saddr oifname ${tunnel} accept`),
      rule(
        `ip saddr != @crossSubnets4 ip daddr @crossSubnets4 fib saddr oifname ${tunnel} accept`,
        'the same towards a pod of this L2; between pods of cross-subnet Subnets the way is the same both ways',
      ),
      rule(`ip6 saddr != @crossSubnets6 ip6 daddr @crossSubnets6 fib saddr oifname ${tunnel} accept`),
      rule('counter name "droppedSource" drop', 'pod address on the wrong device, or one that nobody has'),
    ]),
  ];
}

/** Stands behind connection tracking and only where there are routed or underlay Subnets: nobody else pays for a second look. */
function routedChains(): Chain[] {
  return [
    chain('routedSource', [
      rule(
        'ct state established,related accept',
        'asked when it began; a route lookup for each packet costs IPv6 a tenth of its speed',
      ),
      rule('fib saddr . iif oif exists accept', 'the route to this pod leaves by the device it came from'),
      rule('counter name "droppedSource" drop', 'pod address on the wrong device, or one that nobody has'),
    ]),
    base('routedGuard', 'filter', 'prerouting', hookPriorities.routedGuard.value, [
      rule(`${fromOurs} accept`),
      rule('iif "lo" accept'),
      rule(
        'ip saddr . ip saddr @hairpin4 counter name "droppedSource" drop',
        'a pod of this node sends through its own device only, also within a connection that stands',
      ),
      rule('ip6 saddr . ip6 saddr @hairpin6 counter name "droppedSource" drop'),
      rule('ip saddr @routedSubnets4 goto routedSource'),
      rule('ip6 saddr @routedSubnets6 goto routedSource'),
    ]),
  ];
}
