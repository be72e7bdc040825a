/** What the agent of a node makes of the objects of a case. */
import type { KubeObject } from '#api/object.ts';
import { compileBGP } from '#compile/bgp/compile.ts';
import { place } from '#compile/ipam/placement.ts';
import { servePools } from '#compile/ipam/pools.ts';
import { decideSingles } from '#compile/ipam/single.ts';
import { compileQos } from '#compile/qos/compile.ts';
import { compileServices } from '#compile/services/compile.ts';
import { compileTopology } from '#compile/topology/compile.ts';
import { serveSubnets } from '#compile/topology/served.ts';
import { readBGPNeighbor } from '#model/bgpneighbor.ts';
import { readBlockClaim } from '#model/blockclaim.ts';
import { readIPPool } from '#model/ippool.ts';
import { readNamespace } from '#model/namespace.ts';
import { readNode } from '#model/node.ts';
import { readPod } from '#model/pod.ts';
import type { Problem, Read } from '#model/problem.ts';
import { readQoSPolicy } from '#model/qospolicy.ts';
import { readEndpointSlice, readService } from '#model/service.ts';
import { readSubnet } from '#model/subnet.ts';
import { podIntents } from '#programs/agent/pod-intents.ts';

type Placed = { readonly nodeName?: string };

/** The intent of a node, and what is wrong with the objects. */
export function compile(
  objects: readonly KubeObject[],
  node: string,
): { intent: object; problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const byKey = <T>(kind: string, read: (object: never) => Read<T>): Map<string, T> =>
    new Map(
      objects
        .filter((object) => object.kind === kind)
        .flatMap((object) => {
          const result = read(object as never);
          problems.push(...result.problems);
          const key = `${object.metadata.namespace}/${object.metadata.name}`;
          return result.value === undefined ? [] : [[key, result.value] as const];
        }),
    );
  const all = <T>(kind: string, read: (object: never) => Read<T>): T[] => [...byKey(kind, read).values()];
  const nodes = all('Node', readNode);
  const subnets = all('Subnet', readSubnet);
  const claims = all('BlockClaim', readBlockClaim);
  const pools = all('IPPool', readIPPool);
  const namespaces = all('Namespace', (object) => ({ value: readNamespace(object), problems: [] }));
  const topology = compileTopology(
    {
      nodes,
      subnets,
      claims,
      namespaces,
      pools,
    },
    node,
  );
  const own = nodes.find((each) => each.name === node);
  const addresses = own?.addresses ?? [];
  const services = compileServices(
    {
      services: byKey('Service', readService),
      slices: byKey('EndpointSlice', readEndpointSlice),
    },
    { node, zone: own?.zone, addresses, nodePortAddresses: addresses, externalIPs: true },
  );
  const placed = objects.filter(({ kind, spec }) => kind === 'Pod' && (spec as Placed).nodeName === node);
  const ownPods = placed.map(readPod);
  const served = serveSubnets(subnets).value;
  const inputs = { subnets: served, pools: servePools(pools, served.byName).value };
  const local = ownPods.map((pod) => {
    const space = namespaces.find(({ name }) => name === pod.namespace) ?? {
      name: pod.namespace,
      labels: {},
    };
    return { pod, placed: place(pod, space, inputs) };
  });
  const singles = decideSingles({
    ...inputs,
    node,
    nodeUID: own?.uid ?? '',
    pods: local.flatMap(({ pod, placed: where }) =>
      'placement' in where && !where.placement.fromBlocks ? [{ pod, placement: where.placement }] : [],
    ),
    alive: new Set(ownPods.map(({ uid }) => uid)),
    claims,
    wired: new Set(),
    resting: new Set(),
    isCurrent: true,
    asked: new Set(),
    attempt: 0,
  });
  const pods = Object.fromEntries(podIntents(local, singles.pods));
  const qos = compileQos({
    pods: new Map(ownPods.map((pod) => [`${pod.namespace}/${pod.name}`, pod])),
    policies: byKey('QoSPolicy', readQoSPolicy),
  });
  const bgp = compileBGP(
    { neighbors: all('BGPNeighbor', readBGPNeighbor), nodes, passwords: new Map() },
    node,
  );
  problems.push(...topology.problems, ...services.problems, ...qos.problems, ...bgp.problems);
  return {
    intent: { ...topology.value, pods, ...services.value, bandwidth: qos.value, ...bgp.value },
    problems,
  };
}
