/**
 * The chains that judge new connections by policy. A packet's priority (of use to queues only, and set on every packet that is routed)
 * holds what is known so far: first the peer's identity, then the class above it. Packet and connection marks are others'.
 */
import { policyIdentities } from '#intent/policy.ts';
import { connectionMarks, nflogGroups } from '#system/registry.ts';
import { auditPrefix } from './audit-prefix.ts';
import { chain, rule } from './chain.ts';
import type { Chain, Rule } from './objects.ts';

export type PolicyDirection = 'ingress' | 'egress';

/** Where pods go whose subject is another pod's of the same name. */
export const closedChain = 'policyClosed';

/** The chain of a class; a class is of one direction. */
export function classChain(direction: PolicyDirection, policyClass: number): string {
  return `policy${direction === 'ingress' ? 'Ingress' : 'Egress'}${policyClass}`;
}

/** Before established connections are accepted: those that a change has forbidden since. */
export function blockedRules(): Rule[] {
  const bit = `0x${connectionMarks.policyDenied.value.toString(16).padStart(8, '0')}`;
  return [
    rule(
      `ct mark & ${bit} == ${bit} counter name "droppedPolicy" drop`,
      'a connection that policy forbids since it began',
    ),
  ];
}

/** The chain of such a name; `undefined` for any other name. */
export function classChainOnDemand(name: string): Chain | undefined {
  const match = /^policy(Ingress|Egress)([1-9]\d*)$/.exec(name);
  if (match === null) return undefined;
  const direction = match[1]!;
  const policyClass = Number(match[2]);
  const prefix = auditPrefix({ direction: direction === 'Ingress' ? 'ingress' : 'egress', policyClass });
  return chain(name, [
    rule(`jump policy${direction}Peer`),
    rule(`meta priority set meta priority | ${(policyClass << 4).toString(16)}:0`),
    rule('jump policyJudge'),
    rule(
      `meta priority != none limit rate 5/second burst 5 packets log prefix "${prefix}" group ${nflogGroups.policyAudit.value} snaplen 128`,
      'passes since the policy that forbids it is in audit mode',
    ),
    rule('meta priority set none'),
  ]);
}

/** Called for new connections, `policyEgress` and `policyIngress` return for those that may pass. */
export function policyChains(): Chain[] {
  return [
    chain('policyPass', [rule('meta priority set none')]),
    chain('policyDeny', [
      rule(
        'icmp type destination-unreachable goto policyPass',
        'errors of a connection that is not known any more',
      ),
      rule('icmp type time-exceeded goto policyPass'),
      rule('icmp type parameter-problem goto policyPass'),
      rule('icmpv6 type < echo-request goto policyPass'),
      rule('counter name "droppedPolicy" drop'),
    ]),
    chain(closedChain, [
      rule('counter name "droppedPolicy" drop', 'what is known of this pod is of another one of its name'),
    ]),
    ...judgeChains(),
    ...(['Ingress', 'Egress'] as const).flatMap(directionChains),
  ];
}

function directionChains(direction: 'Ingress' | 'Egress'): Chain[] {
  const [own, peer] = direction === 'Ingress' ? ['daddr', 'saddr'] : ['saddr', 'daddr'];
  const classes = `${direction.toLowerCase()}Classes`;
  const identity = (value: number) => `meta priority set 0:${value.toString(16)}`;
  return [
    chain(`policy${direction}Peer`, [
      rule('meta priority set none'),
      rule(
        `ip saddr . ip daddr @hairpin4 ${identity(policyIdentities.itself)} return`,
        'itself, through a Service',
      ),
      rule(`ip6 saddr . ip6 daddr @hairpin6 ${identity(policyIdentities.itself)} return`),
      rule(`meta priority set ip ${peer} map @identities4 return`),
      rule(`meta priority set ip6 ${peer} map @identities6 return`),
      rule(`meta priority set ip ${peer} map @identityPrefixes4 return`),
      rule(`meta priority set ip6 ${peer} map @identityPrefixes6 return`),
      rule(
        `ip ${peer} @podSubnets4 ${identity(policyIdentities.unknownPod)}`,
        'a pod that this node has not heard of',
      ),
      rule(`ip6 ${peer} @podSubnets6 ${identity(policyIdentities.unknownPod)}`),
    ]),
    chain(`policy${direction}`, [rule(`ip ${own} vmap @${classes}4`), rule(`ip6 ${own} vmap @${classes}6`)]),
  ];
}

/** Returns for what passes; the priority is left as it is for what passes and is to be told of. */
function judgeChains(): Chain[] {
  const port = 'meta priority . meta l4proto . th dport';
  const protocol = 'meta priority . meta l4proto';
  const ported = (target: string) =>
    [6, 17, 132].map((number) => rule(`meta l4proto ${number} goto ${target}`));
  return [
    chain('policyAuditing', [
      rule(`${port} @auditPorts return`),
      rule(`${protocol} @auditProtocols return`),
      rule(`${port} @auditRanges return`),
      ...ported('policyPass'),
      rule('meta priority @auditOthers return'),
      rule('goto policyPass'),
    ]),
    chain('policyAllow', [
      rule('meta priority @policyAudited goto policyAuditing'),
      rule('meta priority set none'),
    ]),
    chain('policyOpenPorts', [
      rule(`${port} @policyPorts goto policyDeny`),
      rule(`${port} @policyRanges goto policyDeny`),
      rule('goto policyAllow'),
    ]),
    chain('policyClosedPorts', [
      rule(`${port} @policyPorts goto policyAllow`),
      rule(`${port} @policyRanges goto policyAllow`),
      rule('goto policyDeny'),
    ]),
    chain('policyOpenProtocols', [
      rule(`${protocol} @policyProtocols goto policyClosedPorts`),
      rule('goto policyOpenPorts'),
    ]),
    chain('policyPorted', [
      rule('meta priority @policyOpen goto policyOpenProtocols'),
      rule(`${protocol} @policyProtocols goto policyOpenPorts`),
      rule('goto policyClosedPorts'),
    ]),
    chain('policyOpenOthers', [
      rule('meta priority @policyOthers goto policyDeny'),
      rule('goto policyAllow'),
    ]),
    chain('policyJudge', [
      rule(
        'meta priority != @policySpecial meta priority set meta priority & fff0:0',
        'the class has no decision of its own for this identity',
      ),
      ...ported('policyPorted'),
      rule('meta priority @policyOpen goto policyOpenOthers'),
      rule('meta priority @policyOthers goto policyAllow'),
      rule('goto policyDeny'),
    ]),
  ];
}
