/** Which EndpointSlices a Service must have, and the smallest change to get there; pure. */
import { isIPv6 } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type { LabNode } from '../objects/node.ts';
import type { Pod } from '../objects/pod.ts';
import type { Endpoint, EndpointPort, EndpointSlice, Endpoints, Service } from '../objects/service.ts';
import { isOver, isReady, isTerminating, ownerReference } from './pods.ts';

/** Endpoints of one address family that share their ports. */
export type EndpointGroup = {
  readonly addressType: 'IPv4' | 'IPv6';
  readonly ports: readonly EndpointPort[];
  readonly endpoints: readonly Endpoint[];
};

export type SlicePlan = {
  readonly create: readonly EndpointSlice[];
  readonly update: readonly EndpointSlice[];
  readonly remove: readonly EndpointSlice[];
};

/** As upstream: a change of one endpoint rewrites at most so many. */
const maxEndpoints = 100;

export const managedBy = {
  pods: 'endpointslice-controller.k8s.io',
  mirror: 'endpointslicemirroring-controller.k8s.io',
} as const;

/** Groups of a Service with a selector; a family without any endpoint has one group without endpoints. */
export function serviceGroups(
  service: Service,
  pods: readonly Pod[],
  node: (name: string) => LabNode | undefined,
): readonly EndpointGroup[] {
  return families(service).flatMap((addressType) => {
    const groups = new Map<string, { ports: readonly EndpointPort[]; endpoints: Endpoint[] }>();
    for (const pod of pods) {
      const address = podAddress(pod, addressType);
      if (address === undefined || isOver(pod)) continue;
      const ports = resolvedPorts(service, pod);
      const key = JSON.stringify(ports);
      const group = groups.get(key) ?? { ports, endpoints: [] };
      groups.set(key, group);
      group.endpoints.push(endpointOf(service, pod, address, node));
    }
    if (groups.size === 0) return [{ addressType, ports: [], endpoints: [] }];
    return [...groups.values()].map((group) => ({ addressType, ...group }));
  });
}

function families(service: Service): readonly ('IPv4' | 'IPv6')[] {
  const { ipFamilies, clusterIP = '' } = service.spec;
  if (ipFamilies !== undefined && ipFamilies.length > 0) return ipFamilies;
  return [isIPv6(clusterIP) ? 'IPv6' : 'IPv4'];
}

function podAddress(pod: Pod, family: 'IPv4' | 'IPv6'): string | undefined {
  const addresses = pod.status?.podIPs?.map(({ ip }) => ip) ?? (pod.status?.podIP ? [pod.status.podIP] : []);
  return addresses.find((address) => isIPv6(address) === (family === 'IPv6'));
}

/** Named target ports are looked up in the pod; a port that the pod doesn't name is left out of its group. */
function resolvedPorts(service: Service, pod: Pod): readonly EndpointPort[] {
  return (service.spec.ports ?? []).flatMap(
    ({ name = '', port, protocol = 'TCP', targetPort = port, appProtocol }) => {
      const number = typeof targetPort === 'number' ? targetPort : namedPort(pod, targetPort, protocol);
      if (number === undefined) return [];
      return [
        {
          name,
          port: number === 0 ? port : number,
          protocol,
          ...(appProtocol === undefined ? {} : { appProtocol }),
        },
      ];
    },
  );
}

function namedPort(pod: Pod, name: string, protocol: string): number | undefined {
  if (/^\d+$/.test(name)) return Number(name);
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  return ports.find((port) => port.name === name && (port.protocol ?? 'TCP') === protocol)?.containerPort;
}

function endpointOf(
  service: Service,
  pod: Pod,
  address: string,
  node: (name: string) => LabNode | undefined,
): Endpoint {
  const serving = service.spec.publishNotReadyAddresses === true || isReady(pod);
  const terminating = isTerminating(pod);
  const { nodeName, hostname, subdomain } = pod.spec;
  const zone = node(nodeName ?? '')?.metadata.labels?.['topology.kubernetes.io/zone'];
  const { name, namespace = '', uid = '' } = pod.metadata;
  return {
    addresses: [address],
    conditions: {
      ready: serving && (!terminating || service.spec.publishNotReadyAddresses === true),
      serving,
      terminating,
    },
    // A name of its own, below a Service that governs it.
    ...(hostname !== undefined && subdomain === service.metadata.name ? { hostname } : {}),
    ...(nodeName === undefined ? {} : { nodeName }),
    targetRef: { kind: 'Pod', name, namespace, uid },
    ...(zone === undefined ? {} : { zone }),
    ...hintsOf(service.spec.trafficDistribution, zone),
  };
}

/** As upstream (KEP-4444). Hints for nodes (PreferSameNode) are not in the API version that the lab serves. */
function hintsOf(distribution: string | undefined, zone: string | undefined): Pick<Endpoint, 'hints'> {
  const close = distribution === 'PreferClose' || distribution === 'PreferSameZone';
  return close && zone !== undefined ? { hints: { forZones: [{ name: zone }] } } : {};
}

/** Groups of a Service without selector, from the Endpoints object of its name. */
export function mirroredGroups(endpoints: Endpoints): readonly EndpointGroup[] {
  return (['IPv4', 'IPv6'] as const).flatMap((addressType) =>
    (endpoints.subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }) => {
      const all = [
        ...addresses.map((address) => ({ ...address, ready: true })),
        ...notReadyAddresses.map((address) => ({ ...address, ready: false })),
      ].filter(({ ip }) => isIPv6(ip) === (addressType === 'IPv6'));
      if (all.length === 0) return [];
      const mirrored = all.map(({ ip, ready, hostname, nodeName, targetRef }) => ({
        addresses: [ip],
        conditions: { ready },
        ...(hostname === undefined ? {} : { hostname }),
        ...(nodeName === undefined ? {} : { nodeName }),
        ...(targetRef === undefined ? {} : { targetRef }),
      }));
      const named = ports.map(({ name = '', protocol = 'TCP', ...port }) => ({ name, ...port, protocol }));
      return [{ addressType, ports: named, endpoints: mirrored }];
    }),
  );
}

/** Endpoints stay in the slice that they are in; room in slices is used before a new one is made. */
export function planSlices(
  service: Service,
  groups: readonly EndpointGroup[],
  existing: readonly EndpointSlice[],
  manager: string = managedBy.pods,
): SlicePlan {
  const mine = existing.filter(
    (slice) =>
      slice.metadata.labels?.['endpointslice.kubernetes.io/managed-by'] === manager && !isTerminating(slice),
  );
  const create: EndpointSlice[] = [];
  const update: EndpointSlice[] = [];
  const used = new Set<EndpointSlice>();
  const labels = sliceLabels(service, manager);
  for (const group of groups) {
    const same = mine.filter(
      (slice) =>
        !used.has(slice) &&
        slice.addressType === group.addressType &&
        isDeepStrictEqual(slice.ports ?? [], group.ports),
    );
    const wanted = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]));
    const filled = same.map((slice) => {
      const kept = (slice.endpoints ?? []).flatMap((endpoint) => {
        const next = wanted.get(identity(endpoint));
        if (next === undefined) return [];
        wanted.delete(identity(endpoint));
        return [next];
      });
      return { slice, kept };
    });
    const rest = [...wanted.values()];
    // The fullest first, so that slices fill up and others may empty.
    for (const { kept } of filled.toSorted((a, b) => b.kept.length - a.kept.length)) {
      kept.push(...rest.splice(0, maxEndpoints - kept.length));
    }
    let placeholder = group.endpoints.length === 0;
    for (const { slice, kept } of filled) {
      if (kept.length === 0 && !placeholder) continue;
      if (kept.length === 0) placeholder = false;
      used.add(slice);
      const changed =
        !isDeepStrictEqual(slice.endpoints ?? [], kept) ||
        !isDeepStrictEqual(slice.metadata.labels ?? {}, labels);
      if (changed) update.push({ ...slice, metadata: { ...slice.metadata, labels }, endpoints: kept });
    }
    while (rest.length > 0 || placeholder) {
      placeholder = false;
      create.push(newSlice(service, group, rest.splice(0, maxEndpoints), labels));
    }
  }
  return { create, update, remove: mine.filter((slice) => !used.has(slice)) };
}

/** The same backend, whatever else is said of it. */
function identity({ addresses, targetRef }: Endpoint): string {
  return JSON.stringify([addresses, targetRef?.uid ?? '']);
}

function sliceLabels(service: Service, manager: string): Record<string, string> {
  const own = Object.entries(service.metadata.labels ?? {}).filter(
    ([key]) => !key.includes('kubernetes.io/service-name'),
  );
  return {
    ...Object.fromEntries(own),
    'endpointslice.kubernetes.io/managed-by': manager,
    'kubernetes.io/service-name': service.metadata.name,
    ...(service.spec.clusterIP === 'None' ? { 'service.kubernetes.io/headless': '' } : {}),
  };
}

function newSlice(
  service: Service,
  { addressType, ports }: EndpointGroup,
  endpoints: readonly Endpoint[],
  labels: Readonly<Record<string, string>>,
): EndpointSlice {
  const { name, namespace = '' } = service.metadata;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: '',
      generateName: `${name.slice(0, 57)}-`,
      namespace,
      labels,
      ownerReferences: [ownerReference(service)],
    },
    addressType,
    endpoints,
    ports,
  };
}
