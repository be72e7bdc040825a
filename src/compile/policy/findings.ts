/** What in the policies of a cluster can't work, or not as its author expects: of policies beside each other and beside the pods. */
import { formatOrigin } from '#intent/origin.ts';
import type { PodsSelector, PolicyDirection, PolicyModel, PolicyPort, PolicyRule } from '#model/policy.ts';
import type { Problem, ProblemCode } from '#model/problem.ts';
import { directions } from './classes.ts';
import { podsContain, ruleContains } from './containment.ts';
import { podsText } from './features.ts';
import { inOrder } from './order.ts';
import {
  describePeer,
  describePods,
  type PolicySummary,
  portToken,
  type Selection,
  selectorsOf,
  selectPods,
  selectsSomebody,
  summaryOf,
} from './selection.ts';
import type { PolicySnapshot } from './snapshot.ts';

export { type PolicySummary, policySummary } from './selection.ts';

/** In the order in which policies are asked. */
export function findPolicyProblems(snapshot: PolicySnapshot): readonly Problem[] {
  return surveyPolicies(snapshot).problems;
}

/** Both answers for one look at all pods. */
export function surveyPolicies(snapshot: PolicySnapshot): {
  readonly problems: readonly Problem[];
  readonly summary: ReadonlyMap<string, PolicySummary>;
} {
  const policies = inOrder(snapshot.policies.values());
  const selection = selectPods(snapshot, [everyPod, ...policies.flatMap(selectorsOf)]);
  const stronger = createStronger();
  const equals = Map.groupBy(policies.filter(isOrdered), placeOf);
  const baseline = policies.filter((each) => each.tier === 'baseline' && isOrdered(each));
  const problems = policies.flatMap((policy) => {
    const found = [
      ...equalPriority(policy, equals.get(placeOf(policy)) ?? []),
      ...overlappingKinds(policy, baseline),
      ...withoutPods(policy, selection),
      ...directions.flatMap((direction) =>
        (policy[direction] ?? []).flatMap((rule) => [
          ...withoutPeers(policy, rule, snapshot, selection),
          ...withoutPorts(policy, rule, direction, selection),
        ]),
      ),
      ...directions.flatMap((direction) => shadowed(policy, direction, stronger)),
    ];
    stronger.add(policy);
    return found;
  });
  return { problems, summary: summaryOf(snapshot, selection) };
}

const everyPod: PodsSelector = { namespaces: {} };

function problem(policy: PolicyModel, field: string, code: ProblemCode, message: string): Problem {
  return { object: policy.origin, field, code, message };
}

/** Told at all of them: whoever wrote one may not know of the others. */
function equalPriority(policy: PolicyModel, equal: readonly PolicyModel[]): Problem[] {
  const at = equal.indexOf(policy);
  if (at === -1 || equal.length < 2) return [];
  const parts = [
    at === 0 ? [] : [`${named(equal.slice(0, at))} asked before`],
    at === equal.length - 1 ? [] : [`${named(equal.slice(at + 1))} asked after`],
  ];
  const message = `of those with priority ${policy.priority} ${parts.flat().join(', ')}; give each its own`;
  return [problem(policy, 'spec.priority', 'EqualPriority', message)];
}

const placeOf = ({ tier, priority }: PolicyModel): string => `${tier} ${priority}`;

function isOrdered({ tier, origin }: PolicyModel): boolean {
  return tier === 'admin' || (tier === 'baseline' && origin.kind === 'ClusterNetworkPolicy');
}

/** Of two kinds that may say different things of the same pods, the one that is asked later. */
function overlappingKinds(policy: PolicyModel, before: readonly PolicyModel[]): Problem[] {
  if (policy.origin.kind !== 'BaselineAdminNetworkPolicy' || before.length === 0) return [];
  const message = `${named(before)} asked before, and what is accepted or denied there is not asked here`;
  return [problem(policy, 'spec', 'OverlappingKinds', message)];
}

const mostNamed = 3;

/** `A is`, `A and B are`, `A, B, C and 4 more are`. */
function named(policies: readonly PolicyModel[]): string {
  const names = policies.slice(0, mostNamed).map(({ origin }) => formatOrigin(origin));
  if (policies.length > mostNamed) names.push(`${policies.length - mostNamed} more`);
  const last = names.pop() ?? '';
  return names.length === 0 ? `${last} is` : `${names.join(', ')} and ${last} are`;
}

function withoutPods(policy: PolicyModel, selection: Selection): Problem[] {
  const { origin, subject } = policy;
  // A namespace that says how its pods shall be treated may well have none yet.
  if (origin.kind === 'Namespace' || selection.of(subject).pods > 0) return [];
  const field = origin.kind === 'NetworkPolicy' ? 'spec.podSelector' : 'spec.subject';
  return [problem(policy, field, 'SelectsNobody', `there are no ${describePods(subject)}`)];
}

function withoutPeers(
  policy: PolicyModel,
  rule: PolicyRule,
  snapshot: PolicySnapshot,
  selection: Selection,
): Problem[] {
  if (policy.origin.kind === 'Namespace') return [];
  const missing = (rule.peers ?? []).filter((peer) => !selectsSomebody(snapshot, selection, peer));
  if (missing.length === 0) return [];
  const message = `there are no ${[...new Set(missing.map(describePeer))].join('; no ')}`;
  return [problem(policy, rule.field, 'SelectsNobody', message)];
}

/** Named ports are the destination's: of the pods that are selected (ingress), or of the peers (egress). */
function withoutPorts(
  policy: PolicyModel,
  rule: PolicyRule,
  direction: PolicyDirection,
  selection: Selection,
): Problem[] {
  const peers = rule.peers ?? [];
  const isOpen = rule.peers === undefined || peers.some(({ kind }) => kind !== 'pods');
  const destinations =
    direction === 'ingress'
      ? [policy.subject]
      : isOpen
        ? [everyPod]
        : peers.flatMap((peer) => (peer.kind === 'pods' ? [peer.select] : []));
  const has = (port: PolicyPort & { readonly name: string }) =>
    destinations.some((select) =>
      (port.protocol === undefined ? (['tcp', 'udp', 'sctp'] as const) : [port.protocol]).some((protocol) =>
        selection.of(select).ports.has(portToken(port.name, protocol)),
      ),
    );
  const missing = (rule.ports ?? []).flatMap((port) =>
    'name' in port && !has(port)
      ? [port.protocol === undefined ? port.name : `${port.name} (${port.protocol})`]
      : [],
  );
  // Without a pod there is no port: that nobody is selected was said.
  if (missing.length === 0 || destinations.every((select) => selection.of(select).pods === 0)) return [];
  const whose = direction === 'ingress' ? 'that the policy selects' : 'that the rule is about';
  const message = `no pod ${whose} has a container port named ${missing.join(' or ')}`;
  return [problem(policy, rule.field, 'PortNotFound', message)];
}

/** NetworkPolicies add up: none takes anything from another. */
function shadowed(policy: PolicyModel, direction: PolicyDirection, stronger: Stronger): Problem[] {
  const rules = policy[direction] ?? [];
  return rules.flatMap((rule, index) => {
    const before = policy.tier === 'network' ? [] : rules.slice(0, index);
    const own = before.find((each) => ruleContains(each, rule));
    const other = own === undefined ? stronger.find(policy, direction, rule) : undefined;
    const by = own?.field ?? (other === undefined ? undefined : formatOrigin(other));
    if (by === undefined) return [];
    const message = `${by} is asked before and takes all that this rule would`;
    return [problem(policy, rule.field, 'NeverMatches', message)];
  });
}

type Stronger = {
  /** After it was asked for what is stronger than itself. */
  readonly add: (policy: PolicyModel) => void;
  /** The rule that takes all that this one would. */
  readonly find: (
    policy: PolicyModel,
    direction: PolicyDirection,
    rule: PolicyRule,
  ) => PolicyModel['origin'] | undefined;
};

type Entry = {
  readonly policy: PolicyModel;
  /** How many rules come before the first in this tier that passes: of those after it none is sure to be the last word. */
  readonly final: Readonly<Record<PolicyDirection, number>>;
};

/** Compares with policies of the same subject, and with those of all pods or of a whole namespace: few beside all pairs. */
function createStronger(): Stronger {
  const bySubject = new Map<string, Entry[]>();
  const passed = new Set<string>();
  const finalRules = (policy: PolicyModel, direction: PolicyDirection): number => {
    const rules = policy[direction] ?? [];
    const pass = rules.findIndex(({ action }) => action === 'pass');
    const place = `${policy.tier} ${direction}`;
    const count = passed.has(place) ? 0 : pass === -1 ? rules.length : pass;
    if (pass !== -1) passed.add(place);
    return count;
  };
  return {
    add(policy) {
      // What is only told of takes nothing, and NetworkPolicies take nothing for good but what they isolate.
      if (policy.audit || policy.tier === 'network') return;
      const final = { ingress: finalRules(policy, 'ingress'), egress: finalRules(policy, 'egress') };
      const text = podsText(policy.subject);
      const same = bySubject.get(text);
      if (same === undefined) bySubject.set(text, [{ policy, final }]);
      else same.push({ policy, final });
    },
    find(policy, direction, rule) {
      const { namespaces } = policy.subject;
      const subjects = [policy.subject, { namespaces: {} }, { namespaces }];
      for (const text of new Set(subjects.map(podsText)))
        for (const { policy: other, final } of bySubject.get(text) ?? []) {
          if (!podsContain(other.subject, policy.subject)) continue;
          const all = other[direction] ?? [];
          const asked = other.tier === policy.tier ? all : all.slice(0, final[direction]);
          const taking = asked.find((each) => ruleContains(each, rule));
          if (taking !== undefined) return { ...other.origin, rule: taking.field };
        }
      return undefined;
    },
  };
}
