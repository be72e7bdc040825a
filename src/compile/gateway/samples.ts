/** Routes, Services, policies and a context of them for tests of what routes say, with what a test says of them. */

import type {
  AttachedPolicy,
  BackendPolicyModel,
  TrafficPolicyModel,
  WAFPolicyModel,
} from '#model/gateway/policy-types.ts';
import type {
  AuthorityModel,
  BackendReference,
  BackendServiceModel,
  BackendTLSPolicyModel,
  FilterModel,
  GRPCRouteModel,
  GRPCRuleModel,
  HTTPMatchModel,
  HTTPRouteModel,
  HTTPRuleModel,
  L4RouteModel,
} from '#model/gateway/types.ts';
import type { EndpointModel, EndpointSliceModel } from '#model/service.ts';
import { tlsOf } from './entries/tls-policies.ts';
import type { AttachedPolicies } from './policies/types.ts';
import type { Attachment, EntryContext, Listener, Permits } from './types.ts';

const created = '2026-01-01T00:00:00Z';

function objectOf(kind: string, key: string) {
  const [namespace = '', name = ''] = key.split('/');
  return { origin: { kind, namespace, name }, key, namespace, name, uid: key, generation: 1, created };
}

/** All requests to `shop/web` port 80, unless said otherwise. */
export function httpRule(part: Partial<HTTPRuleModel> = {}): HTTPRuleModel {
  return { matches: [httpMatch()], filters: [], backends: [backend('shop/web')], timeouts: {}, ...part };
}

export function httpMatch(part: Partial<HTTPMatchModel> = {}): HTTPMatchModel {
  return { path: { type: 'PathPrefix', value: '/' }, headers: [], query: [], ...part };
}

export function httpRoute(
  rules: readonly HTTPRuleModel[],
  part: Partial<HTTPRouteModel> = {},
): HTTPRouteModel {
  return {
    ...objectOf('HTTPRoute', part.key ?? 'shop/route'),
    kind: 'HTTPRoute',
    parents: [],
    hostnames: [],
    rules,
    ...part,
  };
}

export function grpcRule(part: Partial<GRPCRuleModel> = {}): GRPCRuleModel {
  return { matches: [{ headers: [] }], filters: [], backends: [backend('shop/web')], ...part };
}

export function grpcRoute(
  rules: readonly GRPCRuleModel[],
  part: Partial<GRPCRouteModel> = {},
): GRPCRouteModel {
  return {
    ...objectOf('GRPCRoute', part.key ?? 'shop/calls'),
    kind: 'GRPCRoute',
    parents: [],
    hostnames: [],
    rules,
    ...part,
  };
}

export function l4Route(
  kind: L4RouteModel['kind'],
  backends: readonly BackendReference[],
  part: Partial<L4RouteModel> = {},
): L4RouteModel {
  return {
    ...objectOf(kind, part.key ?? 'shop/stream'),
    kind,
    parents: [],
    hostnames: [],
    rules: [{ backends }],
    ...part,
  };
}

export function backend(
  key: string,
  part: Partial<BackendReference> & { readonly filters?: readonly FilterModel[] } = {},
): BackendReference & { readonly filters: readonly FilterModel[] } {
  const [namespace = '', name = ''] = key.split('/');
  return { group: '', kind: 'Service', namespace, name, port: 80, weight: 1, filters: [], ...part };
}

/** Ports as `NAME NUMBER[/PROTOCOL] [APPPROTOCOL]`. */
export function service(key: string, ports: readonly string[], external = false): BackendServiceModel {
  return {
    origin: objectOf('Service', key).origin,
    key,
    external,
    ports: ports.map((text) => {
      const [name = '', place = '', appProtocol] = text.split(' ');
      const [port = '', protocol = 'TCP'] = place.split('/');
      const base = { name, protocol, port: Number(port) };
      return appProtocol === undefined ? base : { ...base, appProtocol };
    }),
  };
}

/** Endpoints as `ADDRESS` when ready, `ADDRESS leaving` or `ADDRESS dead`. */
export function slice(
  of: string,
  endpoints: readonly string[],
  part: Partial<EndpointSliceModel> = {},
): EndpointSliceModel {
  return {
    origin: objectOf('EndpointSlice', `${of}-1`).origin,
    service: of,
    family: 4,
    ports: [{ name: 'http', protocol: 'tcp', port: 8080 }],
    endpoints: endpoints.map((text): EndpointModel => {
      const [address = '', state] = text.split(' ');
      return {
        address,
        ready: state === undefined,
        serving: state !== 'dead',
        terminating: state === 'leaving',
      };
    }),
    ...part,
  };
}

export function tlsPolicy(
  key: string,
  target: string,
  part: Partial<BackendTLSPolicyModel> = {},
): BackendTLSPolicyModel {
  const [name = '', section] = target.split(':');
  return {
    ...objectOf('BackendTLSPolicy', key),
    targets: [{ group: '', kind: 'Service', name, ...(section === undefined ? {} : { section }) }],
    hostname: 'web.internal',
    authorities: [],
    wellKnown: 'System',
    subjectAltNames: [],
    options: {},
    ...part,
  };
}

/** Targets as `KIND NAME [SECTION]`. */
export function trafficPolicy(
  key: string,
  targets: string | readonly string[],
  settings: TrafficPolicyModel['settings'],
  part: Partial<TrafficPolicyModel> & { readonly second?: number } = {},
): TrafficPolicyModel {
  return { ...attached('TrafficPolicy', key, targets, part), settings };
}

export function wafPolicy(
  key: string,
  targets: string | readonly string[],
  settings: WAFPolicyModel['settings'],
  part: Partial<WAFPolicyModel> & { readonly second?: number } = {},
): WAFPolicyModel {
  return { ...attached('WAFPolicy', key, targets, part), settings };
}

export function backendPolicy(
  key: string,
  targets: string | readonly string[],
  settings: BackendPolicyModel['settings'],
  part: Partial<BackendPolicyModel> & { readonly second?: number } = {},
): BackendPolicyModel {
  return { ...attached('BackendPolicy', key, targets, part), settings };
}

function attached(
  kind: string,
  key: string,
  targets: string | readonly string[],
  { second = 0, ...part }: Partial<AttachedPolicy> & { readonly second?: number },
): AttachedPolicy {
  const read = (typeof targets === 'string' ? [targets] : targets).map((text) => {
    const [of = '', name = '', section] = text.split(' ');
    return {
      group: groups[of] ?? gatewayGroup,
      kind: of,
      name,
      ...(section === undefined ? {} : { section }),
    };
  });
  const at = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  return { ...objectOf(kind, key), created: at, targets: read, enforced: false, ...part };
}

const gatewayGroup = 'gateway.networking.k8s.io';
const groups: Readonly<Record<string, string>> = {
  Service: '',
  Ingress: 'networking.k8s.io',
  ALB: 'netloom.dev',
};

export function listener(name: string, protocol: string, part: Partial<Listener> = {}): Listener {
  const tls = { mode: 'Terminate', certificates: [], options: {} } as const;
  const secure = protocol === 'HTTPS' || protocol === 'TLS';
  return {
    key: `gateway/shop/edge/${name}`,
    gateway: 'shop/edge',
    owner: { kind: 'Gateway', key: 'shop/edge', namespace: 'shop' },
    model: {
      name,
      protocol,
      port: 80,
      allowedNamespaces: { from: 'Same' },
      ...(secure ? { tls } : {}),
    },
    port: protocol === 'UDP' ? 'udp/80' : 'tcp/80',
    portKind:
      protocol === 'HTTPS' ? 'https' : protocol === 'HTTP' ? 'http' : protocol === 'UDP' ? 'udp' : 'tcp',
    served: true,
    conditions: [],
    supportedKinds: [],
    ...part,
  };
}

/** One parentRef's, at listeners with the hosts of each. */
export function attachment(...listeners: readonly (readonly [Listener, ...string[]])[]): Attachment {
  return {
    parent: {
      group: 'gateway.networking.k8s.io',
      kind: 'Gateway',
      namespace: 'shop',
      name: 'edge',
      written: {},
    },
    gateway: 'shop/edge',
    listeners: listeners.map(([each, ...hosts]) => ({
      listener: each,
      hosts: hosts.length === 0 ? [''] : hosts,
    })),
    accepted: { type: 'Accepted', status: 'True', reason: 'Accepted', message: '' },
  };
}

export type World = {
  readonly services?: readonly BackendServiceModel[];
  readonly slices?: readonly EndpointSliceModel[];
  readonly policies?: readonly BackendTLSPolicyModel[];
  readonly authorities?: readonly AuthorityModel[];
  readonly permits?: Permits;
  readonly clientCertificate?: string;
  readonly attached?: Partial<AttachedPolicies>;
};

/** What is known: by default only `shop/web`, with port 80. */
export function contextOf(world: World = {}): EntryContext {
  const services = world.services ?? [service('shop/web', ['http 80'])];
  const find = (key: string) => services.find((each) => each.key === key);
  const policies = (key: string) =>
    (world.policies ?? []).filter((policy) =>
      policy.targets.some(({ name }) => `${policy.namespace}/${name}` === key),
    );
  const authority = (key: string) =>
    (world.authorities ?? []).find(({ origin, key: own }) => `${origin.kind}/${own}` === key);
  return {
    permits: world.permits ?? ((from, to) => from.namespace === to.namespace),
    service: find,
    slices: (key) => (world.slices ?? []).filter((each) => each.service === key),
    tls: (key, port) => tlsOf(key, port, { service: find, policies, authority }),
    clientCertificate: () => world.clientCertificate,
    authority: () => undefined,
    certificate: () => undefined,
    policies: {
      at: () => ({ traffic: [], firewall: [] }),
      entranceAt: () => undefined,
      ofService: () => [],
      ...world.attached,
    },
    users: () => undefined,
    firewallRules: () => undefined,
  };
}
