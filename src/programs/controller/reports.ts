/** Tells the cluster what is wrong with its objects: each problem once, and its end. */
import type { KubeObject } from '#api/object.ts';
import { createServiceCompiler, nowhere } from '#compile/services/compile.ts';
import type { Informer } from '#kube/informer.ts';
import { readIPPool } from '#model/ippool.ts';
import type { Problem, Read } from '#model/problem.ts';
import { readSubnet } from '#model/subnet.ts';
import type { ObjectReference, ProblemReporter } from '#telemetry/problems.ts';
import { nodeOfLease } from '../node-lease.ts';
import { bgpProblems } from './bgp-kinds.ts';
import { type Caches, policyCaches, referenceTo } from './caches.ts';
import { carryProblems, type WireByNode } from './carried.ts';
import { topologyProblems } from './findings.ts';

type Named = Pick<ObjectReference, 'kind' | 'namespace' | 'name'>;

export type Findings = {
  /** Everything that is wrong now. `onChange` may be called for less than what this looks at. */
  readonly problems: () => readonly Problem[];
  /** The object that a problem names, as it is now. */
  readonly referenceOf: (object: Named) => ObjectReference | undefined;
};

/** `externalIPs`: whether agents serve `spec.externalIPs`. */
export type FindingsOptions = { readonly externalIPs: boolean };

/**
 * Follows the caches; `onChange` is told when there may be other problems than before. `moreProblems`: of policies beside each other
 * and the cluster's pods, of balancers' addresses and of gateways; `referenceOfMore` knows objects that are in no cache here.
 */
export function followFindings(
  caches: Caches,
  { externalIPs }: FindingsOptions,
  moreProblems: () => readonly Problem[],
  referenceOfMore: Findings['referenceOf'],
  onChange: () => void,
): Findings {
  const { subnets, pools, claims, nodes, services, slices, policies, neighbors } = caches;
  const compiler = createServiceCompiler();
  compiler.setPlace({ ...nowhere, externalIPs });
  /** Few: so that a pass does not go through every slice of the cluster. */
  const faulty = new Map<string, readonly Problem[]>();
  const note = (key: string, problems: readonly Problem[]): void => {
    if (problems.length === 0 && !faulty.has(key)) return;
    if (problems.length === 0) faulty.delete(key);
    else faulty.set(key, problems);
    onChange();
  };
  services.onChange(({ key, new: service }) => {
    compiler.setService(key, service?.value);
    note(`Service ${key}`, service?.problems ?? []);
    onChange();
  });
  policies.onChange(({ key, new: policy }) => note(`QoSPolicy ${key}`, policy?.problems ?? []));
  slices.onChange(({ key, new: slice }) => note(`EndpointSlice ${key}`, slice?.problems ?? []));
  for (const cache of policyCaches(caches)) {
    cache.onChange(({ key, old, new: policy }) =>
      note(`${(policy ?? old)?.ref.kind} ${key}`, policy?.problems ?? []),
    );
  }
  caches.namespaces.onChange(({ key, new: space }) => {
    note(`Namespace ${key}`, space?.problems ?? []);
    onChange();
  });
  const { bgpPeers, bgpAdvertisements, communities } = caches;
  for (const cache of [subnets, pools, claims, nodes, neighbors]) cache.onChange(onChange);
  for (const cache of [bgpPeers, bgpAdvertisements, communities]) cache.onChange(onChange);

  return {
    problems() {
      compiler.flush();
      const topology = {
        subnets: subnets.list().map(readSubnet),
        pools: pools.list().map(readIPPool),
        claims: claims.list(),
        nodes: nodes.list(),
      };
      return [
        ...topologyProblems(topology),
        ...carryProblems(given(topology.subnets), given(topology.claims), wireByNode(caches)),
        ...bgpProblems(caches, neighbors.list(), given(caches.addressPools.list()), given(nodes.list())),
        ...[...faulty.values()].flat(),
        ...compiler.problems(),
        ...moreProblems(),
      ];
    },
    referenceOf({ kind, namespace, name }) {
      switch (kind) {
        case 'Subnet': {
          const subnet = subnets.get('', name);
          return subnet && referenceTo(subnet);
        }
        case 'IPPool': {
          const pool = pools.get('', name);
          return pool && referenceTo(pool);
        }
        case 'IPAddressPool':
          return caches.addressPools.get(namespace, name)?.ref;
        case 'L2Advertisement':
          return caches.l2Advertisements.get(namespace, name)?.ref;
        case 'BGPNeighbor': {
          const neighbor = neighbors.get('', name);
          return neighbor && referenceTo(neighbor);
        }
        case 'BGPPeer':
          return referenceIn(bgpPeers, namespace, name);
        case 'BGPAdvertisement':
          return referenceIn(bgpAdvertisements, namespace, name);
        case 'Community':
          return referenceIn(communities, namespace, name);
        case 'BlockClaim':
          return claims.get('', name)?.ref;
        case 'Node':
          return nodes.get('', name)?.ref;
        case 'Service':
          return services.get(namespace, name)?.ref;
        case 'QoSPolicy':
          return policies.get(namespace, name)?.ref;
        case 'Namespace':
          return caches.namespaces.get('', name)?.ref;
        case 'NetworkPolicy':
          return caches.networkPolicies.get(namespace, name)?.ref;
        case 'AdminNetworkPolicy':
          return caches.adminNetworkPolicies.get('', name)?.ref;
        case 'BaselineAdminNetworkPolicy':
          return caches.baselineAdminNetworkPolicies.get('', name)?.ref;
        case 'ClusterNetworkPolicy':
          return caches.clusterNetworkPolicies.get('', name)?.ref;
        case 'EndpointSlice':
          return slices.get(namespace, name)?.ref;
        default:
          return referenceOfMore({ kind, namespace, name });
      }
    },
  };
}

function referenceIn(
  cache: Informer<KubeObject>,
  namespace: string | undefined,
  name: string,
): ObjectReference | undefined {
  const object = cache.get(namespace, name);
  return object && referenceTo(object);
}

/** What nodes told with their leases of the physical network. */
export function wireByNode({ leases }: Pick<Caches, 'leases'>): WireByNode {
  return new Map(leases.list().map(({ name, wire }) => [nodeOfLease(name) ?? name, wire]));
}

function given<T>(reads: readonly Read<T>[]): T[] {
  return reads.flatMap(({ value }) => (value === undefined ? [] : [value]));
}

/** Brings the reporter to these problems and no others; an object that is gone takes its problems with it. */
export function settleProblems(
  reporter: ProblemReporter,
  problems: readonly Problem[],
  referenceOf: Findings['referenceOf'],
): void {
  const found = Map.groupBy(problems, ({ object }) => identity(object));
  const standing = new Map(
    reporter.standing().map(({ object }) => [`${identity(object)} ${object.uid}`, object]),
  );
  for (const object of standing.values()) {
    const now = referenceOf(object);
    if (now === undefined || now.uid !== object.uid) reporter.forget(object);
    else if (!found.has(identity(object))) reporter.settle(now, []);
  }
  for (const [first, ...more] of found.values()) {
    const object = referenceOf(first!.object);
    if (object !== undefined) reporter.settle(object, [first!, ...more]);
  }
}

function identity({ kind, namespace = '', name }: Named): string {
  return `${kind} ${namespace}/${name}`;
}
