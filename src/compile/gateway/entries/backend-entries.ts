/** One way to speak to a Service's port: the endpoints behind it, and whom they must prove to be. */
import type { GatewayBackendIntent, GatewayIdentityIntent } from '#intent/gateway.ts';
import type { BackendServiceModel } from '#model/gateway/types.ts';
import type { EndpointModel, EndpointSliceModel } from '#model/service.ts';
import { certificateIntent } from '../listeners/listeners.ts';
import { backendSettings } from '../policies/backend-policies.ts';
import type { BackendEntries, BackendEntriesOf, BackendTLS, BackendUse, EntryContext } from '../types.ts';

/** Empty when the Service or the policy has gone since its route was looked at: then the route is looked at again, too. */
export const backendEntries: BackendEntriesOf = (use, context) => {
  const service = context.service(use.service);
  if (use.speech !== undefined) return spokenEntries(use, use.speech, context);
  const tls = use.identity === undefined ? undefined : context.tls(use.service, use.port);
  const gone = use.identity !== undefined && (tls === undefined || !tls.usable);
  if (service === undefined || gone) return { backends: {}, identities: {} };
  const backend: GatewayBackendIntent = {
    origin: service.origin,
    protocol: use.protocol,
    endpoints: endpointsOf(service, use, context.slices(use.service)),
    ...(use.identity === undefined ? {} : { identity: use.identity }),
    ...backendSettings(service, use, context.policies),
  };
  return {
    backends: { [use.key]: backend },
    identities:
      use.identity === undefined || tls === undefined
        ? {}
        : { [use.identity]: identityOf(tls, use.protocol, context) },
  };
};

/** As an Ingress says it. */
function spokenEntries(
  use: BackendUse,
  { origin, hostname, authority, certificate }: NonNullable<BackendUse['speech']>,
  context: EntryContext,
): BackendEntries {
  const service = context.service(use.service);
  const trusted = authority && context.authority(authority);
  if (service === undefined || use.identity === undefined || (authority && trusted === undefined))
    return { backends: {}, identities: {} };
  const own = certificate && context.certificate(certificate);
  const identity: GatewayIdentityIntent = {
    origin,
    hostname,
    ...(trusted === undefined ? { anybody: true } : { authorities: trusted.certificates }),
    ...(own === undefined ? {} : { certificate: own.key }),
    ...(use.protocol === 'h2c' ? { alpn: 'h2' } : { alpn: 'http/1.1' }),
  };
  return {
    backends: {
      [use.key]: {
        origin: service.origin,
        protocol: use.protocol,
        endpoints: endpointsOf(service, use, context.slices(use.service)),
        identity: use.identity,
        ...backendSettings(service, use, context.policies),
      },
    },
    identities: { [use.identity]: identity },
    ...(own === undefined ? {} : { certificates: { [own.key]: certificateIntent(own) } }),
  };
}

/**
 * All ready ones of the family that has any, IPv4 first; when none is ready, those that are terminating but still serve (KEP-1669). The
 * port is the slice's own: a named target port may be another one on each pod. Slices tell endpoints as ready that are published before
 * they are.
 */
function endpointsOf(
  { ports }: BackendServiceModel,
  { port, protocol }: BackendUse,
  slices: readonly EndpointSliceModel[],
): readonly string[] {
  const transport = protocol === 'udp' ? 'udp' : 'tcp';
  const entry = ports.find((each) => each.port === port && each.protocol.toLowerCase() === transport);
  if (entry === undefined) return [];
  const places = (family: 4 | 6, takes: (endpoint: EndpointModel) => boolean) =>
    slices.flatMap((slice) => {
      const target = slice.ports.find((each) => each.name === entry.name && each.protocol === transport);
      if (target === undefined || slice.family !== family) return [];
      return slice.endpoints
        .filter(takes)
        .map(({ address }) => (family === 6 ? `[${address}]:${target.port}` : `${address}:${target.port}`));
    });
  const ready = ({ ready }: EndpointModel) => ready;
  const leaving = ({ serving, terminating }: EndpointModel) => serving && terminating;
  for (const takes of [ready, leaving]) {
    for (const family of [4, 6] as const) {
      // A controller may list an endpoint in two slices while it moves it.
      const found = new Set(places(family, takes));
      if (found.size > 0) return [...found].toSorted();
    }
  }
  return [];
}

function identityOf(
  { policy, authorities }: BackendTLS,
  protocol: BackendUse['protocol'],
  context: EntryContext,
): GatewayIdentityIntent {
  const certificate = context.clientCertificate();
  const names = policy.subjectAltNames.map(({ type, value }) => ({
    type: type === 'URI' ? ('uri' as const) : ('dns' as const),
    value,
  }));
  return {
    origin: policy.origin,
    hostname: policy.hostname,
    ...(authorities === undefined ? {} : { authorities }),
    ...(names.length === 0 ? {} : { subjectAltNames: names }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(protocol === 'h2c' ? { alpn: 'h2' } : protocol === 'http' ? { alpn: 'http/1.1' } : {}),
  };
}
