/** Reads all of a cluster that decides who may talk to whom. */
import type { Namespace, Node } from '#api/core.ts';
import type { BlockClaim } from '#api/kinds/blockclaim.ts';
import type { Subnet } from '#api/kinds/subnet.ts';
import type { KubeObject } from '#api/object.ts';
import {
  type AdminNetworkPolicy,
  type BaselineAdminNetworkPolicy,
  type ClusterNetworkPolicy,
  type NetworkPolicy,
  policyGroup,
} from '#api/policies.ts';
import { readAdminNetworkPolicy, readBaselineAdminNetworkPolicy } from './adminnetworkpolicy.ts';
import { inAudit } from './audit.ts';
import { readBlockClaim } from './blockclaim.ts';
import { readClusterNetworkPolicy } from './clusternetworkpolicy.ts';
import { type NamespaceModel, readNamespace } from './namespace.ts';
import { readNetworkPolicy } from './networkpolicy.ts';
import { type NodeModel, readNode } from './node.ts';
import { type PodModel, readPod } from './pod.ts';
import type { PolicyModel } from './policy.ts';
import { namespacePosture } from './posture.ts';
import type { Problem, Read } from './problem.ts';
import { type EndpointSliceModel, readEndpointSlice, readService, type ServiceModel } from './service.ts';
import { withStandIns } from './stand-ins.ts';
import { readSubnet, type SubnetModel } from './subnet.ts';
import { type Workload, workloadKinds, workloadOf } from './workload.ts';

/** Maps by `namespace/name` (of what has no namespace, by name), policies by their key. */
export type ClusterModel = {
  readonly policies: ReadonlyMap<string, PolicyModel>;
  readonly pods: ReadonlyMap<string, PodModel>;
  readonly namespaces: ReadonlyMap<string, NamespaceModel>;
  readonly nodes: ReadonlyMap<string, NodeModel>;
  readonly tunnelAddresses: ReadonlyMap<string, readonly string[]>;
  readonly services: ReadonlyMap<string, ServiceModel>;
  readonly slices: ReadonlyMap<string, EndpointSliceModel>;
  readonly subnets: readonly SubnetModel[];
  /** Of each pod. */
  readonly workloads: ReadonlyMap<string, Workload>;
  /** Addresses that stand for ones that nobody has yet. */
  readonly invented: ReadonlySet<string>;
  /** Addresses by name that DNS answers told pods of one node, where they were asked of it: no object has them. */
  readonly names?: ReadonlyMap<string, ReadonlySet<string>>;
};

/** API group and kind of what is read. Workloads are read as the pods that they make (overlay.ts). */
const groups: Readonly<Record<string, string>> = {
  Namespace: '',
  Node: '',
  Pod: '',
  Service: '',
  EndpointSlice: 'discovery.k8s.io',
  NetworkPolicy: 'networking.k8s.io',
  AdminNetworkPolicy: policyGroup,
  BaselineAdminNetworkPolicy: policyGroup,
  ClusterNetworkPolicy: policyGroup,
  Subnet: 'netloom.dev',
  BlockClaim: 'netloom.dev',
};

/** Whether an object has a part in who may talk to whom. */
export function isRead({ apiVersion, kind }: KubeObject): boolean {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  return groups[kind] === group || (workloadKinds.includes(kind) && (group === 'apps' || group === 'batch'));
}

export function readCluster(objects: readonly KubeObject[]): {
  readonly value: ClusterModel;
  readonly problems: readonly Problem[];
} {
  const { value: complete, invented } = withStandIns(objects.filter(isRead));
  const byKind = Map.groupBy(complete, ({ kind }) => kind);
  const problems: Problem[] = [];
  const all = <T extends KubeObject, M>(kind: string, read: (object: T) => Read<M>): [string, M][] =>
    (byKind.get(kind) ?? []).flatMap((object): [string, M][] => {
      const result = read(object as T);
      problems.push(...result.problems);
      return result.value === undefined ? [] : [[keyOf(object), result.value]];
    });
  const plain =
    <T extends KubeObject, M>(read: (object: T) => M) =>
    (object: T): Read<M> => ({ value: read(object), problems: [] });
  const namespaces = new Map(all<Namespace, NamespaceModel>('Namespace', plain(readNamespace)));
  const policies = [
    ...all<NetworkPolicy, PolicyModel>('NetworkPolicy', readNetworkPolicy),
    ...all<AdminNetworkPolicy, PolicyModel>('AdminNetworkPolicy', readAdminNetworkPolicy),
    ...all<BaselineAdminNetworkPolicy, PolicyModel>(
      'BaselineAdminNetworkPolicy',
      readBaselineAdminNetworkPolicy,
    ),
    ...all<ClusterNetworkPolicy, PolicyModel>('ClusterNetworkPolicy', readClusterNetworkPolicy),
  ].map(([, policy]) => policy);
  for (const namespace of namespaces.values()) {
    const posture = namespacePosture(namespace);
    problems.push(...posture.problems);
    policies.push(...(posture.value ?? []));
  }
  const enforced = policies.map((policy): PolicyModel => {
    const audit = inAudit(policy, namespaces.get(policy.origin.namespace ?? ''));
    return audit === policy.audit ? policy : { ...policy, audit };
  });
  const claims = all<BlockClaim, { node: string; nodeAddresses?: readonly string[] }>(
    'BlockClaim',
    readBlockClaim,
  );
  const tunnelAddresses = new Map<string, readonly string[]>();
  for (const [, { node, nodeAddresses = [] }] of claims) {
    if (nodeAddresses.length > 0)
      tunnelAddresses.set(node, [...(tunnelAddresses.get(node) ?? []), ...nodeAddresses]);
  }
  const value: ClusterModel = {
    policies: new Map(enforced.map((policy) => [policy.key, policy])),
    pods: new Map(all('Pod', plain(readPod))),
    namespaces,
    nodes: new Map(all<Node, NodeModel>('Node', readNode)),
    tunnelAddresses,
    services: new Map(all('Service', readService)),
    slices: new Map(all('EndpointSlice', readEndpointSlice)),
    subnets: all<Subnet, SubnetModel>('Subnet', readSubnet).map(([, subnet]) => subnet),
    workloads: new Map((byKind.get('Pod') ?? []).map((pod) => [keyOf(pod), workloadOf(pod)])),
    invented,
  };
  return { value, problems };
}

function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
