/** Pods of a node and QoSPolicies become the limits that the node must hold: as a whole, or change by change. */
import type { NodeIntent } from '#intent/node.ts';
import { readPodBandwidth } from '#model/bandwidth.ts';
import type { PodModel } from '#model/pod.ts';
import type { Problem } from '#model/problem.ts';
import type { QoSPolicyModel } from '#model/qospolicy.ts';
import { createDeltaOutput } from '../delta.ts';
import { bandwidthIntent, inOrder } from './decide.ts';

export type QosSnapshot = {
  /** Of one node; by `namespace/name`, as everything here. */
  readonly pods: ReadonlyMap<string, PodModel>;
  readonly policies: ReadonlyMap<string, QoSPolicyModel>;
};

export type QosIntent = NodeIntent['bandwidth'];

export type QosChange = {
  readonly put: { readonly bandwidth?: QosIntent };
  readonly remove: { readonly bandwidth?: readonly string[] };
};

export type QosCompiler = {
  /** `undefined` removes. */
  readonly setPod: (key: string, pod: PodModel | undefined) => void;
  readonly setPolicy: (key: string, policy: QoSPolicyModel | undefined) => void;
  /** What changed in the intent since the last flush; `undefined` when nothing did. */
  readonly flush: () => QosChange | undefined;
};

/** The limits of all pods, and what is wrong with their annotations. */
export function compileQos({ pods, policies }: QosSnapshot): {
  readonly value: QosIntent;
  readonly problems: readonly Problem[];
} {
  const byNamespace = Map.groupBy(policies.values(), (policy) => policy.namespace);
  const value: Record<string, QosIntent[string]> = {};
  for (const [key, pod] of pods) {
    const entry = bandwidthIntent(pod, inOrder(byNamespace.get(pod.namespace) ?? []));
    if (entry !== undefined) value[key] = entry;
  }
  return { value, problems: [...pods.values()].flatMap((pod) => readPodBandwidth(pod).problems) };
}

/** Starts from nothing. A pod's change touches that pod, a policy's the node's pods of its namespace. */
export function createQosCompiler(): QosCompiler {
  const pods = new Map<string, PodModel>();
  const podsOf = new Map<string, Set<string>>();
  const policies = new Map<string, QoSPolicyModel>();
  const policiesOf = new Map<string, Map<string, QoSPolicyModel>>();
  const ordered = new Map<string, readonly QoSPolicyModel[]>();
  const dirty = new Set<string>();
  const output = createDeltaOutput();

  const orderedOf = (namespace: string): readonly QoSPolicyModel[] => {
    const known = ordered.get(namespace);
    if (known !== undefined) return known;
    const list = inOrder(policiesOf.get(namespace)?.values() ?? []);
    ordered.set(namespace, list);
    return list;
  };

  return {
    setPod(key, pod) {
      const before = pods.get(key);
      if (before !== undefined) without(podsOf, before.namespace, key);
      if (pod === undefined) pods.delete(key);
      else {
        pods.set(key, pod);
        podsOf.set(pod.namespace, (podsOf.get(pod.namespace) ?? new Set()).add(key));
      }
      dirty.add(key);
    },
    setPolicy(key, policy) {
      const before = policies.get(key);
      if (before !== undefined) without(policiesOf, before.namespace, key);
      if (policy === undefined) policies.delete(key);
      else {
        policies.set(key, policy);
        const own = policiesOf.get(policy.namespace) ?? new Map<string, QoSPolicyModel>();
        policiesOf.set(policy.namespace, own.set(key, policy));
      }
      for (const { namespace } of [before, policy].filter((each) => each !== undefined)) {
        ordered.delete(namespace);
        for (const pod of podsOf.get(namespace) ?? []) dirty.add(pod);
      }
    },
    flush() {
      for (const key of dirty) {
        const pod = pods.get(key);
        const entry = pod === undefined ? undefined : bandwidthIntent(pod, orderedOf(pod.namespace));
        output.set('bandwidth', key, entry);
      }
      dirty.clear();
      return output.take() as QosChange | undefined;
    },
  };
}

function without(
  index: Map<string, { delete(key: string): boolean; readonly size: number }>,
  group: string,
  key: string,
): void {
  const members = index.get(group);
  members?.delete(key);
  if (members?.size === 0) index.delete(group);
}
