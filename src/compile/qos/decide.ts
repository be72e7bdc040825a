/** Which limit a pod has, and from where: its annotation, or the first QoSPolicy of its namespace that sets one. */
import type { BandwidthIntent, RateIntent } from '#intent/node.ts';
import { bandwidthAnnotation, type Direction, directions, readPodBandwidth } from '#model/bandwidth.ts';
import type { PodModel } from '#model/pod.ts';
import type { QoSPolicyModel } from '#model/qospolicy.ts';
import { selects } from '#model/selector.ts';

/** Each direction by itself: what sets one says nothing of the other. */
export type Decision = { readonly [D in Direction]?: RateIntent };

/** In the order in which they win. All of one namespace. */
export function inOrder(policies: Iterable<QoSPolicyModel>): QoSPolicyModel[] {
  return [...policies].sort((a, b) => b.priority - a.priority || (a.name < b.name ? -1 : 1));
}

/** Only pods with a network of their own can be limited: not those on the node's, nor those that have ended. */
export function takes(policy: QoSPolicyModel, pod: PodModel): boolean {
  return !pod.hostNetwork && !pod.ended && selects(policy.podSelector, pod.labels);
}

/** `policies`: of the pod's namespace, as `inOrder` gives them. */
export function decide(pod: PodModel, policies: readonly QoSPolicyModel[]): Decision {
  if (pod.hostNetwork || pod.ended) return {};
  const own = readPodBandwidth(pod).value;
  const decision: { [D in Direction]?: RateIntent } = {};
  for (const direction of directions) {
    const annotated = own[direction];
    if (annotated !== undefined) {
      const rule = `metadata.annotations[${bandwidthAnnotation(direction)}]`;
      decision[direction] = { origin: { ...pod.origin, rule }, ...annotated };
      continue;
    }
    const policy = policies.find((each) => each[direction] !== undefined && takes(each, pod));
    const rate = policy?.[direction];
    if (policy !== undefined && rate !== undefined)
      decision[direction] = { origin: { ...policy.origin, rule: `spec.${direction}` }, ...rate };
  }
  return decision;
}

/** `undefined` when nothing limits the pod. */
export function bandwidthIntent(
  pod: PodModel,
  policies: readonly QoSPolicyModel[],
): BandwidthIntent | undefined {
  const decision = decide(pod, policies);
  if (directions.every((direction) => decision[direction] === undefined)) return undefined;
  // The runtime knows a static pod by another UID than that of its mirror in the API.
  const isMirror = Object.hasOwn(pod.annotations, 'kubernetes.io/config.mirror');
  return { origin: pod.origin, uid: isMirror ? '' : pod.uid, ...decision };
}
