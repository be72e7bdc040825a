/** What a cluster would fill in and files lack: addresses of pods, cluster addresses of Services, EndpointSlices. */
import type { KubeObject, LabelSelector } from '#api/object.ts';
import { canonicalAddr, type Family, formatAddr, parseAddr } from '#net/addr.ts';
import { formatPrefix, lastAddr, type Prefix, parsePrefix } from '#net/prefix.ts';
import { readPod } from './pod.ts';
import { selects } from './selector.ts';

/** Where nothing says what pods and Services get: as good as any, and named in every answer that shows one. */
const usual = {
  pods: ['10.244.0.0/16', 'fd10:244::/112'],
  services: ['10.96.0.0/16', 'fd10:96::/112'],
} as const;

/** `invented`: addresses that nobody has yet. Of what has an address, or needs none, nothing changes. */
export function withStandIns(objects: readonly KubeObject[]): {
  readonly value: readonly KubeObject[];
  readonly invented: ReadonlySet<string>;
} {
  const invented = new Set<string>();
  const taken = new Set(objects.flatMap(addressesOf));
  // From the end of a prefix, where a cluster gets to last.
  const left = new Map<string, bigint>();
  const next = (prefix: Prefix): string => {
    const key = formatPrefix(prefix);
    let value = left.get(key) ?? lastAddr(prefix).value - 1n;
    while (value > prefix.value && taken.has(formatAddr({ family: prefix.family, value }))) value--;
    left.set(key, value - 1n);
    const text = formatAddr({ family: prefix.family, value });
    taken.add(text);
    invented.add(text);
    return text;
  };
  const families = familiesOf(objects);
  const subnets = objects.filter(({ kind }) => kind === 'Subnet');
  const labels = new Map(
    objects
      .filter(({ kind }) => kind === 'Namespace')
      .map(({ metadata }) => [metadata.name, metadata.labels ?? {}]),
  );
  const ports = new Set(objects.flatMap(nodePortsOf));
  const addressed = objects.map((object) => {
    if (object.kind === 'Pod' && needsAddress(object)) {
      const { namespace = '' } = object.metadata;
      const cidrs = cidrsFor(namespace, labels.get(namespace) ?? {}, subnets) ?? usual.pods;
      const podIPs = prefixes(cidrs, families).map((prefix) => ({ ip: next(prefix) }));
      return { ...object, status: { ...(object['status'] as object), podIPs } };
    }
    if (object.kind === 'Service') {
      const clusterIPs = needsClusterIP(object) ? prefixes(usual.services, families).map(next) : undefined;
      const spec = { ...withNodePorts(object, ports), ...(clusterIPs === undefined ? {} : { clusterIPs }) };
      return { ...object, spec };
    }
    return object;
  });
  return { value: [...addressed, ...endpointSlices(addressed)], invented };
}

type Status = {
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip?: string }[];
  readonly addresses?: readonly { readonly type: string; readonly address: string }[];
};

function addressesOf(object: KubeObject): string[] {
  const { clusterIPs = [] } = (object['spec'] ?? {}) as ServiceSpec;
  const { podIPs = [], addresses = [] } = (object['status'] ?? {}) as Status;
  return [...clusterIPs, ...podIPs.map(({ ip }) => ip), ...addresses.map(({ address }) => address)].flatMap(
    (text) => canonicalAddr(text ?? '') ?? [],
  );
}

/** Of the nodes; without nodes, both. */
function familiesOf(objects: readonly KubeObject[]): ReadonlySet<Family> {
  const found = objects
    .filter(({ kind }) => kind === 'Node')
    .flatMap(addressesOf)
    .map((text) => parseAddr(text)?.family ?? 4);
  return new Set(found.length === 0 ? [4, 6] : found);
}

function needsAddress(object: KubeObject): boolean {
  const { hostNetwork, ended, addresses } = readPod(object);
  return !hostNetwork && !ended && addresses.length === 0;
}

/** As the namespace's Subnet is chosen (compile/topology), but for which of two wins that want it. */
function cidrsFor(
  namespace: string,
  labels: Readonly<Record<string, string>>,
  subnets: readonly KubeObject[],
): readonly string[] | undefined {
  type Spec = {
    readonly cidrs?: readonly string[];
    readonly namespaces?: readonly string[];
    readonly namespaceSelector?: LabelSelector;
  };
  const specs = subnets.map(({ metadata, spec }) => ({ name: metadata.name, spec: (spec ?? {}) as Spec }));
  const found =
    specs.find(({ spec }) => spec.namespaces?.includes(namespace)) ??
    specs.find(({ spec }) => selects(spec.namespaceSelector, labels)) ??
    specs.find(({ name }) => name === 'default');
  return found?.spec.cidrs;
}

function prefixes(cidrs: readonly string[], families: ReadonlySet<Family>): Prefix[] {
  const found = cidrs.flatMap((text) => parsePrefix(text) ?? []);
  return ([4, 6] as const).flatMap((family) =>
    families.has(family) ? (found.find((prefix) => prefix.family === family) ?? []) : [],
  );
}

type ServiceSpec = {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly selector?: Readonly<Record<string, string>>;
  readonly ports?: readonly {
    readonly name?: string;
    readonly protocol?: string;
    readonly port: number;
    readonly targetPort?: number | string;
    readonly nodePort?: number;
  }[];
};

function nodePortsOf({ kind, spec }: KubeObject): number[] {
  const { ports = [] } = (spec ?? {}) as ServiceSpec;
  return kind === 'Service' ? ports.flatMap(({ nodePort }) => nodePort ?? []) : [];
}

/** From the end of the range that API servers give them out of (30000 to 32767). */
function withNodePorts({ spec }: KubeObject, taken: Set<number>): ServiceSpec {
  const service = (spec ?? {}) as ServiceSpec;
  if (service.type !== 'NodePort' && service.type !== 'LoadBalancer') return service;
  const { ports = [], ...rest } = service;
  let free = 32_767;
  const given = ports.map((port) => {
    if (port.nodePort !== undefined) return port;
    while (taken.has(free) && free > 30_000) free--;
    taken.add(free);
    return { ...port, nodePort: free };
  });
  return { ...rest, ports: given };
}

function needsClusterIP({ spec }: KubeObject): boolean {
  const { type = 'ClusterIP', clusterIP, clusterIPs } = (spec ?? {}) as ServiceSpec;
  return (
    type !== 'ExternalName' && clusterIP !== 'None' && clusterIP === undefined && clusterIPs === undefined
  );
}

/** Of Services that select pods and have no slice: one a pod and family, since a named port may be another number in each pod. */
function endpointSlices(objects: readonly KubeObject[]): KubeObject[] {
  const served = new Set(
    objects
      .filter(({ kind }) => kind === 'EndpointSlice')
      .map(
        ({ metadata }) => `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`,
      ),
  );
  const pods = objects.filter(({ kind }) => kind === 'Pod').map(readPod);
  return objects.flatMap((service): KubeObject[] => {
    const { namespace, name } = service.metadata;
    const { selector = {}, ports = [] } = (service['spec'] ?? {}) as ServiceSpec;
    const isServed = served.has(`${namespace}/${name}`);
    if (service.kind !== 'Service' || isServed || Object.keys(selector).length === 0) return [];
    const chosen = pods.filter(
      (pod) => pod.namespace === namespace && !pod.ended && selects({ matchLabels: selector }, pod.labels),
    );
    return chosen.flatMap((pod) =>
      pod.addresses.map((address): KubeObject => {
        const isSix = address.includes(':');
        return {
          apiVersion: 'discovery.k8s.io/v1',
          kind: 'EndpointSlice',
          metadata: {
            name: `${name}-${pod.name}-${isSix ? 6 : 4}`,
            ...(namespace === undefined ? {} : { namespace }),
            labels: { 'kubernetes.io/service-name': name },
          },
          addressType: isSix ? 'IPv6' : 'IPv4',
          endpoints: [{ addresses: [address], ...(pod.node === undefined ? {} : { nodeName: pod.node }) }],
          ports: ports.flatMap(({ name: portName, protocol = 'TCP', port, targetPort = port }) => {
            const number =
              typeof targetPort === 'number'
                ? targetPort
                : pod.namedPorts.find(
                    (each) => each.name === targetPort && each.protocol === protocol.toLowerCase(),
                  )?.port;
            return number === undefined ? [] : [{ name: portName ?? '', protocol, port: number }];
          }),
        };
      }),
    );
  });
}
