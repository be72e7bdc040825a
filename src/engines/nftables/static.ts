/**
 * The static part of the table: base chains and what they call. Depends on the node's own addresses, on whether there are routed or
 * underlay Subnets, and on whether policy restricts a pod.
 */
import { hookPriorities, ports } from '#system/registry.ts';
import { base, chain, rule } from './chain.ts';
import { dnsAnswerChains } from './dns-answers.ts';
import { fromOurs, fromPod, guardChains, toPod, toTunnel } from './guards.ts';
import { type Chain, hookBody, printRule, type Rule, tableName } from './objects.ts';
import { blockedRules, judgedItself, judgedTranslated, policyChains } from './policy-chains.ts';
import { privateChains } from './private.ts';
import { namedSets } from './sets.ts';
import { frontend, original } from './shared-chains.ts';

export type StaticContext = {
  /** The node's underlay address of each family, if it has one. */
  readonly address4?: string | undefined;
  readonly address6?: string | undefined;
  /** Whether there are routed or underlay Subnets. */
  readonly routed?: boolean | undefined;
  /** Whether policy restricts a pod of this node. */
  readonly policy?: boolean | undefined;
  /** Whether policy lets something through that is to be told of. */
  readonly audits?: boolean | undefined;
  /** Routers are told of addresses of Services. */
  readonly announces?: boolean | undefined;
  /** Whether policy allows names to a pod of this node. */
  readonly names?: boolean | undefined;
};

export const counters = [
  'droppedTunnel',
  'droppedSource',
  'droppedOutside',
  'droppedDelivery',
  'droppedSourceRange',
  'droppedPrivate',
  'droppedPolicy',
] as const;

const vxlan = ports.vxlan.value;
const detector = ports.detector.value;

/** All chains but those that services demand (`chainOnDemand` in shared-chains.ts). Order: a chain stands before the ones that call it. */
export function staticChains(context: StaticContext): readonly Chain[] {
  return [
    ...guardChains(context),
    ...serviceChains(),
    ...policyChains(context.audits === true),
    ...filterChains(context),
    ...publishedChains(context),
    masqueradeChain(context),
    ...(context.names ? dnsAnswerChains() : []),
  ];
}

/** The static ruleset as a file for `nft -f`: what testdata holds and what a reader wants to see. */
export function printStatic(context: StaticContext): string {
  const lines = [`table ${tableName} {`];
  for (const name of counters) lines.push(`\tcounter ${name} {`, '\t}', '');
  for (const set of namedSets) {
    lines.push(`\t${set.kind} ${set.name} {`, `\t\t${set.definition}`);
    if (set.size !== undefined) lines.push(`\t\tsize ${set.size}`);
    if (set.flags.length > 0) lines.push(`\t\tflags ${set.flags.join(',')}`);
    lines.push('\t}', '');
  }
  for (const chain of staticChains(context)) {
    lines.push(`\tchain ${chain.name} {`);
    if (chain.hook !== undefined) lines.push(`\t\t${hookBody(chain.hook).slice(3, -2)}`);
    lines.push(...chain.rules.map((rule) => `\t\t${printRule(rule)}`), '\t}', '');
  }
  lines[lines.length - 1] = '}';
  return `${lines.join('\n')}\n`;
}

function serviceChains(): Chain[] {
  const translate = (unserved: string): Rule[] => [
    rule(`${frontend('ip')} vmap @services4`),
    rule(`${frontend('ip6')} vmap @services6`),
    rule(`ip daddr @serviceAddresses4 goto ${unserved}`, 'no endpoints, or a port nobody serves'),
    rule(`ip6 daddr @serviceAddresses6 goto ${unserved}`),
    rule('ip daddr @serviceRanges4 drop', 'a Service address that is not given out'),
    rule('ip6 daddr @serviceRanges6 drop'),
  ];
  return [
    chain('refuse', [rule('meta l4proto 6 reject with tcp reset'), rule('reject')]),
    chain('refuseInside', [
      rule(`${fromOurs} goto refuse`),
      rule('ip saddr @nodes4 goto refuse'),
      rule('ip6 saddr @nodes6 goto refuse'),
      rule('ip saddr @podSubnets4 goto refuse'),
      rule('ip6 saddr @podSubnets6 goto refuse'),
      rule('counter name "droppedOutside" drop', 'Service address from outside'),
    ]),
    base('serviceDnat', 'nat', 'prerouting', hookPriorities.serviceDnat.value, translate('refuseInside')),
    base('serviceOutputDnat', 'nat', 'output', hookPriorities.serviceOutputDnat.value, translate('refuse')),
  ];
}

/** Translated packets have another destination by now. */
function unserved(): Rule[] {
  const dropped = 'counter name "droppedOutside" drop';
  return [
    rule(
      `ip daddr @announced4 ${dropped}`,
      'no Service is at this port: it would go back to the router, which would send it here again',
    ),
    rule(`ip6 daddr @announced6 ${dropped}`),
    rule(`ip daddr @aggregates4 ${dropped}`, 'no Service has this address of an announced prefix'),
    rule(`ip6 daddr @aggregates6 ${dropped}`),
  ];
}

function filterChains({ policy, announces }: StaticContext): Chain[] {
  const priority = hookPriorities.filter.value;
  const inside: Rule[] = [
    rule(`${fromOurs} accept`),
    rule('ip saddr @nodes4 accept', 'another node'),
    rule('ip6 saddr @nodes6 accept'),
    rule('ip saddr @podSubnets4 accept', 'a pod of another node: judged by guard or routedGuard'),
    rule('ip6 saddr @podSubnets6 accept'),
  ];
  const noService: Rule[] = [
    rule(
      'ct status dnat ct original ip daddr @serviceAddresses4 counter name "droppedOutside" drop',
      'Service address from outside',
    ),
    rule('ct status dnat ct original ip6 daddr @serviceAddresses6 counter name "droppedOutside" drop'),
  ];
  const established = (more = '') => [
    ...(policy ? blockedRules() : []),
    rule(`ct state established,related${more} accept`),
  ];
  const onward: Rule[] = [rule('jump learn'), rule('jump intoPrivateByPublished'), rule('goto forwardOn')];
  const judged: Rule[] = policy ? [rule('jump policyEgress'), rule('jump policyIngress')] : [];
  return [
    chain('learn', [rule(`${original('ip')} vmap @learners4`), rule(`${original('ip6')} vmap @learners6`)]),
    chain('delivery', [
      rule('oifname . ip daddr @podAddresses4 return'),
      rule('oifname . ip6 daddr @podAddresses6 return'),
      rule(
        'counter name "droppedDelivery" drop',
        'not an address of this pod, or a device that nobody knows',
      ),
    ]),
    chain('arriving', [
      ...inside,
      rule('ip saddr . ip daddr @allowedFrom4 accept', 'Subnet allowInboundFrom'),
      rule('ip6 saddr . ip6 daddr @allowedFrom6 accept'),
      ...noService,
      rule(
        'ct status dnat ct original ip daddr != @podSubnets4 accept',
        'published on the node by another: hostPort',
      ),
      rule('ct status dnat ct original ip6 daddr != @podSubnets6 accept'),
      rule('ip daddr @podSubnets4 counter name "droppedOutside" drop', 'pod address from outside'),
      rule('ip6 daddr @podSubnets6 counter name "droppedOutside" drop'),
      rule(
        `${toPod} counter name "droppedOutside" drop`,
        'a pod whose address was excluded from its underlay Subnet since',
      ),
    ]),
    ...privateChains(),
    chain('stray', [
      rule('ip daddr @serviceAddresses4 drop', 'no connection known, so nothing to translate it by'),
      rule('ip6 daddr @serviceAddresses6 drop'),
      rule('icmp type destination-unreachable accept', 'errors open nothing, and path MTU needs them'),
      rule('icmp type time-exceeded accept'),
      rule('icmp type parameter-problem accept'),
      rule('icmpv6 type < echo-request accept'),
      ...judged,
      rule(`${toPod} jump intoPrivate`),
      rule('goto arriving'),
    ]),
    chain('forwardOn', [
      rule(`${toPod} jump delivery`),
      rule(`${toPod} jump intoPrivate`),
      rule(
        `${fromPod} ip daddr . meta l4proto . th dport @bgpSpeakers4 counter name "droppedSource" drop`,
        "masqueraded it would speak BGP to a router with the node's address",
      ),
      rule(`${fromPod} ip6 daddr . meta l4proto . th dport @bgpSpeakers6 counter name "droppedSource" drop`),
      ...(announces ? unserved() : []),
      rule('goto arriving'),
    ]),
    chain('forwardItself', [...(policy ? judgedItself() : []), ...onward]),
    chain('forwardTranslated', [...(policy ? judgedTranslated('forwardItself') : []), ...onward]),
    base('filterForward', 'filter', 'forward', priority, [
      ...established(),
      rule(
        `udp dport ${vxlan} ip daddr @nodes4 counter name "droppedTunnel" drop`,
        'nobody reaches a tunnel through us, not by a Service either',
      ),
      rule(`udp dport ${vxlan} ip6 daddr @nodes6 counter name "droppedTunnel" drop`),
      rule(
        `udp dport ${detector} ip daddr @nodes4 counter name "droppedSource" drop`,
        "masqueraded it would come with a node's address",
      ),
      rule(`udp dport ${detector} ip6 daddr @nodes6 counter name "droppedSource" drop`),
      rule('ct state invalid goto stray'),
      rule('ct status dnat goto forwardTranslated'),
      ...judged,
      rule('goto forwardOn'),
    ]),
    chain('translated', [rule('jump learn'), rule('iif "lo" accept'), ...inside, ...noService]),
    chain('toDetector', [
      rule(`${fromOurs} counter name "droppedSource" drop`, 'nodes alone tell each other who is dead'),
      rule('ip saddr @nodes4 return'),
      rule('ip6 saddr @nodes6 return'),
      rule('counter name "droppedSource" drop'),
    ]),
    base('filterInput', 'filter', 'input', priority, [
      ...established(',untracked'),
      rule(
        `udp dport ${vxlan} counter name "droppedTunnel" drop`,
        'guard does not track what may reach the tunnel',
      ),
      rule(`udp dport ${detector} jump toDetector`),
      ...(policy ? [rule('jump policyEgress', 'pod to its own node')] : []),
      rule('ct status dnat goto translated'),
    ]),
    base('filterOutput', 'filter', 'output', priority, [
      rule('ct state established,related,untracked accept'),
      rule('ct status dnat jump learn'),
      rule(`${toPod} jump delivery`),
    ]),
  ];
}

/**
 * What becomes of the client's address behind an address that the outside reaches too. A pod of this node keeps its own: the
 * answer comes by here anyway. `clientReplaced`: the backend may be anywhere, and its answer must come back through this node.
 * `clientKept`: the backend is here; only the node itself may have come with an address (the frontend's) that leads nowhere.
 */
function publishedChains(context: StaticContext): Chain[] {
  const chains = (ip: 'ip' | 'ip6', family: 4 | 6, address: string | undefined): Chain[] => [
    chain(`clientReplaced${family}`, [
      rule(`${fromPod} return`),
      rule(`${toTunnel} masquerade fully-random`, 'the other end takes inner sources of our blocks only'),
      ...(address === undefined ? [] : [rule(`snat ${ip} to ${address} fully-random`)]),
    ]),
    chain(
      `clientKept${family}`,
      address === undefined
        ? []
        : [rule(`fib saddr type local ${ip} saddr != ${address} goto clientReplaced${family}`)],
    ),
  ];
  return [...chains('ip', 4, context.address4), ...chains('ip6', 6, context.address6)];
}

/** Hairpin takes an explicit address: `masquerade` would pick the one of the pod's link, which has none. */
function masqueradeChain(context: StaticContext): Chain {
  const hairpin = (ip: 'ip' | 'ip6', family: 4 | 6, address: string | undefined): Rule[] =>
    address === undefined
      ? []
      : [
          rule(
            `ct status dnat ${ip} saddr . ${ip} daddr @hairpin${family} snat ${ip} to ${address} fully-random`,
            'a pod that reached itself through a Service',
          ),
        ];
  return base('sourceNat', 'nat', 'postrouting', hookPriorities.masquerade.value, [
    ...hairpin('ip', 4, context.address4),
    ...hairpin('ip6', 6, context.address6),
    rule(
      `ct status dnat ${original('ip')} vmap @published4`,
      'a Service by an address that the outside reaches',
    ),
    rule(`ct status dnat ${original('ip6')} vmap @published6`),
    rule(`${toPod} accept`),
    rule(
      `${toTunnel} ip saddr != @podSubnets4 masquerade fully-random`,
      'the other end takes inner sources of our blocks only: use the tunnel address',
    ),
    rule(`${toTunnel} ip6 saddr != @podSubnets6 masquerade fully-random`),
    rule(`${toTunnel} accept`),
    rule('ip daddr @podSubnets4 accept'),
    rule('ip6 daddr @podSubnets6 accept'),
    rule('ip saddr @routedSubnets4 ip daddr @nodes4 accept', 'nodes know the way back to routed pods'),
    rule('ip6 saddr @routedSubnets6 ip6 daddr @nodes6 accept'),
    rule(
      'ip saddr @podSubnets4 ip daddr @nodes4 masquerade fully-random',
      'overlay pod to another node: its answer must come without tunnel',
    ),
    rule('ip6 saddr @podSubnets6 ip6 daddr @nodes6 masquerade fully-random'),
    rule('ip saddr @masqueraded4 masquerade fully-random', 'Subnet outboundAddress Node'),
    rule('ip6 saddr @masqueraded6 masquerade fully-random'),
  ]);
}
