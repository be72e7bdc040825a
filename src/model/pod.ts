/** Reads Pods: who a pod is and what its owner wrote on it, not what runs in it. */
import type { KubeObject } from '#api/object.ts';
import type { Origin } from '#intent/origin.ts';
import { originOf } from './problem.ts';
import type { Labels } from './selector.ts';

export type PodModel = {
  readonly origin: Origin;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly labels: Labels;
  /** Without what kubectl notes for itself, which holds the whole manifest. */
  readonly annotations: Labels;
  /** Uses the node's own network: no device, no address of its own. */
  readonly hostNetwork: boolean;
  /** All containers have ended for good: its network is gone, or going. */
  readonly ended: boolean;
  /** Name of the StatefulSet that controls it. */
  readonly statefulSet?: string;
};

const kubectlNote = 'kubectl.kubernetes.io/last-applied-configuration';

/** Nothing here can be wrong: what an annotation means is judged by whoever reads it. */
export function readPod(object: KubeObject): PodModel {
  const { namespace = '', name, uid = '', labels = {}, annotations = {} } = object.metadata;
  const { [kubectlNote]: _, ...kept } = annotations;
  const spec = object['spec'] as { readonly hostNetwork?: boolean } | undefined;
  const hostNetwork = spec?.hostNetwork === true;
  const { phase } = (object['status'] ?? {}) as { readonly phase?: string };
  const ended = phase === 'Succeeded' || phase === 'Failed';
  const owner = object.metadata.ownerReferences?.find(({ controller }) => controller === true);
  return {
    origin: originOf(object),
    namespace,
    name,
    uid,
    labels,
    annotations: kept,
    hostNetwork,
    ended,
    ...(owner?.kind === 'StatefulSet' ? { statefulSet: owner.name } : {}),
  };
}

/** Whether it needs no addresses, or none any more. */
export function isIdle({ hostNetwork, ended }: Pick<PodModel, 'hostNetwork' | 'ended'>): boolean {
  return hostNetwork || ended;
}

/** What the container runtime says (K8S_POD_UID): of a static pod not the UID of its mirror in the API, but the one noted there. */
export function runtimeUID({ annotations, uid }: Pick<PodModel, 'annotations' | 'uid'>): string {
  return annotations['kubernetes.io/config.mirror'] ?? uid;
}
