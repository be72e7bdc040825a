/** What a listener's protocol means here, and what is wrong with a listener by itself. */
import type { GatewayListenerIntent } from '#intent/gateway.ts';
import type { ListenerModel, RouteKind } from '#model/gateway/types.ts';

export type ListenerProtocol = {
  readonly kind: GatewayListenerIntent['kind'];
  /** Listeners of one port must have one family. */
  readonly family: 'http' | 'tls' | 'tcp' | 'udp';
  /** Kinds of routes that are taken unless the listener names others. */
  readonly kinds: readonly RouteKind[];
  /** Kinds that are taken where the listener names them. */
  readonly named: readonly RouteKind[];
};

export type Refusal = { readonly reason: string; readonly message: string };

const routes: readonly RouteKind[] = ['HTTPRoute', 'GRPCRoute'];

/** What a listener takes that is refused for another reason than its protocol. */
const kindsOf: Readonly<Record<string, readonly RouteKind[] | undefined>> = {
  HTTP: routes,
  HTTPS: routes,
  TLS: ['TLSRoute'],
  TCP: ['TCPRoute'],
  UDP: ['UDPRoute'],
};

/** Group of all kinds of Gateway API. */
export const gatewayGroup = 'gateway.networking.k8s.io';

/** What refuses a listener as a whole (`Accepted` False), or how it is served. */
export function protocolOf({ protocol, tls }: ListenerModel): ListenerProtocol | Refusal {
  switch (protocol) {
    case 'HTTP':
      return tls === undefined ? plain('http', routes) : invalid('tls: has no meaning for HTTP; use HTTPS');
    case 'HTTPS':
      if (tls === undefined) return invalid('HTTPS needs tls');
      if (tls.mode !== 'Terminate')
        return invalid('HTTPS needs tls.mode Terminate; use TLS to pass it through');
      return { kind: 'https', family: 'tls', kinds: routes, named: [] };
    case 'TLS':
      if (tls === undefined) return invalid('TLS needs tls with a mode');
      return tls.mode === 'Passthrough'
        ? { kind: 'passthrough', family: 'tls', kinds: ['TLSRoute'], named: [] }
        : { kind: 'terminate', family: 'tls', kinds: ['TLSRoute'], named: ['TCPRoute'] };
    case 'TCP':
      return tls === undefined ? plain('tcp', ['TCPRoute']) : invalid('tls: has no meaning for TCP; use TLS');
    case 'UDP':
      return tls === undefined ? plain('udp', ['UDPRoute']) : invalid('tls: has no meaning for UDP');
    default:
      return {
        reason: 'UnsupportedProtocol',
        message: `"${protocol}" is not served; use HTTP, HTTPS, TLS, TCP or UDP`,
      };
  }
}

/** Whether a listener tells connections apart by name. */
export function hostnameOf({ protocol, hostname }: ListenerModel): string {
  return protocol === 'TCP' || protocol === 'UDP' ? '' : (hostname ?? '');
}

/** Kinds of routes that a listener takes, and those that it names in vain. */
export function routeKindsOf(
  model: ListenerModel,
  protocol: ListenerProtocol | Refusal,
): {
  readonly supported: readonly { readonly group: string; readonly kind: string }[];
  readonly invalid: readonly string[];
} {
  if ('reason' in protocol && protocol.reason === 'UnsupportedProtocol')
    return { supported: [], invalid: [] };
  const { kinds, named } =
    'reason' in protocol ? { kinds: kindsOf[model.protocol] ?? [], named: [] } : protocol;
  if (model.allowedKinds === undefined || model.allowedKinds.length === 0) {
    return { supported: kinds.map((kind) => ({ group: gatewayGroup, kind })), invalid: [] };
  }
  const fits = ({ group, kind }: { readonly group: string; readonly kind: string }) =>
    group === gatewayGroup && [...kinds, ...named].some((each) => each === kind);
  return {
    supported: model.allowedKinds.filter(fits),
    invalid: model.allowedKinds
      .filter((each) => !fits(each))
      .map(({ group, kind }) => (group === gatewayGroup ? kind : `${group}/${kind}`)),
  };
}

function plain(family: 'http' | 'tcp' | 'udp', kinds: readonly RouteKind[]): ListenerProtocol {
  return { kind: family, family, kinds, named: [] };
}

function invalid(message: string): Refusal {
  return { reason: 'Invalid', message };
}
