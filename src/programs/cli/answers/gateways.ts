/** The gateways of a cluster or of files: what each one's data plane holds by the objects that there are, and what is said of them. */
import {
  endpointSliceType,
  ingressClassType,
  ingressType,
  namespaceType,
  secretType,
  serviceType,
} from '#api/core.ts';
import { albKind } from '#api/kinds/alb.ts';
import { alb2Kind } from '#api/kinds/alb2.ts';
import { backendPolicyKind } from '#api/kinds/backendpolicy.ts';
import { backendTLSPolicyKind } from '#api/kinds/backendtlspolicy.ts';
import { frontendKind } from '#api/kinds/frontend.ts';
import { gatewayKind } from '#api/kinds/gateway.ts';
import { gatewayClassKind } from '#api/kinds/gatewayclass.ts';
import { grpcRouteKind } from '#api/kinds/grpcroute.ts';
import { hostnameGrantKind } from '#api/kinds/hostnamegrant.ts';
import { httpRouteKind } from '#api/kinds/httproute.ts';
import { listenerSetKind } from '#api/kinds/listenerset.ts';
import { referenceGrantKind } from '#api/kinds/referencegrant.ts';
import { ruleKind } from '#api/kinds/rule.ts';
import { tcpRouteKind } from '#api/kinds/tcproute.ts';
import { tlsRouteKind } from '#api/kinds/tlsroute.ts';
import { trafficPolicyKind } from '#api/kinds/trafficpolicy.ts';
import { udpRouteKind } from '#api/kinds/udproute.ts';
import { wafPolicyKind } from '#api/kinds/wafpolicy.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { albKey } from '#compile/alauda/names.ts';
import { createGatewayBook } from '#compile/gateway/book.ts';
import { createHolding } from '#compile/gateway/entries/holding.ts';
import { gatewayNamed } from '#compile/gateway/inputs.ts';
import { albInstance } from '#compile/gateway/instances/derived-gateway.ts';
import {
  controllerName,
  type GatewayBook,
  type GatewayInput,
  type GatewayInputs,
  type GatewayStatus,
} from '#compile/gateway/types.ts';
import type { GatewayIntent } from '#intent/gateway.ts';
import { readALB2 } from '#model/alauda/alb2.ts';
import { readFrontend } from '#model/alauda/frontend.ts';
import { readRule } from '#model/alauda/rule.ts';
import { readBackendSlice } from '#model/endpointslice.ts';
import { readALB } from '#model/gateway/alb.ts';
import { readAuthority } from '#model/gateway/authority.ts';
import { readBackendPolicy } from '#model/gateway/backendpolicy.ts';
import { readBackendService } from '#model/gateway/backendservice.ts';
import { readBackendTLSPolicy } from '#model/gateway/backendtlspolicy.ts';
import { isCertificate, readCertificate } from '#model/gateway/certificate.ts';
import { readFirewallRules } from '#model/gateway/firewall-rules.ts';
import { readGateway } from '#model/gateway/gateway.ts';
import { readGatewayClass } from '#model/gateway/gatewayclass.ts';
import { readHostnameGrant } from '#model/gateway/hostnamegrant.ts';
import { readListenerSet } from '#model/gateway/listenerset.ts';
import { readReferenceGrant } from '#model/gateway/referencegrant.ts';
import { readRoute } from '#model/gateway/route.ts';
import { readTrafficPolicy } from '#model/gateway/trafficpolicy.ts';
import { readUsers } from '#model/gateway/users.ts';
import { readWAFPolicy } from '#model/gateway/wafpolicy.ts';
import { readIngress } from '#model/ingress/ingress.ts';
import { readIngressClass } from '#model/ingress/ingressclass.ts';
import type { Problem, Read } from '#model/problem.ts';
import { inspectAuthority, inspectCertificate } from '#system/certificate.ts';
import { gatewaySlots } from '#system/registry.ts';

export type Gateways = {
  readonly gateways: readonly {
    /** Of the instance: `namespace/name`, of an ALB with `~alb` behind. */
    readonly key: string;
    readonly intent: GatewayIntent;
    readonly addresses: readonly string[];
    /** ListenerSets that name it or a Gateway that shares it, as `namespace/name`. */
    readonly sets: readonly string[];
    /** Gateways that share the instance of an ALB. */
    readonly sharers: readonly string[];
    /** What its own status says is not there yet of the running instance. */
    readonly waits?: string;
  }[];
  /** By `KIND/namespace/name`. */
  readonly statuses: ReadonlyMap<string, GatewayStatus>;
  readonly problems: readonly Problem[];
};

type Row = {
  readonly type: ResourceType;
  readonly input: GatewayInput;
  readonly read: (object: KubeObject) => Read<unknown>;
};

const row = <K extends GatewayInput>(
  type: ResourceType,
  input: K,
  read: (object: KubeObject) => Read<GatewayInputs[K]>,
): Row => ({ type, input, read });

const rows: readonly Row[] = [
  row(gatewayClassKind, 'class', readGatewayClass),
  row(gatewayKind, 'gateway', readGateway),
  row(listenerSetKind, 'listenerSet', readListenerSet),
  ...[httpRouteKind, grpcRouteKind, tlsRouteKind, tcpRouteKind, udpRouteKind].map((type) =>
    row(type, 'route', readRoute),
  ),
  row(referenceGrantKind, 'grant', readReferenceGrant),
  row(backendTLSPolicyKind, 'tlsPolicy', readBackendTLSPolicy),
  row(albKind, 'alb', readALB),
  row(trafficPolicyKind, 'policy', readTrafficPolicy),
  row(backendPolicyKind, 'backendPolicy', readBackendPolicy),
  row(wafPolicyKind, 'wafPolicy', readWAFPolicy),
  row(alb2Kind, 'alb2', readALB2),
  row(frontendKind, 'frontend', readFrontend),
  row(ruleKind, 'albRule', readRule),
  row(ingressType, 'ingress', readIngress),
  row(ingressClassType, 'ingressClass', readIngressClass),
  row(hostnameGrantKind, 'hostnameGrant', readHostnameGrant),
  row(serviceType, 'service', readBackendService),
  row(endpointSliceType, 'slice', readBackendSlice),
  row(namespaceType, 'namespace', ({ metadata }) => ({ value: metadata.labels ?? {}, problems: [] })),
];

/** All kinds that gateways are made of, but for Secrets and ConfigMaps: of those only what is referred to is read, by name. */
export const gatewayTypes: readonly ResourceType[] = rows.map(({ type }) => type);

/** `named` finds a Secret or ConfigMap that is referred to; undefined: there is none, or it may not be read. */
export async function gatewaysOf(
  objects: readonly KubeObject[],
  named: (kind: 'Secret' | 'ConfigMap', namespace: string, name: string) => Promise<KubeObject | undefined>,
): Promise<Gateways> {
  const slots = Object.fromEntries(
    Object.entries(gatewaySlots).map(([kind, { value }]) => [kind, value.count]),
  );
  const book = createGatewayBook(slots as Parameters<typeof createGatewayBook>[0]);
  const problems: Problem[] = [];
  const set = (kind: GatewayInput, key: string, value: unknown) => book.set(kind, key, value as undefined);
  for (const object of objects) {
    const found = rows.find(({ type }) => isOf(object, type));
    if (found === undefined) continue;
    const { value, problems: wrong } = found.read(object);
    problems.push(...wrong);
    const key = keyOf(object);
    set(found.input, found.input === 'route' ? `${object.kind}/${key}` : key, value);
  }
  const written = new Map(
    objects.flatMap((object) => {
      if (isOf(object, gatewayKind)) return [[keyOf(object), toldOf(object)] as const];
      if (isOf(object, alb2Kind)) return [[albInstance(albKey(keyOf(object))), toldOfALB2(object)] as const];
      return isOf(object, albKind) ? [[albInstance(keyOf(object)), toldOf(object)] as const] : [];
    }),
  );
  const sets = objects
    .filter((object) => isOf(object, listenerSetKind))
    .map((object) => ({ key: keyOf(object), parent: readListenerSet(object).value?.parent }));
  const setsOf = (gateways: readonly string[]) =>
    sets.flatMap(({ key, parent }) =>
      parent !== undefined && gateways.includes(gatewayNamed(parent) ?? '') ? [key] : [],
    );
  const first = book.settle();
  problems.push(...(await setNamed(book, named)));
  const second = book.settle();
  const changes = [first, second];
  const statuses = new Map<string, GatewayStatus>();
  for (const [key, status] of changes.flatMap((each) => [...each.statuses])) {
    if (status === undefined) statuses.delete(key);
    else statuses.set(key, status);
  }
  // Those that no instance serves are told of, too.
  const unserved = [...statuses].flatMap(([, { kind, key }]) =>
    kind === 'Gateway' && book.instanceOf(key) === undefined ? [key] : [],
  );
  const keys = new Set([...changes.flatMap(({ instances }) => [...instances.keys()]), ...unserved]);
  return {
    gateways: [...keys].sort().flatMap((key) => {
      const intent = book.whole(key) ?? (unserved.includes(key) ? createHolding().whole() : undefined);
      const told = written.get(key) ?? { addresses: [] };
      if (intent === undefined) return [];
      const all = book.gatewaysOf(key);
      const sharers = all.filter((each) => each !== key);
      return [{ key, intent, sets: setsOf(all), sharers, ...told }];
    }),
    statuses,
    problems,
  };
}

/** What comes with Netloom, and so is in no file of who uses it. */
export const ourClass: KubeObject = {
  apiVersion: 'gateway.networking.k8s.io/v1',
  kind: 'GatewayClass',
  metadata: { name: 'netloom' },
  spec: { controllerName },
} as KubeObject;

/** What is referred to is asked for only now: nobody needs to see all Secrets for it. */
async function setNamed(
  book: GatewayBook,
  named: Parameters<typeof gatewaysOf>[1],
): Promise<readonly Problem[]> {
  const problems: Problem[] = [];
  for (const reference of book.references()) {
    const [kind = '', namespace = '', name = ''] = reference.split('/');
    if (kind !== 'Secret' && kind !== 'ConfigMap') continue;
    const object = await named(kind, namespace, name);
    if (object === undefined) continue;
    const key = `${namespace}/${name}`;
    const has = (part: string): boolean => part in ((object['data'] as object | undefined) ?? {});
    const set = <K extends GatewayInput>(input: K, of: string, read: Read<GatewayInputs[K]>): void => {
      problems.push(...read.problems);
      book.set(input, of, read.value);
    };
    if (kind === 'Secret' && isCertificate(object))
      set('certificate', key, readCertificate(object, inspectCertificate));
    if (kind === 'Secret' && has('auth')) set('users', key, readUsers(object));
    if (kind === 'ConfigMap' && has('rules')) set('firewallRules', key, readFirewallRules(object));
    if (has('ca.crt')) set('authority', reference, readAuthority(object, inspectAuthority));
  }
  return problems;
}

function isOf({ apiVersion, kind }: KubeObject, type: ResourceType): boolean {
  const slash = apiVersion.indexOf('/');
  return kind === type.kind && (slash === -1 ? '' : apiVersion.slice(0, slash)) === type.group;
}

function toldOfALB2(object: KubeObject): { readonly addresses: readonly string[] } {
  const { detail } = (object['status'] ?? {}) as {
    readonly detail?: { readonly address?: Readonly<Record<string, unknown>> };
  };
  const lists = ['ipv4', 'ipv6', 'host'].map((name) => detail?.address?.[name]);
  return { addresses: lists.flatMap((list) => (Array.isArray(list) ? (list as readonly string[]) : [])) };
}

type Told = {
  readonly addresses?: readonly { readonly value?: string }[];
  readonly conditions?: readonly {
    readonly type?: string;
    readonly status?: string;
    readonly reason?: string;
    readonly message?: string;
  }[];
};

/** Whether an instance runs, and where, is for the controller to say. */
function toldOf({ status }: KubeObject): { readonly addresses: readonly string[]; readonly waits?: string } {
  const { addresses = [], conditions = [] } = (status ?? {}) as Told;
  const programmed = conditions.find(({ type, status: value }) => type === 'Programmed' && value !== 'True');
  return {
    addresses: addresses.flatMap(({ value }) => value ?? []),
    ...(programmed === undefined ? {} : { waits: `${programmed.reason}: ${programmed.message}` }),
  };
}

function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** As `named` of `gatewaysOf` wants it, among objects. */
export function namedIn(objects: readonly KubeObject[]): Parameters<typeof gatewaysOf>[1] {
  return (kind, namespace, name) =>
    Promise.resolve(
      objects.find(
        (object) =>
          isOf(object, { ...secretType, kind }) &&
          object.metadata.namespace === namespace &&
          object.metadata.name === name,
      ),
    );
}
