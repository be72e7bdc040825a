/** What one node must hold of policy, as a whole. Simple rather than fast: the incremental form is checked against it. */
import { type PolicyDecisionIntent, type PolicyRowIntent, policyIdentities } from '#intent/policy.ts';
import type { Problem } from '#model/problem.ts';
import { formatPrefix } from '#net/prefix.ts';
import { atomsOf } from './atoms.ts';
import type { PolicyClass } from './classes.ts';
import { directions } from './classes.ts';
import { decisionKey, type PolicyIntent } from './entries.ts';
import { facts, featureView, peerText } from './features.ts';
import { limitProblem, overflowClass, type PolicyLimits, policyLimits } from './limits.ts';
import { createNumbers } from './numbers.ts';
import { atomFeatures, atomSources, lookoutOf, ownedAddresses } from './owned.ts';
import { flattenPolicies, refuseAll } from './rows.ts';
import type { PolicySnapshot } from './snapshot.ts';
import { classify } from './subjects.ts';

export type { PolicyDomain, PolicyIntent } from './entries.ts';
export { createPolicyCompiler, type PolicyChange, type PolicyCompiler } from './incremental.ts';

export function compilePolicy(
  snapshot: PolicySnapshot,
  node: string,
  limits: PolicyLimits = policyLimits,
): { readonly value: PolicyIntent; readonly problems: readonly Problem[] } {
  const { subjects, classes, tooMany } = classify(snapshot, node, limits);
  const lookout = lookoutOf(classes.values());
  const numbers = createNumbers(limits.firstIdentity, limits.lastIdentity - 1);
  const identities = new Map<number, readonly string[]>();
  const numberOf = (features: readonly string[]): number => {
    const number = numbers.take(features.join('\n')) ?? limits.lastIdentity;
    identities.set(number, features);
    return number;
  };

  const addresses: Record<string, { readonly identities: Record<string, number> }> = {};
  for (const { owner, address, features } of ownedAddresses(snapshot, node, lookout)) {
    const entry = addresses[owner] ?? { identities: {} };
    addresses[owner] = entry;
    entry.identities[address] = numberOf(features);
  }
  const atoms = atomsOf(atomSources(lookout, snapshot.podPrefixes), atomFeatures);
  const prefixes = atoms.map(
    ({ prefix, ids }) => [formatPrefix(prefix), { identity: numberOf(ids) }] as const,
  );

  const refused = refuseAll({ kind: 'Node', name: node });
  const decisions: Record<string, PolicyDecisionIntent> = {};
  for (const direction of directions) {
    const number = overflowClass(direction, limits);
    if (tooMany.has(number))
      decisions[decisionKey(number, policyIdentities.other)] = { direction, rows: refused };
  }
  for (const [number, each] of classes) {
    const { other, rest } = decisionsOf(each, identities, (identity) =>
      identity === limits.lastIdentity ? refused : undefined,
    );
    const { direction } = each;
    decisions[decisionKey(number, policyIdentities.other)] = { direction, rows: other };
    for (const [identity, rows] of rest) decisions[decisionKey(number, identity)] = { direction, rows };
  }
  const value: PolicyIntent = {
    policySubjects: subjects,
    policyDecisions: decisions,
    policyAddresses: addresses,
    policyPrefixes: Object.fromEntries(prefixes),
  };
  const problems = [
    ...(tooMany.size > 0 ? [limitProblem(node, 'classes', limits)] : []),
    ...(identities.has(limits.lastIdentity) ? [limitProblem(node, 'identities', limits)] : []),
  ];
  return { value, problems };
}

/** Of one class: for whoever nothing is known of, and for each identity that is treated otherwise. */
function decisionsOf(
  { policies, direction, ports, itself }: PolicyClass,
  identities: ReadonlyMap<number, readonly string[]>,
  fixed: (identity: number) => readonly PolicyRowIntent[] | undefined,
): {
  readonly other: readonly PolicyRowIntent[];
  readonly rest: ReadonlyMap<number, readonly PolicyRowIntent[]>;
} {
  const rowsFor = (features: readonly string[]) =>
    flattenPolicies(policies, direction, featureView(new Set(features), direction, ports, peerText));
  const other = rowsFor([]);
  const all: [number, readonly PolicyRowIntent[]][] = [
    [policyIdentities.unknownPod, rowsFor([facts.unknown])],
    [policyIdentities.itself, itself],
    ...[...identities].map(([identity, features]): [number, readonly PolicyRowIntent[]] => [
      identity,
      fixed(identity) ?? rowsFor(features),
    ]),
  ];
  const text = JSON.stringify(other);
  return { other, rest: new Map(all.filter(([, rows]) => JSON.stringify(rows) !== text)) };
}
