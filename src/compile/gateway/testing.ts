/** For tests: Gateways and what stands around them, short to write, and what is said of them, short to read. */
import type { GatewayUsersIntent } from '#intent/gateway-policy.ts';
import type { Origin } from '#intent/origin.ts';
import type { ALBModel, HostnameGrantModel } from '#model/gateway/policy-types.ts';
import type {
  AuthorityModel,
  CertificateModel,
  GatewayClassModel,
  GatewayModel,
  ListenerModel,
  ListenerSetModel,
  ObjectReference,
  ParentReference,
  ReferenceGrantModel,
  RouteModel,
} from '#model/gateway/types.ts';
import { compileGateways } from './compile.ts';
import { derivedGateway } from './instances/derived-gateway.ts';
import type {
  GatewayCondition,
  GatewayInput,
  GatewayInputs,
  GatewaySlots,
  GatewaySnapshot,
  GatewayStatus,
  InstanceFacts,
} from './types.ts';

export const slots: GatewaySlots = { http: 4, https: 4, tls: 2, tcp: 3, udp: 3 };

const group = 'gateway.networking.k8s.io';

export function objectOf(kind: string, key: string, second = 0) {
  const [namespace = '', name = ''] = key.split('/');
  const created = new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
  return { origin: { kind, namespace, name }, key, namespace, name, uid: key, generation: 1, created };
}

export function gatewayClass(part: Partial<GatewayClassModel> = {}): GatewayClassModel {
  const named = { ...objectOf('GatewayClass', '/netloom'), key: 'netloom' };
  return { ...named, controllerName: 'netloom.dev/gateway', ...part };
}

export function gateway(
  key: string,
  listeners: readonly ListenerModel[],
  part: Partial<GatewayModel> = {},
): GatewayModel {
  return {
    ...objectOf('Gateway', key),
    className: 'netloom',
    listeners,
    addresses: [],
    allowedListeners: { from: 'None' },
    infrastructure: { labels: {}, annotations: {} },
    clientValidation: { perPort: new Map() },
    ...part,
  };
}

/** `NAME PROTOCOL/PORT [HOSTNAME]`; HTTPS and TLS end with the certificate of Secret `cert` in the owner's namespace. */
export function listener(
  text: string,
  part: Partial<ListenerModel> = {},
  certificates: readonly ObjectReference[] = [secret('shop/cert')],
): ListenerModel {
  const [name = '', place = '', hostname] = text.split(' ');
  const [protocol = '', port = ''] = place.split('/');
  const tls = { mode: 'Terminate' as const, certificates, options: {} };
  return {
    name,
    protocol,
    port: Number(port),
    allowedNamespaces: { from: 'Same' },
    ...(hostname === undefined ? {} : { hostname }),
    ...(protocol === 'HTTPS' || protocol === 'TLS' ? { tls } : {}),
    ...part,
  };
}

export const passthrough: Partial<ListenerModel> = {
  tls: { mode: 'Passthrough', certificates: [], options: {} },
};

export function secret(key: string): ObjectReference {
  return reference('', 'Secret', key);
}

export function reference(ofGroup: string, kind: string, key: string): ObjectReference {
  const [namespace = '', name = ''] = key.split('/');
  return { group: ofGroup, kind, namespace, name };
}

export function listenerSet(
  key: string,
  of: string,
  listeners: readonly ListenerModel[],
  second = 0,
): ListenerSetModel {
  return { ...objectOf('ListenerSet', key, second), parent: reference(group, 'Gateway', of), listeners };
}

/** `KIND NAMESPACE/NAME [SECTION] [:PORT]`. */
export function parent(text: string): ParentReference {
  const [kind = '', key = '', ...rest] = text.split(' ');
  if (!key.includes('/')) throw new Error(`"${text}" is not KIND NAMESPACE/NAME`);
  const port = rest.find((each) => each.startsWith(':'))?.slice(1);
  const sectionName = rest.find((each) => !each.startsWith(':'));
  const written = {
    ...reference(kind === 'ALB' ? 'netloom.dev' : group, kind, key),
    ...(sectionName === undefined ? {} : { sectionName }),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
  return { ...written, written };
}

/** `FROM KIND NAMESPACE` and `TO KIND [NAME]`; kinds that aren't of the core are of Gateway API. */
export function grant(
  namespace: string,
  from: string,
  to: string,
  part: Partial<ReferenceGrantModel> = {},
): ReferenceGrantModel {
  const [fromKind = '', fromNamespace = ''] = from.split(' ');
  const [kind = '', name] = to.split(' ');
  return {
    ...objectOf('ReferenceGrant', `${namespace}/${from} ${to}`.replaceAll(' ', '-').toLowerCase()),
    namespace,
    from: [{ group, kind: fromKind, namespace: fromNamespace }],
    to: [{ group: '', kind, ...(name === undefined ? {} : { name }) }],
    ...part,
  };
}

/** To namespaces, or to those with a label (`KEY=VALUE`). */
export function hostnameGrant(
  name: string,
  hostnames: readonly string[],
  ...tenants: readonly string[]
): HostnameGrantModel {
  const labels = tenants.filter((each) => each.includes('=')).map((each) => each.split('='));
  return {
    ...objectOf('HostnameGrant', `/${name}`),
    key: name,
    hostnames,
    tenants: {
      namespaces: tenants.filter((each) => !each.includes('=')),
      projects: [],
      ...(labels.length === 0 ? {} : { selector: { matchLabels: Object.fromEntries(labels) } }),
    },
  };
}

export function certificate(key: string, names: readonly string[] = ['shop.example']): CertificateModel {
  const { origin } = objectOf('Secret', key);
  return { origin, key, certificate: `certificate of ${key}`, privateKey: `key of ${key}`, names };
}

export function authority(kind: 'ConfigMap' | 'Secret', key: string): AuthorityModel {
  return { origin: objectOf(kind, key).origin, key, certificates: `authorities of ${key}\n` };
}

export function users(key: string, names: readonly string[] = ['ann']): GatewayUsersIntent {
  const hashes = names.map((name) => [name, `$apr1$${name}$0123456789abcdefghijkl`]);
  return { origin: objectOf('Secret', key).origin, users: Object.fromEntries(hashes) };
}

export function alb(key: string, part: Partial<ALBModel> = {}): ALBModel {
  return {
    ...objectOf('ALB', key),
    instance: {
      network: 'LoadBalancer',
      externalTrafficPolicy: 'Local',
      addresses: [],
      annotations: {},
      nodeSelector: {},
      tolerations: [],
    },
    http: { port: 80 },
    hostnames: 'Shared',
    quotas: {},
    ...part,
  };
}

/** On a Gateway: the ALB that it shares. */
/** That every namespace may use, and whose hostnames belong to who claimed them first. */
export function openALB(key: string, part: Partial<ALBModel> = {}): ALBModel {
  const tenants = { namespaces: [], projects: [], selector: {} };
  return alb(key, { tenants, hostnames: 'FirstHolder', ...part });
}

export function sharing(key: string): Partial<GatewayModel> {
  const parameters = reference('netloom.dev', 'ALB', key);
  return { infrastructure: { labels: {}, annotations: {}, parameters } };
}

export type Cluster = { readonly [K in Exclude<GatewayInput, 'namespace'>]?: readonly GatewayInputs[K][] } & {
  readonly namespaces?: GatewaySnapshot['namespace'];
};

/** With class `netloom` and Secret `shop/cert`, unless said otherwise. */
export function snapshotOf(cluster: Cluster): GatewaySnapshot {
  const byKey = <T extends { readonly key: string }>(list: readonly T[] = []) =>
    new Map(list.map((each) => [each.key, each]));
  const byOrigin = <T extends { readonly origin: Origin }>(list: readonly T[] = []) =>
    new Map(list.map((each) => [`${each.origin.namespace}/${each.origin.name}`, each]));
  return {
    class: byKey(cluster.class ?? [gatewayClass()]),
    gateway: byKey(cluster.gateway),
    listenerSet: byKey(cluster.listenerSet),
    route: new Map((cluster.route ?? []).map((each) => [routeId(each), each])),
    grant: byKey(cluster.grant),
    tlsPolicy: byKey(cluster.tlsPolicy),
    service: byKey(cluster.service),
    slice: new Map((cluster.slice ?? []).map((each, index) => [`slice-${index}`, each])),
    certificate: byKey(cluster.certificate ?? [certificate('shop/cert')]),
    authority: new Map((cluster.authority ?? []).map((each) => [`${each.origin.kind}/${each.key}`, each])),
    namespace: cluster.namespaces ?? new Map(),
    policy: byKey(cluster.policy),
    backendPolicy: byKey(cluster.backendPolicy),
    wafPolicy: byKey(cluster.wafPolicy),
    hostnameGrant: byKey(cluster.hostnameGrant),
    alb: byKey(cluster.alb),
    alb2: byKey(cluster.alb2),
    frontend: byKey(cluster.frontend),
    albRule: byKey(cluster.albRule),
    ingress: byKey(cluster.ingress),
    ingressClass: byKey(cluster.ingressClass),
    users: byOrigin(cluster.users),
    firewallRules: byOrigin(cluster.firewallRules),
  };
}

export function routeId({ kind, key }: RouteModel): string {
  return `${kind}/${key}`;
}

/** An instance that is there. */
export const running: InstanceFacts = { addresses: [{ type: 'IPAddress', value: '192.0.2.1' }] };

/** The whole, where every Gateway runs unless said otherwise. */
export function compiled(cluster: Cluster, facts?: ReadonlyMap<string, InstanceFacts>) {
  const keys = [...(cluster.gateway ?? []), ...(cluster.alb ?? []).map(derivedGateway)].map(({ key }) => key);
  const all = new Map(keys.map((key) => [key, running]));
  return compileGateways(snapshotOf(cluster), facts ?? all, slots).value;
}

/** `TYPE STATUS REASON`, without the messages. */
export function said(conditions: readonly GatewayCondition[] | undefined): readonly string[] | undefined {
  return conditions?.map(({ type, status, reason }) => `${type} ${status} ${reason}`);
}

/** What is said of a Gateway or ListenerSet itself, or of one of its listeners. */
export function saidOf(
  status: GatewayStatus | undefined,
  listenerName?: string,
): readonly string[] | undefined {
  if (status?.kind === 'GatewayClass') return said(status.conditions);
  if (status?.kind !== 'Gateway' && status?.kind !== 'ListenerSet' && status?.kind !== 'ALB')
    return undefined;
  if (listenerName === undefined) return said(status.conditions);
  return said(status.listeners.find(({ name }) => name === listenerName)?.conditions);
}

/** What is said of a route, by parent. */
export function saidOfRoute(status: GatewayStatus | undefined): readonly (readonly string[] | undefined)[] {
  return status !== undefined && 'parents' in status
    ? status.parents.map(({ conditions }) => said(conditions))
    : [];
}
