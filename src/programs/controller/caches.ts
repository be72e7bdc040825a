/** What the controller watches, and what it keeps of each object: enough to judge it and to name it. */
import {
  endpointSliceType,
  leaseType,
  type Namespace,
  type Node,
  namespaceType,
  nodeType,
  serviceType,
  statefulSetType,
} from '#api/core.ts';
import { group } from '#api/kind.ts';
import { type BGPNeighbor, bgpNeighborKind } from '#api/kinds/bgpneighbor.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { type IPAddressPool, ipAddressPoolKind } from '#api/kinds/ipaddresspool.ts';
import { type IPPool, ipPoolKind } from '#api/kinds/ippool.ts';
import { l2AdvertisementKind } from '#api/kinds/l2advertisement.ts';
import { metallbGroup } from '#api/kinds/metallbparts.ts';
import { type QoSPolicy, qosPolicyKind } from '#api/kinds/qospolicy.ts';
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { Condition, KubeObject, ResourceType } from '#api/object.ts';
import {
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  clusterNetworkPolicyType,
  networkPolicyType,
} from '#api/policies.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { readAddressPool } from '#model/addresspool.ts';
import { readAdminNetworkPolicy, readBaselineAdminNetworkPolicy } from '#model/adminnetworkpolicy.ts';
import { type BlockClaimModel, readBlockClaim } from '#model/blockclaim.ts';
import { readClusterNetworkPolicy } from '#model/clusternetworkpolicy.ts';
import { type L2AdvertisementModel, readL2Advertisement } from '#model/l2advertisement.ts';
import type { AddressPoolModel } from '#model/loadbalancer.ts';
import { type NamespaceModel, readNamespace } from '#model/namespace.ts';
import { readNetworkPolicy } from '#model/networkpolicy.ts';
import { type NodeModel, readNode } from '#model/node.ts';
import type { PolicyModel } from '#model/policy.ts';
import { namespacePosture } from '#model/posture.ts';
import type { Problem, Read } from '#model/problem.ts';
import { type QoSPolicyModel, readQoSPolicy } from '#model/qospolicy.ts';
import { type EndpointModel, readEndpointSlice, readService, type ServiceModel } from '#model/service.ts';
import { readStatefulSet, type StatefulSetModel } from '#model/statefulset.ts';
import type { Log } from '#telemetry/log.ts';
import type { ObjectReference } from '#telemetry/problems.ts';
import type { ServedLoadBalancers } from '../flags.ts';
import {
  type PolicyReach,
  parseReach,
  parseUsage,
  parseWire,
  policyAnnotation,
  type SubnetUsage,
  systemNamespace,
  usageAnnotation,
  type WireFindings,
  wireAnnotation,
} from '../node-lease.ts';
import { balancerOf, type SeenBalancer } from './balancers/seen.ts';
import { type BGPCaches, startBGPCaches } from './bgp-kinds.ts';

/** An object as it was read. */
export type Seen<M> = { readonly ref: ObjectReference; readonly problems: readonly Problem[] } & Pick<
  Read<M>,
  'value'
>;

export type SeenClaim = Seen<BlockClaimModel> & {
  readonly resourceVersion: string;
  readonly conditions: readonly Condition[] | undefined;
};

/** `balancer`: of a Service of type LoadBalancer that is ours to serve, or was. */
export type SeenService = Seen<ServiceModel> & { readonly balancer?: SeenBalancer };

/** `places`: names of nodes with an endpoint that is ready, and with one that only serves still; of no node: ''. */
export type SeenSlice = Seen<never> & {
  readonly places?: {
    readonly service: string;
    readonly ready: readonly string[];
    readonly serving: readonly string[];
  };
};

export type SeenAddressPool = Seen<AddressPoolModel> & {
  readonly status:
    | (NonNullable<IPAddressPool['status']> & { readonly conditions?: readonly Condition[] })
    | undefined;
};

export type SeenQoSPolicy = Seen<QoSPolicyModel> & {
  readonly status:
    | {
        readonly conditions?: readonly Condition[];
        readonly selectedPods?: number;
        readonly limitedPods?: number;
      }
    | undefined;
};

/** Of any of the four kinds. */
export type SeenPolicy = Seen<PolicyModel> & {
  readonly resourceVersion: string;
  readonly generation: number | undefined;
  /** Of kinds that have a status. */
  readonly conditions: readonly Condition[] | undefined;
};

export type NodeLease = {
  readonly name: string;
  readonly uid: string;
  readonly renewTime: string;
  readonly durationSeconds: number | undefined;
  /** Of the node's pods, by Subnet. */
  readonly usage: ReadonlyMap<string, SubnetUsage>;
  readonly wire: WireFindings;
  readonly reach: PolicyReach;
};

export type Caches = BGPCaches & {
  readonly subnets: Informer<Subnet>;
  readonly pools: Informer<IPPool>;
  readonly claims: Informer<SeenClaim>;
  /** Wrong with one can be what it says of policy. */
  readonly namespaces: Informer<Seen<NamespaceModel>>;
  readonly nodes: Informer<Seen<NodeModel>>;
  readonly services: Informer<SeenService>;
  /** Empty where the cluster doesn't serve the kind. */
  readonly addressPools: Informer<SeenAddressPool>;
  /** Empty where the cluster doesn't serve the kind. */
  readonly l2Advertisements: Informer<Seen<L2AdvertisementModel>>;
  /** Without values: only what is wrong with slices matters here, and where endpoints are. */
  readonly slices: Informer<SeenSlice>;
  /** With the index `namespace`. */
  readonly policies: Informer<SeenQoSPolicy>;
  readonly neighbors: Informer<BGPNeighbor>;
  readonly leases: Informer<NodeLease>;
  readonly statefulSets: Informer<StatefulSetModel>;
  /** Empty where the cluster doesn't serve the kind. */
  readonly networkPolicies: Informer<SeenPolicy>;
  readonly adminNetworkPolicies: Informer<SeenPolicy>;
  readonly baselineAdminNetworkPolicies: Informer<SeenPolicy>;
  readonly clusterNetworkPolicies: Informer<SeenPolicy>;
};

export const policyCaches = (caches: Caches): readonly Informer<SeenPolicy>[] => [
  caches.networkPolicies,
  caches.adminNetworkPolicies,
  caches.baselineAdminNetworkPolicies,
  caches.clusterNetworkPolicies,
];

/** `loadBalancers`: whose addresses are given here; undefined: nobody's. */
export type CacheOptions = { readonly loadBalancers: ServedLoadBalancers | undefined };

export function startCaches(
  client: Client,
  log: Log,
  { loadBalancers }: CacheOptions = { loadBalancers: {} },
): Caches {
  /** A change that says nothing new (a heartbeat, an endpoint that is as good as the last one) is not told. */
  const quiet = { log, equal: (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b) };
  const watch = <Raw extends KubeObject, M>(type: ResourceType, read: (object: Raw) => Read<M>) =>
    startInformer<Raw, Seen<M>>(client, type, {
      ...quiet,
      transform: (object) => ({ ref: referenceTo(object), ...read(object) }),
    });
  const watchPolicies = <Raw extends KubeObject>(
    type: ResourceType,
    read: (object: Raw) => Read<PolicyModel>,
  ) =>
    startInformer<Raw, SeenPolicy>(client, type, {
      log,
      mayBeAbsent: true,
      transform: (object) => ({
        ref: referenceTo(object),
        resourceVersion: object.metadata.resourceVersion ?? '',
        generation: object.metadata.generation,
        conditions: (object['status'] as { conditions?: readonly Condition[] } | undefined)?.conditions,
        ...read(object),
      }),
    });
  return {
    subnets: startInformer<Subnet>(client, subnetKind, { log }),
    pools: startInformer<IPPool>(client, ipPoolKind, { log }),
    claims: startInformer<BlockClaim, SeenClaim>(client, blockClaimKind, {
      log,
      transform: (claim) => ({
        ref: referenceTo(claim),
        resourceVersion: claim.metadata.resourceVersion ?? '',
        conditions: claim.status?.conditions as readonly Condition[] | undefined,
        ...readBlockClaim(claim),
      }),
    }),
    namespaces: watch<Namespace, NamespaceModel>(namespaceType, (object) => {
      const value = readNamespace(object);
      return { value, problems: namespacePosture(value).problems };
    }),
    nodes: watch<Node, NodeModel>(nodeType, readNode),
    services: startInformer<KubeObject, SeenService>(client, serviceType, {
      ...quiet,
      // Addresses are given when all are known, and a page costs more than what is on it.
      pageSize: 500,
      transform: (object) => {
        const balancer = balancerOf(object, loadBalancers);
        return {
          ref: referenceTo(object),
          ...readService(object),
          ...(balancer === undefined ? {} : { balancer }),
        };
      },
    }),
    addressPools: startInformer<IPAddressPool, SeenAddressPool>(client, ipAddressPoolKind, {
      log,
      mayBeAbsent: true,
      transform: (pool) => ({
        ref: referenceTo(pool),
        status: pool.status as SeenAddressPool['status'],
        ...readAddressPool(pool),
      }),
    }),
    l2Advertisements: startInformer<KubeObject, Seen<L2AdvertisementModel>>(client, l2AdvertisementKind, {
      log,
      mayBeAbsent: true,
      transform: (object) => ({ ref: referenceTo(object), ...readL2Advertisement(object) }),
    }),
    slices: startInformer<KubeObject, SeenSlice>(client, endpointSliceType, {
      ...quiet,
      transform: (object) => {
        const { value, problems } = readEndpointSlice(object);
        const nodesOf = (takes: (endpoint: EndpointModel) => boolean) =>
          [...new Set(value?.endpoints.filter(takes).map(({ node = '' }) => node))].sort();
        const ready = nodesOf((endpoint) => endpoint.ready);
        const serving = nodesOf((endpoint) => !endpoint.ready && endpoint.serving);
        return {
          ref: referenceTo(object),
          value: undefined,
          problems,
          ...(value === undefined || loadBalancers === undefined
            ? {}
            : { places: { service: value.service, ready, serving } }),
        };
      },
    }),
    neighbors: startInformer<BGPNeighbor>(client, bgpNeighborKind, { log }),
    ...startBGPCaches(client, log),
    policies: startInformer<QoSPolicy, SeenQoSPolicy>(client, qosPolicyKind, {
      log,
      indexers: { namespace: ({ ref }) => [ref.namespace ?? ''] },
      transform: (policy) => ({
        ref: referenceTo(policy),
        status: policy.status as SeenQoSPolicy['status'],
        ...readQoSPolicy(policy),
      }),
    }),
    leases: startInformer<KubeObject, NodeLease>(client, leaseType, {
      log,
      namespace: systemNamespace,
      transform: nodeLease,
    }),
    statefulSets: startInformer<KubeObject, StatefulSetModel>(client, statefulSetType, {
      ...quiet,
      transform: readStatefulSet,
    }),
    networkPolicies: watchPolicies(networkPolicyType, readNetworkPolicy),
    adminNetworkPolicies: watchPolicies(adminNetworkPolicyType, readAdminNetworkPolicy),
    baselineAdminNetworkPolicies: watchPolicies(
      baselineAdminNetworkPolicyType,
      readBaselineAdminNetworkPolicy,
    ),
    clusterNetworkPolicies: watchPolicies(clusterNetworkPolicyType, readClusterNetworkPolicy),
  };
}

/** With a generation only where the API server counts one up for us. */
export function referenceTo({ kind, apiVersion, metadata }: KubeObject): ObjectReference {
  const { name, namespace, uid, generation } = metadata;
  const own = [group, metallbGroup].some((each) => apiVersion.startsWith(`${each}/`));
  return {
    kind,
    apiVersion,
    name,
    uid,
    ...(namespace === undefined ? {} : { namespace }),
    ...(own && generation !== undefined ? { generation } : {}),
  };
}

function nodeLease({ metadata, spec }: KubeObject): NodeLease {
  const { renewTime, leaseDurationSeconds } = (spec ?? {}) as {
    renewTime?: string | null;
    leaseDurationSeconds?: number | null;
  };
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    renewTime: renewTime ?? '',
    durationSeconds: leaseDurationSeconds ?? undefined,
    usage: parseUsage(metadata.annotations?.[usageAnnotation]),
    wire: parseWire(metadata.annotations?.[wireAnnotation]),
    reach: parseReach(metadata.annotations?.[policyAnnotation]),
  };
}
