/** A cluster as a case describes it, without a lab: three nodes, addresses given in turn, and what policy is judged over; pure. */
import type { Namespace, Node } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type {
  AdminNetworkPolicy,
  BaselineAdminNetworkPolicy,
  ClusterNetworkPolicy,
  NetworkPolicy,
} from '#api/policies.ts';
import type { PolicySnapshot } from '#compile/policy/snapshot.ts';
import { readAdminNetworkPolicy, readBaselineAdminNetworkPolicy } from '#model/adminnetworkpolicy.ts';
import { readClusterNetworkPolicy } from '#model/clusternetworkpolicy.ts';
import { readNamespace } from '#model/namespace.ts';
import { readNetworkPolicy } from '#model/networkpolicy.ts';
import { readNode } from '#model/node.ts';
import { readPod } from '#model/pod.ts';
import type { PolicyModel } from '#model/policy.ts';
import { namespacePosture } from '#model/posture.ts';
import type { Problem, Read } from '#model/problem.ts';
import type { Step } from './case.ts';
import {
  changed,
  documents,
  keyOf,
  nameOf,
  namespaceObject,
  type Objects,
  placeholder,
  podDefaults,
  podObject,
  substitute,
} from './objects.ts';

/** Addresses of a lab's machines, IPv4 first. */
export const machines: Readonly<Record<string, readonly [string, string]>> = {
  node1: ['192.168.66.11', 'fd66::11'],
  node2: ['192.168.66.12', 'fd66::12'],
  node3: ['192.168.66.13', 'fd66::13'],
  outside: ['192.168.66.200', 'fd66::200'],
  router: ['192.168.66.1', 'fd66::1'],
  world: ['203.0.113.1', '2001:db8:66::1'],
};

export type Policies = { readonly snapshot: PolicySnapshot; readonly problems: readonly Problem[] };

export const emptyWorld: Objects = new Map(
  ['node1', 'node2', 'node3'].map((name) => {
    const addresses = (machines[name] ?? []).map((address) => ({ type: 'InternalIP', address }));
    const labels = { 'kubernetes.io/hostname': name };
    return [
      nameOf('Node', undefined, name),
      {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name, uid: `uid-${name}`, labels },
        status: { addresses },
      },
    ];
  }),
);

/** The objects when a step is done. */
export function advance(before: Objects, step: Step): Objects {
  let objects: Map<string, KubeObject> = new Map(before);
  const put = (object: KubeObject): void => void objects.set(keyOf(object), object);
  const namespaces = new Set([
    ...step.pods.map(({ namespace }) => namespace),
    ...step.namespaces.map(({ name }) => name),
  ]);
  for (const name of namespaces) {
    const wish = step.namespaces.find((each) => each.name === name);
    if (wish === undefined && objects.has(nameOf('Namespace', undefined, name))) continue;
    put(named(namespaceObject(wish ?? { name, labels: {} })));
  }
  for (const change of step.changes) objects = new Map(changed(objects, change));
  const add = (pod: KubeObject): void => put(running(pod, objects));
  for (const wish of step.pods) add(podObject(wish));
  // What has addresses of pods in it comes after the pods.
  const early = documents(step.manifests.replaceAll(placeholder, '192.0.2.0'));
  for (const object of early) if (object.kind === 'Pod') add(podDefaults(object));
  const text = substitute(step.manifests, (end, family) => {
    const address = addressesOf(objects, end)[family === 4 ? 0 : 1];
    if (address === undefined) throw new Error(`${end} has no address`);
    return address;
  });
  for (const object of documents(text)) {
    if (object.kind === 'Namespace') put(named(object));
    else if (object.kind !== 'Pod') put(object);
  }
  return objects;
}

/** Of a pod or a machine, IPv4 first; empty where there is none. */
export function addressesOf(objects: Objects, end: string): readonly string[] {
  const machine = machines[end.replace(/^node\//, '').replace(/ via .*/, '')];
  if (machine !== undefined) return machine;
  const pod = podOf(objects, end);
  return pod === undefined ? [] : readPod(pod).addresses;
}

export function podOf(objects: Objects, end: string): KubeObject | undefined {
  return objects.get(`Pod ${end}`);
}

/** What the policies of these objects are. */
export function policiesOf(objects: Objects): Policies {
  const problems: Problem[] = [];
  const policies = new Map<string, PolicyModel>();
  const keep = <T>({ value, problems: found }: Read<T>): T[] => {
    problems.push(...found);
    return value === undefined ? [] : [value];
  };
  const all = (kind: string) => [...objects.values()].filter((object) => object.kind === kind);
  const namespaces = all('Namespace').map((object) => readNamespace(object as Namespace));
  const models = [
    ...all('NetworkPolicy').flatMap((object) => keep(readNetworkPolicy(object as NetworkPolicy))),
    ...all('AdminNetworkPolicy').flatMap((each) => keep(readAdminNetworkPolicy(each as AdminNetworkPolicy))),
    ...all('BaselineAdminNetworkPolicy').flatMap((object) =>
      keep(readBaselineAdminNetworkPolicy(object as BaselineAdminNetworkPolicy)),
    ),
    ...all('ClusterNetworkPolicy').flatMap((object) =>
      keep(readClusterNetworkPolicy(object as ClusterNetworkPolicy)),
    ),
    ...namespaces.flatMap((namespace) => keep(namespacePosture(namespace)).flat()),
  ];
  for (const model of models) policies.set(model.key, model);
  const pods = all('Pod').map(readPod);
  const nodes = all('Node').flatMap((object) => keep(readNode(object as Node)));
  const snapshot = {
    policies,
    pods: new Map(pods.map((pod) => [`${pod.namespace}/${pod.name}`, pod])),
    namespaces: new Map(namespaces.map((namespace) => [namespace.name, namespace])),
    nodes: new Map(nodes.map((node) => [node.name, node])),
  };
  return { snapshot, problems };
}

/** The API server labels every namespace with its name. */
function named(namespace: KubeObject): KubeObject {
  const { metadata } = namespace;
  const labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
  return { ...namespace, metadata: { ...metadata, labels } };
}

/** With the status that its kubelet would report; it keeps what addresses it has. */
function running(pod: KubeObject, objects: Objects): KubeObject {
  const spec = pod['spec'] as { nodeName?: string; hostNetwork?: boolean; restartPolicy?: string };
  const known = objects.get(keyOf(pod));
  const node = spec.nodeName ?? 'node1';
  const number = node.replace(/\D/g, '');
  const count = objects.size + 1;
  const addresses =
    spec.hostNetwork === true
      ? (machines[node] ?? [])
      : [`10.244.${number}.${count}`, `fd10:244:0:${number}::${count.toString(16)}`];
  const status = {
    phase: spec.restartPolicy === 'Never' ? 'Succeeded' : 'Running',
    podIPs: addresses.map((ip) => ({ ip })),
  };
  return {
    ...pod,
    metadata: { uid: `uid-${keyOf(pod)}`, ...pod.metadata },
    spec: { ...spec, nodeName: node },
    status: known?.['status'] ?? status,
  };
}
