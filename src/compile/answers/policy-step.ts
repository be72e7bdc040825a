/** What policy says of one direction, made short: what decided, or who isolates and which rule came nearest. */
import { formatOrigin, type Origin } from '#intent/origin.ts';
import type { PolicyDirection } from '#model/policy.ts';
import { judge } from '../policy/decide.ts';
import { flowPeer, namesTaking, peerMiss } from '../policy/peer.ts';
import type { PolicyEnd, PolicyFlow, PolicySnapshot, PolicyStep } from '../policy/snapshot.ts';
import type { Party } from './parties.ts';

export type PolicyAnswer = {
  readonly kind: PolicyDirection;
  /** `pod shop/web-0`, whose policies are asked. */
  readonly subject: string;
  readonly outcome: 'allowed' | 'denied' | 'audit';
  /** Of the policy and rule that decided; absent: no policy did. */
  readonly origin?: Origin;
  readonly text: string;
  /** Where no rule decided: the policies that isolate the pod. */
  readonly isolatedBy: readonly string[];
  /** The rule that came nearest to allowing it, and what it lacks. */
  readonly nearest?: { readonly policy: string; readonly rule: string; readonly because: string };
  /** All that was asked, in order. */
  readonly asked: readonly PolicyStep[];
};

export type AskedFlow = {
  readonly from: Party;
  readonly to: Party;
  readonly protocol: PolicyFlow['protocol'];
  readonly port: number;
  readonly hairpin: boolean;
};

const outcomes = { allow: 'allowed', deny: 'denied', audit: 'audit' } as const;

export function judgedStep(
  snapshot: PolicySnapshot,
  direction: PolicyDirection,
  { from, to, protocol, port, hairpin }: AskedFlow,
): PolicyAnswer {
  const { family } = from;
  const flow: PolicyFlow = {
    from: endOf(from),
    to: endOf(to),
    protocol,
    port,
    family,
    ...(hairpin ? { hairpin: true } : {}),
  };
  const { verdict, origin, steps } = judge(snapshot, direction, flow);
  const isDefault = verdict !== 'allow' && origin !== undefined && origin.rule === undefined;
  const isolatedBy = isDefault
    ? steps.filter(({ outcome }) => outcome === 'isolates').map(({ policy }) => policy)
    : [];
  const near = isDefault ? nearestRule(snapshot, direction, flow, steps) : undefined;
  const subject = (direction === 'egress' ? from : to).name;
  return {
    kind: direction,
    subject,
    outcome: outcomes[verdict],
    ...(origin === undefined ? {} : { origin }),
    text: textOf(snapshot, subject, direction, { verdict, origin, steps, isDefault, flow }),
    isolatedBy,
    ...(near === undefined ? {} : { nearest: near }),
    asked: steps,
  };
}

function endOf({ key, address }: Party): PolicyEnd {
  return key === undefined ? { kind: 'address', address } : { kind: 'pod', key };
}

type Told = {
  readonly verdict: 'allow' | 'deny' | 'audit';
  readonly origin: Origin | undefined;
  readonly steps: readonly PolicyStep[];
  readonly isDefault: boolean;
  readonly flow: PolicyFlow;
};

function textOf(
  snapshot: PolicySnapshot,
  subject: string,
  direction: PolicyDirection,
  { verdict, origin, steps, isDefault, flow }: Told,
): string {
  if (isDefault) {
    const names = steps
      .filter(({ outcome }) => outcome === 'isolates')
      .map(({ policy }) => formatOrigin(snapshot.policies.get(policy)?.origin ?? { kind: '', name: policy }));
    const audit = verdict === 'audit' ? ', in audit mode' : '';
    const isolating = steps.filter(({ outcome }) => outcome === 'isolates');
    const hasRules = isolating.some(({ policy }) => snapshot.policies.get(policy)?.[direction]?.length);
    const why = hasRules ? 'no rule takes this connection' : 'no rule allows anything';
    return `isolated by ${names.join(', ')}${audit}: ${why}`;
  }
  if (origin !== undefined)
    return `by ${formatOrigin(origin)}${verdict === 'audit' ? ', in audit mode' : ''}${byName(snapshot, direction, flow, steps)}`;
  const exempt = steps.find(({ tier, outcome }) => tier === 'network' && outcome === 'accept');
  if (exempt !== undefined) return exempt.because;
  return steps.length === 0
    ? `no policy selects ${subject} for ${direction}`
    : 'no rule of the policies that select it says otherwise';
}

/** An address says nothing to who wrote a name. */
function byName(
  snapshot: PolicySnapshot,
  direction: PolicyDirection,
  flow: PolicyFlow,
  steps: readonly PolicyStep[],
): string {
  const step = steps.find(({ outcome, rule }) => outcome === 'accept' && rule !== undefined);
  const rule = snapshot.policies
    .get(step?.policy ?? '')
    ?.[direction]?.find(({ field }) => field === step?.rule);
  const peer = flowPeer(snapshot, direction === 'egress' ? flow.to : flow.from, flow.family);
  const names = rule === undefined ? [] : namesTaking(snapshot, rule, peer);
  return names.length === 0 ? '' : `: its node was told ${peer.address ?? peer.text} for ${names.join(', ')}`;
}

/** Rather one that takes the peer, and lacks the port: it is what the author meant for them. */
function nearestRule(
  snapshot: PolicySnapshot,
  direction: PolicyDirection,
  flow: PolicyFlow,
  steps: readonly PolicyStep[],
): PolicyAnswer['nearest'] {
  const peer = flowPeer(snapshot, direction === 'egress' ? flow.to : flow.from, flow.family);
  const misses = steps.flatMap(({ tier, outcome, policy, rule, because }) =>
    tier === 'network' && outcome === 'no match' && rule !== undefined ? [{ policy, rule, because }] : [],
  );
  const takesPeer = misses.find(({ policy, rule }) => {
    const found = snapshot.policies.get(policy)?.[direction]?.find(({ field }) => field === rule);
    return found !== undefined && peerMiss(snapshot, found, peer) === undefined;
  });
  return takesPeer ?? misses[0];
}
