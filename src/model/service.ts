/** Reads Services (v1). */
import type { KubeObject } from '#api/object.ts';
import type { Protocol } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import { canonicalAddr } from '#net/addr.ts';
import { loadBalancerAnnotations } from './loadbalancerservice.ts';
import { isPort, protocolOf } from './port.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';
import { type PublishedModel, readPolicy, readPublished } from './published.ts';

export {
  type EndpointModel,
  type EndpointSliceModel,
  readBackendSlice,
  readEndpointSlice,
  type SlicePort,
} from './endpointslice.ts';
export type { PublishedModel } from './published.ts';

export type ServiceModel = {
  readonly origin: Origin;
  /** `namespace/name`. */
  readonly key: string;
  /** RFC 3339; the older of two Services that claim one address and port wins. */
  readonly created: string;
  /** Canonical, at least one, at most one a family, in the object's order. */
  readonly clusterIPs: readonly string[];
  readonly ports: readonly ServicePort[];
  /** ClientIP affinity; absent: none. */
  readonly affinitySeconds?: number;
  /** Endpoints count as ready whatever their conditions say. */
  readonly publishNotReadyAddresses: boolean;
  /** Its pods take connections until they are gone, also once they say that they don't: `netloom.dev/announce-while: serving`. */
  readonly untilGone?: true;
  /** internalTrafficPolicy Local: connections to the cluster addresses go to endpoints of the client's node only. */
  readonly localInside?: true;
  /** How the outside reaches it; absent when it doesn't. */
  readonly published?: PublishedModel;
};

export type ServicePort = {
  /** '' when it has none, which only a single port may. */
  readonly name: string;
  readonly protocol: Protocol;
  readonly port: number;
  /** Position in `spec.ports`. */
  readonly index: number;
  readonly nodePort?: number;
};

/** core/v1 ServiceSpec, cut to what is read here. */
type Spec = {
  readonly type?: string;
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly ports?: readonly {
    readonly name?: string;
    readonly protocol?: string;
    readonly port?: number;
    readonly nodePort?: number;
  }[];
  readonly sessionAffinity?: string;
  readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } };
  readonly publishNotReadyAddresses?: boolean;
  readonly internalTrafficPolicy?: string;
};

/** Kubernetes' default of sessionAffinityConfig.clientIP.timeoutSeconds, and its upper limit (core/v1 validation). */
const affinity = { standard: 10_800, highest: 86_400 } as const;

/** Another proxy serves such a Service (KEP-2447); a headless one has no virtual address to serve. */
const servedElsewhere = ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless'];

/**
 * A Service without a virtual address (headless, ExternalName, not allocated yet) or for another proxy has no value and no problem.
 * A bad port, address or policy is left out, with a problem that names the field; the rest works.
 */
export function readService(object: KubeObject): Read<ServiceModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const spec = (object.spec ?? {}) as Spec;
  const labels = object.metadata.labels ?? {};
  const addresses = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
  if (
    spec.type === 'ExternalName' ||
    addresses.length === 0 ||
    addresses[0] === '' ||
    addresses[0] === 'None' ||
    servedElsewhere.some((label) => label in labels)
  ) {
    return { value: undefined, problems: [] };
  }
  const clusterIPs = readClusterIPs(addresses, refuse);
  const affinitySeconds = readAffinity(spec, refuse);
  const ports = readPorts(spec.ports ?? [], refuse);
  const localInside =
    readPolicy(spec.internalTrafficPolicy, 'spec.internalTrafficPolicy', refuse) === 'Local';
  const published = readPublished(object, ports, refuse);
  if (clusterIPs.length === 0) return { value: undefined, problems };
  const value: ServiceModel = {
    origin,
    key: `${object.metadata.namespace ?? ''}/${object.metadata.name}`,
    created: object.metadata.creationTimestamp ?? '',
    clusterIPs,
    ports,
    ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
    publishNotReadyAddresses: spec.publishNotReadyAddresses ?? false,
    ...(object.metadata.annotations?.[loadBalancerAnnotations.while] === 'serving'
      ? { untilGone: true as const }
      : {}),
    ...(localInside ? { localInside } : {}),
    ...(published === undefined ? {} : { published }),
  };
  return { value, problems };
}

function readClusterIPs(addresses: readonly string[], refuse: Refuse): readonly string[] {
  const kept: string[] = [];
  for (const [index, text] of addresses.entries()) {
    const address = canonicalAddr(text);
    const field = `spec.clusterIPs[${index}]`;
    const six = (each: string) => each.includes(':');
    if (address === undefined) refuse(field, 'InvalidAddress', `"${text}" is not an IP address`);
    else if (kept.some((each) => six(each) === six(address))) {
      refuse(field, 'DuplicateFamily', `${address} is the second address of its family`);
    } else kept.push(address);
  }
  return kept;
}

function readPorts(ports: NonNullable<Spec['ports']>, refuse: Refuse): readonly ServicePort[] {
  const kept: ServicePort[] = [];
  for (const [index, { name = '', protocol = 'TCP', port, nodePort }] of ports.entries()) {
    const field = `spec.ports[${index}]`;
    const known = protocolOf(protocol);
    if (known === undefined) {
      refuse(`${field}.protocol`, 'NotSupported', `"${protocol}" is not TCP, UDP or SCTP`);
    } else if (!isPort(port)) refuse(`${field}.port`, 'InvalidPort', `${port} is not a port (1 to 65535)`);
    else if (kept.some((each) => each.name === name)) {
      refuse(`${field}.name`, 'DuplicateName', `"${name}" names an earlier port, too`);
    } else if (kept.some((each) => each.port === port && each.protocol === known)) {
      refuse(field, 'DuplicatePort', `${protocol} ${port} is an earlier port, too`);
    } else {
      const published = nodePort !== undefined && nodePort !== 0;
      if (published && !isPort(nodePort))
        refuse(`${field}.nodePort`, 'InvalidPort', `${String(nodePort)} is not a port (1 to 65535)`);
      kept.push({
        name,
        protocol: known,
        port,
        index,
        ...(published && isPort(nodePort) ? { nodePort } : {}),
      });
    }
  }
  return kept;
}

function readAffinity(spec: Spec, refuse: Refuse): number | undefined {
  const { sessionAffinity = 'None' } = spec;
  if (sessionAffinity === 'None') return undefined;
  if (sessionAffinity !== 'ClientIP') {
    refuse('spec.sessionAffinity', 'NotSupported', `"${sessionAffinity}" is not None or ClientIP`);
    return undefined;
  }
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? affinity.standard;
  if (Number.isInteger(seconds) && seconds > 0 && seconds <= affinity.highest) return seconds;
  refuse(
    'spec.sessionAffinityConfig.clientIP.timeoutSeconds',
    'InvalidTimeout',
    `${seconds} is not from 1 to ${affinity.highest}; ${affinity.standard} is used`,
  );
  return affinity.standard;
}
