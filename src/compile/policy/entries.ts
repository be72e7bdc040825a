/** Entries of the intent's domains, the same for the whole compile and the incremental one. */
import type { NodeIntent } from '#intent/node.ts';
import type { PolicySubjectIntent } from '#intent/policy.ts';
import { type PodModel, runtimeUID } from '#model/pod.ts';
import type { PolicyModel } from '#model/policy.ts';

export type PolicyDomain = 'policySubjects' | 'policyDecisions' | 'policyAddresses' | 'policyPrefixes';
export type PolicyIntent = Pick<NodeIntent, PolicyDomain>;

export function subjectIntent(
  pod: PodModel,
  { ingress, egress }: Pick<PolicySubjectIntent, 'ingress' | 'egress'>,
  names: readonly string[],
): PolicySubjectIntent {
  return {
    origin: pod.origin,
    uid: runtimeUID(pod),
    ...(ingress === undefined ? {} : { ingress }),
    ...(egress === undefined ? {} : { egress }),
    ...(names.length === 0 ? {} : { names }),
  };
}

export function decisionKey(classNumber: number, identity: number): string {
  return `${classNumber}/${identity}`;
}

/** Lists of policies are asked for each of their pods. */
const found = new WeakMap<readonly PolicyModel[], readonly string[]>();

/** Names that egress rules of these policies look for, sorted. */
export function namesIn(policies: readonly PolicyModel[]): readonly string[] {
  const known = found.get(policies);
  if (known !== undefined) return known;
  const patterns = policies.flatMap(({ egress = [] }) =>
    egress.flatMap(({ peers = [] }) => peers.flatMap((peer) => (peer.kind === 'name' ? [peer.pattern] : []))),
  );
  const names = [...new Set(patterns)].sort();
  found.set(policies, names);
  return names;
}
