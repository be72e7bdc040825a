/** What policy says of one flow, read straight from the policies: the oracle of everything that is compiled, and what people are told. */
import type { Origin } from '#intent/origin.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyDirection, PolicyModel, PolicyRule, PolicyTier } from '#model/policy.ts';
import { inOrder, isPolicyPod, rulesOf, takesPod } from './order.ts';
import { type FlowPeer, flowPeer, peerMiss, portMiss } from './peer.ts';
import type { Judgement, PolicyFlow, PolicySnapshot, PolicyStep } from './snapshot.ts';

/**
 * The subject is the destination's pod (ingress) or the source's (egress); what is no pod with a network of its own is not judged, and
 * neither is what its own node sends to a pod. With audited policies left out the answer is what happens; where only they deny, it is
 * `audit`.
 */
export function judge(snapshot: PolicySnapshot, direction: PolicyDirection, flow: PolicyFlow): Judgement {
  const [to, from] = direction === 'ingress' ? [flow.to, flow.from] : [flow.from, flow.to];
  const subject = flowPeer(snapshot, to, flow.family);
  const other = flowPeer(snapshot, from, flow.family);
  const pod = subject.pod;
  const isSelf = pod !== undefined && other.pod === pod;
  const unjudged =
    pod === undefined ||
    !isPolicyPod(pod) ||
    (isSelf && flow.hairpin !== true) ||
    (direction === 'ingress' && other.node !== undefined && other.node === pod.node);
  if (unjudged) return { direction, verdict: 'allow', steps: [] };

  const peer: FlowPeer = isSelf ? { ...other, itself: true } : other;
  const destination = direction === 'ingress' ? subject : peer;
  const asked = inOrder(snapshot.policies.values()).filter(
    (policy) =>
      rulesOf(policy, direction) !== undefined && takesPod(policy.subject, pod, snapshot.namespaces),
  );
  const ask = (policies: readonly PolicyModel[]): Walk =>
    walk({ snapshot, direction, flow, pod, peer, destination }, policies);
  const inForce = ask(asked.filter(({ audit }) => !audit));
  const ifEnforced = ask(asked);
  if (inForce.verdict === 'allow' && ifEnforced.verdict === 'deny') {
    const { audited, origin, steps } = ifEnforced;
    const cause = audited ?? origin;
    return { direction, verdict: 'audit', ...(cause === undefined ? {} : { origin: cause }), steps };
  }
  const { verdict, origin, steps } = inForce;
  return { direction, verdict, ...(origin === undefined ? {} : { origin }), steps };
}

type Case = {
  readonly snapshot: PolicySnapshot;
  readonly direction: PolicyDirection;
  readonly flow: PolicyFlow;
  readonly pod: PodModel;
  readonly peer: FlowPeer;
  readonly destination: FlowPeer;
};

type Walk = {
  readonly verdict: 'allow' | 'deny';
  readonly origin?: Origin;
  /** What an audited policy did to come there: its decision, or else the first thing of one that took part. */
  readonly audited?: Origin;
  readonly steps: readonly PolicyStep[];
};

type Answer = { readonly outcome: 'accept' | 'deny' | 'pass'; readonly origin?: Origin };

/** All of one tier after the other. A tier without an answer, or that passes, leaves it to the next. */
function walk(given: Case, policies: readonly PolicyModel[]): Walk {
  const steps: PolicyStep[] = [];
  const auditedOrigins: Origin[] = [];
  const note = (policy: PolicyModel, origin: Origin): void => {
    if (policy.audit) auditedOrigins.push(origin);
  };
  const end = (answer: Answer): Walk => {
    const audited = auditedOrigins.find((each) => each === answer.origin) ?? auditedOrigins[0];
    return {
      verdict: answer.outcome === 'deny' ? 'deny' : 'allow',
      ...(answer.origin === undefined ? {} : { origin: answer.origin }),
      ...(audited === undefined ? {} : { audited }),
      steps,
    };
  };
  const of = (tier: PolicyTier) => policies.filter((policy) => policy.tier === tier);
  for (const tier of ['admin', 'network', 'baseline'] as const) {
    const answer =
      tier === 'network'
        ? askNetworkPolicies(given, of(tier), steps, note)
        : askInOrder(given, of(tier), steps, note);
    if (answer !== undefined && answer.outcome !== 'pass') return end(answer);
  }
  return end({ outcome: 'accept' });
}

type Note = (policy: PolicyModel, origin: Origin) => void;

/** The first rule that matches, of the first policy that has one. */
function askInOrder(
  given: Case,
  policies: readonly PolicyModel[],
  steps: PolicyStep[],
  note: Note,
): Answer | undefined {
  for (const policy of policies) {
    const rule = firstMatch(given, policy, steps);
    if (rule === undefined) {
      steps.push({ ...stepOf(policy), outcome: 'no match', because: 'none of its rules matches' });
      continue;
    }
    const origin = { ...policy.origin, rule: rule.field };
    note(policy, origin);
    steps.push({ ...stepOf(policy, rule), outcome: rule.action, because: 'peer and port match' });
    return { outcome: rule.action, origin };
  }
  return undefined;
}

/** One rule of one of them is enough. Without any, all of them deny; the first is named. */
function askNetworkPolicies(
  given: Case,
  policies: readonly PolicyModel[],
  steps: PolicyStep[],
  note: Note,
): Answer | undefined {
  const [first] = policies;
  if (first === undefined) return undefined;
  const exempt = alwaysAllowed(given);
  if (exempt !== undefined) {
    steps.push({ ...stepOf(first), outcome: 'accept', because: exempt });
    return { outcome: 'accept' };
  }
  for (const policy of policies) {
    const rule = firstMatch(given, policy, steps);
    if (rule === undefined) {
      const because = `selects pod ${given.pod.namespace}/${given.pod.name} for ${given.direction}, and none of its rules matches`;
      steps.push({ ...stepOf(policy), outcome: 'isolates', because });
      continue;
    }
    const origin = { ...policy.origin, rule: rule.field };
    note(policy, origin);
    steps.push({ ...stepOf(policy, rule), outcome: 'accept', because: 'peer and port match' });
    return { outcome: 'accept', origin };
  }
  for (const policy of policies) note(policy, policy.origin);
  return { outcome: 'deny', origin: first.origin };
}

/** Nodes reach their pods and are reached by them, whatever NetworkPolicies say; so does a pod itself. */
function alwaysAllowed({ direction, pod, peer }: Case): string | undefined {
  if (peer.itself) return 'a NetworkPolicy keeps no pod from itself';
  if (direction === 'egress' && peer.node !== undefined && peer.node === pod.node)
    return `a NetworkPolicy keeps no pod from its own node (${peer.node})`;
  return undefined;
}

/** Tells of rules that fail in one of the two, peer or port; of those that fail in both there is nothing to learn. */
function firstMatch(given: Case, policy: PolicyModel, steps: PolicyStep[]): PolicyRule | undefined {
  for (const rule of rulesOf(policy, given.direction) ?? []) {
    const peer = peerMiss(given.snapshot, rule, given.peer);
    const port = portMiss(rule, given.flow, given.destination);
    if (peer === undefined && port === undefined) return rule;
    if (peer === undefined || port === undefined)
      steps.push({ ...stepOf(policy, rule), outcome: 'no match', because: peer ?? port ?? '' });
  }
  return undefined;
}

function stepOf(policy: PolicyModel, rule?: PolicyRule): Pick<PolicyStep, 'tier' | 'policy' | 'rule'> {
  return { tier: policy.tier, policy: policy.key, ...(rule === undefined ? {} : { rule: rule.field }) };
}
