/** Entries of the intent's domains, the same for the whole compile and the incremental one. */
import type { NodeIntent } from '#intent/node.ts';
import type { PolicySubjectIntent } from '#intent/policy.ts';
import { type PodModel, runtimeUID } from '#model/pod.ts';

export type PolicyDomain = 'policySubjects' | 'policyDecisions' | 'policyAddresses' | 'policyPrefixes';
export type PolicyIntent = Pick<NodeIntent, PolicyDomain>;

export function subjectIntent(
  pod: PodModel,
  { ingress, egress }: Pick<PolicySubjectIntent, 'ingress' | 'egress'>,
): PolicySubjectIntent {
  return {
    origin: pod.origin,
    uid: runtimeUID(pod),
    ...(ingress === undefined ? {} : { ingress }),
    ...(egress === undefined ? {} : { egress }),
  };
}

export function decisionKey(classNumber: number, identity: number): string {
  return `${classNumber}/${identity}`;
}
