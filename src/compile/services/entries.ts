/** One Service and its slices become its entries in the intent of a node. */
import type { HealthCheckIntent, Place, ServiceIntent } from '#intent/node.ts';
import type { Problem } from '#model/problem.ts';
import type { EndpointSliceModel, ServiceModel, ServicePort } from '#model/service.ts';
import { type Family, parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { type Backends, chooseBackends, countLocal, type Locality } from './backends.ts';
import { anyNodeAddress, type Claim, claimsOf, type FrontendKind, frontendKinds } from './frontends.ts';

/** The node that the compile is for. */
export type ServicePlace = Locality & {
  /** Canonical; where its node ports and health checks answer. */
  readonly nodePortAddresses: readonly string[];
  /** Canonical; the node's own, at most one a family. */
  readonly addresses: readonly string[];
  /** Whether `spec.externalIPs` is served. It lets whoever may write a Service take over any address (CVE-2020-8554, KEP-5707). */
  readonly externalIPs: boolean;
};

/** For judging what doesn't depend on the node. */
export const nowhere: ServicePlace = { node: '', nodePortAddresses: [], addresses: [], externalIPs: true };

export type Compiled = {
  readonly entries: readonly (readonly [string, ServiceIntent])[];
  readonly healthCheck: HealthCheckIntent | undefined;
  readonly problems: readonly Problem[];
};

/** `holder`: the key of the Service that has a claim. */
export function compileService(
  service: ServiceModel,
  slices: readonly EndpointSliceModel[],
  place: ServicePlace,
  holder: (claim: string) => string | undefined,
): Compiled {
  const entries: [string, ServiceIntent][] = [];
  const problems: Problem[] = [];
  const held: Claim[] = [];
  if (!place.externalIPs && (service.published?.external.length ?? 0) > 0) problems.push(refused(service));
  for (const claim of claimsOf(service)) {
    if (claim.kind === 'external' && !place.externalIPs) continue;
    const winner = holder(claim.text);
    if (winner === undefined || winner === service.key) held.push(claim);
    else problems.push(duplicate(service, claim, winner));
  }
  for (const port of service.ports) {
    for (const family of [4, 6] as const) {
      if (!service.clusterIPs.some((address) => familyOf(address) === family)) continue;
      const backends = chooseBackends(service, port, family, slices, place);
      for (const kind of frontendKinds) {
        const frontends = held
          .filter((claim) => claim.kind === kind && claim.port === port)
          .flatMap((claim) => placesOf(claim, place))
          .filter(({ address }) => familyOf(address) === family);
        if (frontends.length === 0) continue;
        const key = `${service.key}/${port.name}/${family}${kind === 'cluster' ? '' : `/${kind}`}`;
        entries.push([key, entryOf(service, { port, family, kind, frontends, backends, place })]);
      }
    }
  }
  return { entries, healthCheck: healthCheckOf(service, slices, place), problems };
}

function entryOf(
  service: ServiceModel,
  parts: {
    readonly port: ServicePort;
    readonly family: Family;
    readonly kind: FrontendKind;
    readonly frontends: readonly Place[];
    readonly backends: Backends;
    readonly place: ServicePlace;
  },
): ServiceIntent {
  const { port, family, kind, frontends, backends, place } = parts;
  const onlyLocal = kind === 'cluster' && service.localInside === true;
  const chosen = onlyLocal ? backends.local : backends.cluster;
  const dropped = onlyLocal && chosen.length === 0 && backends.cluster.length > 0;
  const { affinitySeconds, published } = service;
  const sources =
    kind === 'loadBalancer' && published?.sources !== undefined
      ? sourcesOf(published.sources, frontends, family, place)
      : undefined;
  return {
    origin: { ...service.origin, rule: ruleOf(port) },
    protocol: port.protocol,
    frontends,
    backends: chosen,
    // Connections of other protocols end by themselves.
    ...(port.protocol === 'udp' && backends.leaving.length > 0 ? { leaving: backends.leaving } : {}),
    ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
    ...(dropped ? { unserved: 'dropped' as const } : {}),
    ...(kind === 'cluster'
      ? {}
      : {
          published: {
            ...(published?.local === true ? { localBackends: backends.local } : {}),
            ...(sources === undefined ? {} : { sources }),
          },
        }),
  };
}

/**
 * Where a balancer's address is one of the node's own, the node's connections to it come from that very address: they count as
 * the node's.
 */
function sourcesOf(
  ranges: readonly string[],
  frontends: readonly Place[],
  family: Family,
  { addresses }: ServicePlace,
): readonly string[] {
  const own = ranges.filter((range) => familyOf(range) === family);
  const nodeMay = addresses.some((address) => {
    const addr = parseAddr(address);
    return own.some((range) => {
      const prefix = parsePrefix(range);
      return addr !== undefined && prefix !== undefined && prefixHas(prefix, addr);
    });
  });
  return nodeMay ? [...own, ...frontends.map(({ address }) => `${address}/${family === 4 ? 32 : 128}`)] : own;
}

function healthCheckOf(
  service: ServiceModel,
  slices: readonly EndpointSliceModel[],
  place: ServicePlace,
): HealthCheckIntent | undefined {
  const port = service.published?.healthCheckPort;
  if (port === undefined || place.nodePortAddresses.length === 0) return undefined;
  return {
    origin: service.origin,
    addresses: place.nodePortAddresses,
    port,
    localEndpoints: countLocal(service, slices, place),
  };
}

function placesOf({ place }: Claim, { nodePortAddresses }: ServicePlace): readonly Place[] {
  if (place.address !== anyNodeAddress) return [place];
  return nodePortAddresses.map((address) => ({ address, port: place.port }));
}

const fields: Readonly<Record<FrontendKind, (rule: string) => string>> = {
  cluster: (rule) => rule,
  nodePort: (rule) => `${rule}.nodePort`,
  loadBalancer: () => 'status.loadBalancer.ingress',
  external: () => 'spec.externalIPs',
};

function duplicate(service: ServiceModel, { kind, port, text, place }: Claim, winner: string): Problem {
  const rule = ruleOf(port);
  const what = kind === 'nodePort' ? `node port ${port.protocol}/${place.port}` : text;
  return {
    object: service.origin,
    field: fields[kind](rule),
    code: 'DuplicateFrontend',
    message: `${what} belongs to the Service ${winner}`,
  };
}

function refused({ origin }: ServiceModel): Problem {
  return {
    object: origin,
    field: 'spec.externalIPs',
    code: 'ExternalAddressRefused',
    message: 'external addresses are not served in this cluster (--external-ips=serve would); the rest works',
  };
}

function ruleOf(port: ServicePort): string {
  return port.name === '' ? `spec.ports[${port.index}]` : `spec.ports[${port.name}]`;
}

function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}
