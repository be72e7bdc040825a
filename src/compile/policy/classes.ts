/** Pods of a node that are restricted alike form a class: the whole of it, read from a snapshot. */
import type { PolicyRowIntent } from '#intent/policy.ts';
import type { NamedPort, PodModel } from '#model/pod.ts';
import type { PodsSelector, PolicyDirection, PolicyModel } from '#model/policy.ts';
import { portFeature, selfView, subjectPorts } from './features.ts';
import { rulesOf } from './order.ts';
import { flattenPolicies } from './rows.ts';

export const directions: readonly PolicyDirection[] = ['ingress', 'egress'];

/** What is equal for all pods of a class. */
export type PolicyClass = {
  readonly key: string;
  readonly direction: PolicyDirection;
  /** In order; at least one. */
  readonly policies: readonly PolicyModel[];
  /** Ports of its pods that rules name; ingress only. */
  readonly ports: readonly NamedPort[];
  /** What happens where a pod reaches itself through a Service. */
  readonly itself: readonly PolicyRowIntent[];
};

/** `selecting`: the policies that select the pod, in order. `undefined`: nothing restricts it. */
export function classOf(
  direction: PolicyDirection,
  selecting: readonly PolicyModel[],
  pod: PodModel,
  takesPod: (selector: PodsSelector) => boolean,
): PolicyClass | undefined {
  const policies = selecting.filter((policy) => rulesOf(policy, direction) !== undefined);
  if (policies.length === 0) return undefined;
  const ports = subjectPorts(policies, direction, pod);
  const itself = flattenPolicies(policies, direction, selfView(pod, takesPod));
  const key = JSON.stringify([direction, policies.map((each) => each.key), ports.map(portFeature), itself]);
  return { key, direction, policies, ports, itself };
}
