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

/** The chain of a class; a class is of one direction. `audits`: of a node where something is let through that is to be told of. */
export function classChain(direction: PolicyDirection, policyClass: number, audits = false): string {
  return `policy${direction === 'ingress' ? 'Ingress' : 'Egress'}${policyClass}${audits ? auditing : ''}`;
}

const auditing = 'Audit';

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
  const match = /^policy(Ingress|Egress)([1-9]\d*)(Audit)?$/.exec(name);
  if (match === null) return undefined;
  const direction = match[1]!;
  const policyClass = Number(match[2]);
  const ofClass = `meta priority | ${(policyClass << 4).toString(16)}:0`;
  const peer = rule(`jump policy${direction}Peer`);
  const judge = [rule(`meta priority set ${ofClass}`), rule('jump policyJudge')];
  if (match[3] === undefined)
    return chain(name, [peer, ...firstQuestions(ofClass, 'goto policyPass'), ...judge, ended]);
  const prefix = auditPrefix({ direction: direction === 'Ingress' ? 'ingress' : 'egress', policyClass });
  return chain(name, [
    peer,
    ...judge,
    rule(
      `meta priority != none limit rate 5/second burst 5 packets log prefix "${prefix}" group ${nflogGroups.policyAudit.value} snaplen 128`,
      'passes since the policy that forbids it is in audit mode',
    ),
    ended,
  ]);
}

const ended = rule('meta priority set none');

/** What passes most often is asked first, and what decides also counts. */
function firstQuestions(pair: string, pass: string): Rule[] {
  return [
    rule(`counter name ${pair} . meta l4proto . th dport map @policyAllowedPorts ${pass}`),
    rule(`counter name ${pair} map @policyAllowed ${pass}`),
  ];
}

/** Called for new connections, `policyEgress` and `policyIngress` return for those that may pass. */
export function policyChains(audits: boolean): Chain[] {
  return [
    chain('policyPass', [ended]),
    chain('policyDeny', [
      ...errors(),
      rule(`counter name meta priority map @policyPlain ${dropped}`),
      rule(`counter name meta priority map @policyMixed ${dropped}`),
      rule(`counter name meta priority map @policyElse ${dropped}`),
      rule(dropped, 'of a class of which nothing is known'),
    ]),
    chain('policyDenyOther', [
      ...errors(),
      rule(`counter name meta priority map @policyDeniedOthers ${dropped}`),
      rule('goto policyDeny'),
    ]),
    chain('policyItself', [rule(identity(policyIdentities.itself))]),
    chain(closedChain, [rule(dropped, 'what is known of this pod is of another one of its name')]),
    ...(audits ? auditChains() : []),
    ...(audits ? judgeChains('goto policyAllow', firstQuestions) : judgeChains('return')),
    ...(['Ingress', 'Egress'] as const).flatMap(directionChains),
  ];
}

const dropped = 'counter name "droppedPolicy" drop';
const port = 'meta priority . meta l4proto . th dport';
const protocol = 'meta priority . meta l4proto';
const ported = (target: string) =>
  [6, 17, 132].map((number) => rule(`meta l4proto ${number} goto ${target}`));

function errors(): Rule[] {
  return [
    rule(
      'icmp type destination-unreachable goto policyPass',
      'errors of a connection that is not known any more',
    ),
    rule('icmp type time-exceeded goto policyPass'),
    rule('icmp type parameter-problem goto policyPass'),
    rule('icmpv6 type < echo-request goto policyPass'),
  ];
}

/** What tells a judgement that the peer is the pod itself: a priority that no packet comes with, and no judgement leaves behind. */
export const markedItself = 'ffff:2';
const identity = (value: number) => `meta priority set 0:${value.toString(16)}`;

/** The judgements of a translated connection; `elsewhere` is where a pod goes that reaches itself through a Service. */
export function judgedTranslated(elsewhere: string): Rule[] {
  return [
    rule(`ip saddr . ip daddr @hairpin4 goto ${elsewhere}`, 'itself, through a Service'),
    rule(`ip6 saddr . ip6 daddr @hairpin6 goto ${elsewhere}`),
    rule('jump policyEgress'),
    rule('jump policyIngress'),
  ];
}

export function judgedItself(): Rule[] {
  const mark = rule(`meta priority set ${markedItself}`);
  return [mark, rule('jump policyEgress'), mark, rule('jump policyIngress'), ended];
}

function directionChains(direction: 'Ingress' | 'Egress'): Chain[] {
  const [own, peer] = direction === 'Ingress' ? ['daddr', 'saddr'] : ['saddr', 'daddr'];
  const classes = `${direction.toLowerCase()}Classes`;
  return [
    chain(`policy${direction}Peer`, [
      rule(`meta priority ${markedItself} goto policyItself`),
      rule(`meta priority set ip ${peer} map @identities4 return`),
      rule(`meta priority set ip6 ${peer} map @identities6 return`),
      rule(`meta priority set ip ${peer} map @identityPrefixes4 return`),
      rule(`meta priority set ip6 ${peer} map @identityPrefixes6 return`),
      ended,
      rule(
        `ip ${peer} @podSubnets4 ${identity(policyIdentities.unknownPod)}`,
        'a pod that this node has not heard of',
      ),
      rule(`ip6 ${peer} @podSubnets6 ${identity(policyIdentities.unknownPod)}`),
    ]),
    chain(`policy${direction}`, [rule(`ip ${own} vmap @${classes}4`), rule(`ip6 ${own} vmap @${classes}6`)]),
  ];
}

/**
 * `pass` leads back to the chain of the class, whose rules end the judgement. That chain asks the first questions itself, which saves two
 * steps; but where something is to be told of, `first` asks them.
 */
function judgeChains(pass: string, first: typeof firstQuestions = () => []): Chain[] {
  const passing = (key: string, map: string) => rule(`counter name ${key} map @${map} ${pass}`);
  return [
    chain('policyPorted', [
      rule(`counter name ${port} map @policyDeniedPorts ${dropped}`),
      rule(`counter name ${port} map @policyDeniedRanges ${dropped}`),
      passing(port, 'policyAllowedRanges'),
      passing(protocol, 'policyProtocols'),
      passing('meta priority', 'policyOpen'),
      rule('goto policyDeny'),
    ]),
    chain('policyByProtocol', [
      ...ported('policyPorted'),
      passing('meta priority', 'policyOthers'),
      passing('meta priority', 'policyOpen'),
      rule('goto policyDenyOther'),
    ]),
    chain('policyJudge', [
      ...first('meta priority', pass),
      rule('meta priority @policyPlain goto policyDeny'),
      rule('meta priority @policyMixed goto policyByProtocol'),
      rule(
        'meta priority set meta priority & fff0:0',
        'the class has no decision of its own for this identity',
      ),
      rule('meta priority @policyPlain goto policyDeny'),
      ...firstQuestions('meta priority', pass),
      rule('meta priority @policyMixed goto policyByProtocol'),
      rule('goto policyDeny'),
    ]),
  ];
}

/** What passes and is to be told of leaves the priority as it is. */
function auditChains(): Chain[] {
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
  ];
}
