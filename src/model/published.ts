/** Reads how a Service is reached from outside: node ports, load balancer and external addresses, and who may come. */
import type { KubeObject } from '#api/object.ts';
import { formatAddr, parseAddr } from '#net/addr.ts';
import { formatPrefix, parseInterfacePrefix } from '#net/prefix.ts';
import { reasonAgainst } from './forbidden.ts';
import { isPort } from './port.ts';
import type { Refuse } from './problem.ts';

export type PublishedModel = {
  /** externalTrafficPolicy Local: the client's address is kept, and only endpoints of the node that it came to answer. */
  readonly local: boolean;
  /** Canonical; what a load balancer hands to the nodes as it came (ipMode VIP). */
  readonly loadBalancer: readonly string[];
  /** Canonical. */
  readonly external: readonly string[];
  /** Prefixes that may connect to the load balancer's addresses; absent: all may. Of a family without a prefix nobody may. */
  readonly sources?: readonly string[];
  /** Where a load balancer asks whether this node has endpoints. */
  readonly healthCheckPort?: number;
};

/** core/v1 Service, cut to what is read here. */
type Published = {
  readonly spec?: {
    readonly type?: string;
    readonly externalIPs?: readonly string[];
    readonly externalTrafficPolicy?: string;
    readonly loadBalancerSourceRanges?: readonly string[];
    readonly healthCheckNodePort?: number;
  };
  readonly status?: {
    readonly loadBalancer?: {
      readonly ingress?: readonly { readonly ip?: string; readonly ipMode?: string }[];
    };
  };
};

/** `undefined` when nothing of it reaches outside. A bad address or range is left out, with a problem. */
export function readPublished(
  object: KubeObject,
  ports: readonly { readonly nodePort?: number }[],
  refuse: Refuse,
): PublishedModel | undefined {
  const { spec = {}, status } = object as Published;
  const balanced = spec.type === 'LoadBalancer';
  const external = readAddresses(spec.externalIPs ?? [], (index) => `spec.externalIPs[${index}]`, refuse);
  // A load balancer with ipMode Proxy sends from itself to node ports; its address is not ours to take (KEP-1860).
  const virtual = (status?.loadBalancer?.ingress ?? []).map(({ ip, ipMode }) =>
    ipMode === 'Proxy' ? '' : (ip ?? ''),
  );
  const field = (index: number) => `status.loadBalancer.ingress[${index}].ip`;
  const loadBalancer = balanced ? readAddresses(virtual, field, refuse) : [];
  const policy = readPolicy(spec.externalTrafficPolicy, 'spec.externalTrafficPolicy', refuse);
  const sources = balanced ? readSources(spec.loadBalancerSourceRanges ?? [], refuse) : undefined;
  const healthCheckPort =
    balanced && policy === 'Local' ? readHealthCheckPort(spec.healthCheckNodePort, refuse) : undefined;
  const reached =
    external.length + loadBalancer.length > 0 || ports.some(({ nodePort }) => nodePort !== undefined);
  if (!reached && healthCheckPort === undefined) return undefined;
  return {
    local: policy === 'Local',
    loadBalancer,
    external,
    ...(sources === undefined ? {} : { sources }),
    ...(healthCheckPort === undefined ? {} : { healthCheckPort }),
  };
}

/** What isn't known holds for nothing: Cluster, with a problem. */
export function readPolicy(policy: string | undefined, field: string, refuse: Refuse): 'Cluster' | 'Local' {
  if (policy === 'Local') return 'Local';
  if (policy !== undefined && policy !== '' && policy !== 'Cluster') {
    refuse(field, 'NotSupported', `"${policy}" is not Cluster or Local; Cluster is used`);
  }
  return 'Cluster';
}

function readAddresses(
  texts: readonly string[],
  field: (index: number) => string,
  refuse: Refuse,
): readonly string[] {
  const kept = new Set<string>();
  for (const [index, text] of texts.entries()) {
    if (text === '') continue;
    const addr = parseAddr(text);
    const why = addr === undefined ? undefined : reasonAgainst(addr);
    if (addr === undefined) refuse(field(index), 'InvalidAddress', `"${text}" is not an IP address`);
    else if (why !== undefined)
      refuse(field(index), 'ForbiddenAddress', `${text} ${why}; no Service can have it`);
    else kept.add(formatAddr(addr));
  }
  return [...kept];
}

/** A range that can't be read lets nobody in: the others count, and without any nobody may connect. */
function readSources(texts: readonly string[], refuse: Refuse): readonly string[] | undefined {
  if (texts.length === 0) return undefined;
  return texts.flatMap((text, index) => {
    const prefix = parseInterfacePrefix(text.trim())?.prefix;
    if (prefix !== undefined) return [formatPrefix(prefix)];
    refuse(
      `spec.loadBalancerSourceRanges[${index}]`,
      'InvalidCIDR',
      `"${text}" is no prefix; nobody is let in by it`,
    );
    return [];
  });
}

function readHealthCheckPort(port: number | undefined, refuse: Refuse): number | undefined {
  if (port === undefined || port === 0) return undefined;
  if (isPort(port)) return port;
  refuse('spec.healthCheckNodePort', 'InvalidPort', `${String(port)} is not a port (1 to 65535)`);
  return undefined;
}
