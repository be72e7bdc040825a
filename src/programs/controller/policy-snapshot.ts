/** What policies are judged over, as the controller sees it. */
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { PolicySnapshot } from '#compile/policy/snapshot.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { inAudit } from '#model/audit.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import { type PodModel, readPod } from '#model/pod.ts';
import type { PolicyModel } from '#model/policy.ts';
import type { Log } from '#telemetry/log.ts';
import type { Caches, SeenPolicy } from './caches.ts';

export function watchPods(client: Client, log: Log, touch: () => void): Informer<PodModel> {
  const informer = startInformer<KubeObject, PodModel>(client, podType, {
    log,
    equal: (a, b) => JSON.stringify(a) === JSON.stringify(b),
    transform: (object) => slim(readPod(object)),
  });
  informer.onChange(touch);
  // Rejected only when it is stopped before.
  informer.synced.then(touch, () => {});
  return informer;
}

/** This decides the memory of a controller of many pods. Policy is not about pods on the node's network, nor about those that ended. */
function slim(pod: PodModel): PodModel | undefined {
  if (pod.hostNetwork || pod.ended) return undefined;
  const { statefulSet: _, ...rest } = pod;
  return { ...rest, annotations: {} };
}

export function snapshotOf(
  all: readonly SeenPolicy[],
  postures: readonly PolicyModel[],
  pods: Informer<PodModel>,
  caches: Caches,
): PolicySnapshot {
  const spaces = caches.namespaces.list().flatMap(({ value }) => value ?? []);
  const namespaces = new Map(spaces.map((each): [string, NamespaceModel] => [each.name, each]));
  const nodes = caches.nodes.list().flatMap(({ value }) => value ?? []);
  const policies = [...all.flatMap(({ value }) => value ?? []), ...postures].map((policy) => ({
    ...policy,
    audit: inAudit(policy, namespaces.get(policy.origin.namespace ?? '')),
  }));
  return {
    policies: new Map(policies.map((policy) => [policy.key, policy])),
    pods: new Map(pods.list().map((pod) => [`${pod.namespace}/${pod.name}`, pod])),
    namespaces,
    nodes: new Map(nodes.map((node): [string, NodeModel] => [node.name, node])),
  };
}
