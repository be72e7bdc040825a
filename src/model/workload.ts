/** Reads workloads: whose pod a pod is, and which pods stand for a workload that has none yet. */
import type { KubeObject, OwnerReference } from '#api/object.ts';
import { collectProblems, originOf, type Read } from './problem.ts';

/** What a user applies: a Deployment, a StatefulSet, a DaemonSet, a Job, or the pod itself. */
export type Workload = { readonly kind: string; readonly namespace: string; readonly name: string };

/** Kinds that make pods from a template; not ReplicaSets of a Deployment, whose pods are the Deployment's. */
export const workloadKinds: readonly string[] = [
  'Deployment',
  'StatefulSet',
  'DaemonSet',
  'ReplicaSet',
  'ReplicationController',
  'Job',
  'CronJob',
];

/** A ReplicaSet's name ends with the hash that its pods carry as a label, when a Deployment made it. */
export function workloadOf(pod: KubeObject): Workload {
  const { namespace = '', name, labels = {}, ownerReferences = [] } = pod.metadata;
  const owner = ownerReferences.find(({ controller }) => controller === true);
  if (owner === undefined || !workloadKinds.includes(owner.kind)) return { kind: 'Pod', namespace, name };
  const hash = labels['pod-template-hash'];
  if (owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)) {
    return { kind: 'Deployment', namespace, name: owner.name.slice(0, -hash.length - 1) };
  }
  return { kind: owner.kind, namespace, name: owner.name };
}

export function formatWorkload({ kind, namespace, name }: Workload): string {
  return `${kind} ${namespace}/${name}`;
}

type Template = { readonly metadata?: Partial<KubeObject['metadata']>; readonly spec?: object };

type Spec = {
  readonly replicas?: number;
  readonly completions?: number;
  readonly parallelism?: number;
  readonly template?: Template;
  readonly jobTemplate?: { readonly spec?: Spec };
};

/**
 * Pods that a workload would make: one, or two where it makes more, so that what its pods say to each other is seen. They have its
 * name, and no address.
 */
export function templatePods(object: KubeObject): Read<readonly KubeObject[]> {
  const { problems, refuse } = collectProblems(originOf(object));
  const outer = object['spec'] as Spec | undefined;
  const isCronJob = object.kind === 'CronJob';
  const field = isCronJob ? 'spec.jobTemplate.spec.template' : 'spec.template';
  const spec = isCronJob ? outer?.jobTemplate?.spec : outer;
  const template = spec?.template;
  if (spec === undefined || template?.spec === undefined || template.spec === null) {
    refuse(field, 'Required', 'has no spec: there is no telling what its pods are');
    return { value: undefined, problems };
  }
  const { name, namespace = 'default', uid = '' } = object.metadata;
  const { labels = {}, annotations = {} } = template.metadata ?? {};
  const owner: OwnerReference = {
    apiVersion: object.apiVersion,
    kind: object.kind,
    name,
    uid,
    controller: true,
  };
  const count = podsOf(object.kind, spec);
  const value = Array.from({ length: Math.min(2, count) }, (_, index): KubeObject => {
    const own = count > 1 ? `${name}-${index}` : name;
    const metadata = { name: own, namespace, labels, annotations, ownerReferences: [owner] };
    return { apiVersion: 'v1', kind: 'Pod', metadata, spec: template.spec };
  });
  return { value, problems };
}

/** What a running pod of a workload is once the template is what the object says: the pod keeps its name, addresses and node. */
export function withTemplate(pod: KubeObject, template: KubeObject): KubeObject {
  const { 'pod-template-hash': hash } = pod.metadata.labels ?? {};
  const { labels = {}, annotations = {} } = template.metadata;
  const kept = hash === undefined ? {} : { 'pod-template-hash': hash };
  const placed = (pod['spec'] as { readonly nodeName?: string } | undefined)?.nodeName;
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...labels, ...kept }, annotations },
    spec: { ...(template['spec'] as object), ...(placed === undefined ? {} : { nodeName: placed }) },
  };
}

function podsOf(kind: string, spec: Spec): number {
  if (kind === 'DaemonSet') return 2;
  if (kind === 'Job' || kind === 'CronJob') return spec.parallelism ?? 1;
  return spec.replicas ?? 1;
}
