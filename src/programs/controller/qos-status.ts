/** What a QoSPolicy's status says; pure. */
import { decide, inOrder, takes } from '#compile/qos/decide.ts';
import type { NewCondition } from '#kube/conditions.ts';
import { directions } from '#model/bandwidth.ts';
import type { PodModel } from '#model/pod.ts';
import type { Problem, Read } from '#model/problem.ts';
import type { QoSPolicyModel } from '#model/qospolicy.ts';
import { listing } from './listing.ts';

export type QosStatus = {
  readonly ready: Omit<NewCondition, 'observedGeneration'>;
  readonly selectedPods: number;
  readonly limitedPods: number;
};

/** By name, of the policies and pods of one namespace. */
export function qosStatuses(
  policies: ReadonlyMap<string, Read<QoSPolicyModel>>,
  pods: readonly PodModel[],
): ReadonlyMap<string, QosStatus> {
  const ordered = inOrder([...policies.values()].flatMap(({ value }) => value ?? []));
  const decided = pods.map((pod) => ({ pod, decision: decide(pod, ordered) }));
  return new Map(
    [...policies].map(([name, { value: policy, problems }]) => {
      if (policy === undefined) return [name, refused(problems)] as const;
      const selected = decided.filter(({ pod }) => takes(policy, pod));
      const losses = selected.flatMap(({ pod, decision }) => lossesOf(policy, pod, decision));
      const losers = new Set(losses.map(({ pod }) => pod));
      const limited = selected.flatMap(({ pod }) => (losers.has(pod.name) ? [] : [pod.name])).sort();
      // A pod may lose one direction and keep the other.
      const parts = selected.flatMap(({ pod }) =>
        directionsOf(policy).map((direction) => ({ pod, direction })),
      );
      const ready = condition(limited, losses, parts.length, ordered);
      return [name, { ready, selectedPods: selected.length, limitedPods: limited.length }] as const;
    }),
  );
}

/** A limit of the policy that a pod has from elsewhere. */
type Loss = { readonly pod: string; readonly direction: string; readonly to: string };

function directionsOf(policy: QoSPolicyModel) {
  return directions.filter((direction) => policy[direction] !== undefined);
}

function lossesOf(policy: QoSPolicyModel, pod: PodModel, decision: ReturnType<typeof decide>): Loss[] {
  return directionsOf(policy).flatMap((direction) => {
    const origin = decision[direction]?.origin;
    if (origin === undefined || (origin.kind === policy.origin.kind && origin.name === policy.name))
      return [];
    return [{ pod: pod.name, direction, to: origin.kind === 'Pod' ? '' : origin.name }];
  });
}

function condition(
  limited: readonly string[],
  losses: readonly Loss[],
  parts: number,
  ordered: readonly QoSPolicyModel[],
): QosStatus['ready'] {
  const type = 'Ready';
  const limits = limited.length === 0 ? [] : [`limits ${counted(limited)}`];
  if (parts === 0)
    return {
      type,
      status: 'True',
      reason: 'NoPods',
      message: 'selects no pod of its namespace that has a network',
    };
  if (losses.length === 0) return { type, status: 'True', reason: 'Limiting', message: limits.join() };
  const lost = [...Map.groupBy(losses, ({ direction, to }) => `${direction} ${to}`).values()].map((group) => {
    const { direction, to } = group[0]!;
    const winner = ordered.find(({ name }) => name === to);
    const by =
      winner === undefined
        ? group.length === 1
          ? "the pod's annotation"
          : "the pods' annotations"
        : `QoSPolicy ${to} (priority ${winner.priority})`;
    return `${direction} of ${listing(group.map(({ pod }) => pod).sort())} is set by ${by}`;
  });
  const message = [...limits, ...lost.sort()].join('; ');
  return losses.length === parts
    ? { type, status: 'False', reason: 'Overruled', message }
    : { type, status: 'True', reason: 'PartlyOverruled', message };
}

function counted(names: readonly string[]): string {
  return `${names.length} pod${names.length === 1 ? '' : 's'}: ${listing(names)}`;
}

function refused(problems: readonly Problem[]): QosStatus {
  const message = problems.map(({ field, message: text }) => `${field}: ${text}`).join('; ');
  const reason = problems[0]?.code ?? 'Invalid';
  return { ready: { type: 'Ready', status: 'False', reason, message }, selectedPods: 0, limitedPods: 0 };
}
