/** What all cases of the corpus share: one lab, its pods as they are watched, and packets from everywhere in it. */

import * as core from '#api/core.ts';
import { podType } from '#api/core.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import {
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  clusterNetworkPolicyType,
  networkPolicyType,
} from '#api/policies.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { type Neighbors, openNeighbors } from '#lab/neighbors.ts';
import { type Cluster, type Shape, startCluster } from './cluster.ts';
import { type Packets, startPackets } from './packets.ts';
import type { PodObject } from './pods.ts';
import { installPolicyKinds } from './policy-kinds.ts';

export type CaseCluster = {
  readonly cluster: Cluster;
  readonly packets: Packets;
  readonly neighbors: Neighbors;
  readonly pods: Informer<PodObject>;
  readonly services: Informer<ServiceObject>;
  readonly nodes: readonly string[];
  /** Underlay addresses of a node, `outside`, `router`, or the host beyond it (`world`); IPv4 first. */
  readonly addresses: ReadonlyMap<string, readonly string[]>;
  /** The kinds that cases have. */
  readonly type: (kind: string) => ResourceType;
  down(): Promise<void>;
};

export type ServiceObject = KubeObject & {
  readonly spec: {
    readonly clusterIPs?: readonly string[];
    readonly ports?: readonly {
      readonly port: number;
      readonly protocol?: string;
      readonly nodePort?: number;
    }[];
  };
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
};

/** What every pod, node and host outside serves. */
export const usualPorts = [
  { protocol: 'tcp', port: 80 },
  { protocol: 'tcp', port: 81 },
  { protocol: 'udp', port: 80 },
  { protocol: 'udp', port: 81 },
] as const;

const types: ReadonlyMap<string, ResourceType> = new Map(
  [
    core.nodeType,
    core.namespaceType,
    core.podType,
    core.serviceType,
    core.endpointSliceType,
    core.statefulSetType,
    core.secretType,
    { ...core.secretType, kind: 'ConfigMap', plural: 'configmaps' },
    core.ingressType,
    networkPolicyType,
    adminNetworkPolicyType,
    baselineAdminNetworkPolicyType,
    clusterNetworkPolicyType,
    ...kinds,
  ].map((type) => [type.kind, type]),
);

/** The kinds that cases have; throws for another one. */
export function resourceType(kind: string): ResourceType {
  const found = types.get(kind);
  if (found === undefined) throw new Error(`cases know no kind ${kind}`);
  return found;
}

export async function startCaseCluster(topic: string, shape: Shape): Promise<CaseCluster> {
  const cluster = await startCluster(topic, shape);
  try {
    await installPolicyKinds(cluster);
    const nodes = await cluster.lab.nodes();
    const machines = [...nodes, 'outside', 'router'];
    const packets = await startPackets(cluster.lab, machines);
    const neighbors = await openNeighbors(cluster.lab);
    await Promise.all(machines.map((machine) => packets.serve({ machine }, machine, usualPorts)));
    const pods = startInformer<PodObject>(cluster.client, podType);
    const services = startInformer<ServiceObject>(cluster.client, core.serviceType);
    await Promise.all([pods.synced, services.synced]);
    const addresses = new Map<string, readonly string[]>(
      await Promise.all(
        machines.map(async (machine) => [machine, await cluster.lab.addressesOf(machine)] as const),
      ),
    );
    addresses.set('world', ['203.0.113.1', '2001:db8:66::1']);
    return {
      cluster,
      packets,
      neighbors,
      pods,
      services,
      nodes,
      addresses,
      type: resourceType,
      down: async () => {
        pods.stop();
        services.stop();
        packets.close();
        await cluster.down();
      },
    };
  } catch (error) {
    await cluster.down();
    throw error;
  }
}

export const keyOfObject = ({ kind, metadata }: KubeObject): string =>
  `${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
