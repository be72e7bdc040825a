/** Reads Pods: who a pod is and what its owner wrote on it, not what runs in it. */
import type { KubeObject } from '#api/object.ts';
import type { Origin } from '#intent/origin.ts';
import { canonicalAddr } from '#net/addr.ts';
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
  /** Where it runs; absent: it waits for a node. */
  readonly node?: string;
  /** Canonical, the first is its primary one; empty until its network is up. */
  readonly addresses: readonly string[];
  /** Ports of its containers that have a name, in their order; of two with one name and protocol the first counts. */
  readonly namedPorts: readonly NamedPort[];
  /** Where it answers at its node; absent: nowhere. */
  readonly hostPorts?: readonly HostPort[];
  /** Name of the StatefulSet that controls it. */
  readonly statefulSet?: string;
};

export type HostPort = {
  readonly protocol: NamedPort['protocol'];
  readonly hostPort: number;
  readonly port: number;
  /** Canonical; absent: at each address of the node. */
  readonly hostIP?: string;
};

export type NamedPort = {
  readonly name: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
};

const kubectlNote = 'kubectl.kubernetes.io/last-applied-configuration';

/** Nothing here can be wrong: what an annotation means is judged by whoever reads it. */
export function readPod(object: KubeObject): PodModel {
  const { namespace = '', name, uid = '', labels = {}, annotations = {} } = object.metadata;
  const { [kubectlNote]: _, ...kept } = annotations;
  const spec = object['spec'] as PodSpec | undefined;
  const hostNetwork = spec?.hostNetwork === true;
  const { phase, podIP, podIPs } = (object['status'] ?? {}) as PodStatus;
  const ended = phase === 'Succeeded' || phase === 'Failed';
  const sidecars = (spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always');
  const containers = [...sidecars, ...(spec?.containers ?? [])];
  const hostPorts = hostNetwork ? [] : hostPortsOf(containers);
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
    ...(spec?.nodeName === undefined ? {} : { node: spec.nodeName }),
    addresses: addressesOf(podIPs ?? (podIP === undefined ? [] : [{ ip: podIP }])),
    namedPorts: portsOf(containers),
    ...(hostPorts.length === 0 ? {} : { hostPorts }),
    ...(owner?.kind === 'StatefulSet' ? { statefulSet: owner.name } : {}),
  };
}

type PodStatus = {
  readonly phase?: string;
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip?: string }[];
};

type Container = {
  /** An init container that restarts is a sidecar: it runs beside the others (KEP-753). */
  readonly restartPolicy?: string;
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly protocol?: string;
    readonly hostPort?: number;
    readonly hostIP?: string;
  }[];
};

type PodSpec = {
  readonly hostNetwork?: boolean;
  readonly nodeName?: string;
  readonly initContainers?: readonly Container[];
  readonly containers?: readonly Container[];
};

function addressesOf(entries: readonly { readonly ip?: string }[]): readonly string[] {
  return entries.flatMap(({ ip = '' }) => canonicalAddr(ip) ?? []);
}

function portsOf(containers: readonly Container[]): readonly NamedPort[] {
  const ports = containers.flatMap(({ ports: declared = [] }) =>
    declared.flatMap(({ name, containerPort: port, protocol = 'TCP' }) =>
      name === undefined ? [] : [{ name, protocol: protocol.toLowerCase() as NamedPort['protocol'], port }],
    ),
  );
  const first = (port: NamedPort) =>
    ports.find((other) => other.name === port.name && other.protocol === port.protocol);
  return ports.filter((port) => first(port) === port);
}

function hostPortsOf(containers: readonly Container[]): readonly HostPort[] {
  return containers.flatMap(({ ports = [] }) =>
    ports.flatMap(({ hostPort = 0, hostIP = '', containerPort: port, protocol = 'TCP' }): HostPort[] => {
      const at = canonicalAddr(hostIP);
      const isEverywhere = at === undefined || at === '0.0.0.0' || at === '::';
      const own = { protocol: protocol.toLowerCase() as NamedPort['protocol'], hostPort, port };
      return hostPort === 0 ? [] : [isEverywhere ? own : { ...own, hostIP: at }];
    }),
  );
}

/** Whether it needs no addresses, or none any more. */
export function isIdle({ hostNetwork, ended }: Pick<PodModel, 'hostNetwork' | 'ended'>): boolean {
  return hostNetwork || ended;
}

/** What the container runtime says (K8S_POD_UID): of a static pod not the UID of its mirror in the API, but the one noted there. */
export function runtimeUID({ annotations, uid }: Pick<PodModel, 'annotations' | 'uid'>): string {
  return annotations['kubernetes.io/config.mirror'] ?? uid;
}
