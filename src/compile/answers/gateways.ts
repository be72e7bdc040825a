/** What a gateway listens at, which routes it has and where those lead, and what is wrong with any of it. */
import type { GatewayIntent } from '#intent/gateway.ts';
import { formatOrigin, type Origin } from '#intent/origin.ts';
import type { ParentReference } from '#model/gateway/types.ts';
import { albInstance } from '../gateway/instances/derived-gateway.ts';
import { instanceObject } from '../gateway/instances/origin.ts';
import type { GatewayCondition, GatewayStatus } from '../gateway/types.ts';

export type GatewayAnswer = {
  /** Key of its instance: `namespace/name`, of an ALB with `~alb` behind. */
  readonly gateway: string;
  /** The Gateway or ALB. */
  readonly object: Origin;
  /** Gateways that share an ALB, as `namespace/name`. */
  readonly sharedBy?: readonly string[];
  readonly addresses: readonly string[];
  readonly listeners: readonly ListenerAnswer[];
  readonly routes: readonly RouteAnswer[];
  readonly backends: readonly BackendAnswer[];
  /** Sentences, each with its object in front. */
  readonly problems: readonly string[];
};

export type ListenerAnswer = {
  /** The object that it stands in, and its name there. */
  readonly of: Origin;
  readonly name: string;
  /** As in the intent; absent: it isn't served. */
  readonly port?: string;
  readonly kind?: string;
  /** '': any. */
  readonly hostname?: string;
  readonly routes: number;
};

export type RouteAnswer = {
  readonly route: Origin;
  /** Where it is served. */
  readonly hosts: readonly string[];
  /** How many of its rules are. */
  readonly rules: number;
  /** Services, as `namespace/name:port`. */
  readonly to: readonly string[];
};

export type BackendAnswer = {
  /** `namespace/name:port`. */
  readonly place: string;
  readonly protocol: string;
  /** The BackendTLSPolicy by which it is spoken to. */
  readonly tls?: string;
  readonly endpoints: readonly string[];
};

/** What is known of an instance besides what it holds. */
export type GatewayFacts = {
  readonly addresses: readonly string[];
  /** ListenerSets that name it or a Gateway that shares it, as `namespace/name`. */
  readonly sets: readonly string[];
  /** Gateways that share it. */
  readonly sharers: readonly string[];
  /** What the controller says is not there yet of the running instance. */
  readonly waits?: string;
};

/** `statuses` by `KIND/namespace/name`, of all objects. */
export function describeGateway(
  instance: string,
  intent: GatewayIntent,
  statuses: ReadonlyMap<string, GatewayStatus>,
  { addresses, sets: named, sharers, waits }: GatewayFacts,
): GatewayAnswer {
  const object = instanceObject(instance);
  const waiting = waits === undefined ? [] : [`${formatOrigin(object)}: ${waits}`];
  const sets = new Set(named);
  const gateways = new Set([instance, ...sharers]);
  // Its own listeners first.
  const related = [...statuses.values()]
    .filter((status) => isOf(status, gateways, sets))
    .sort((a, b) => Number(b.kind === 'ALB') - Number(a.kind === 'ALB'));
  return {
    gateway: instance,
    object,
    ...(object.kind !== 'Gateway' ? { sharedBy: sharers } : {}),
    addresses,
    listeners: listenersOf(intent, related),
    routes: routesOf(intent, related),
    backends: Object.entries(intent.backends).map(([key, { protocol, identity, endpoints }]) => {
      const policy = identity === undefined ? undefined : intent.identities[identity]?.origin;
      return {
        place: placeOf(key),
        protocol,
        ...(policy === undefined ? {} : { tls: `${policy.namespace}/${policy.name}` }),
        endpoints,
      };
    }),
    problems: [
      ...new Set([
        ...waiting,
        ...related.flatMap((status) => problemsOf(status, gateways)),
        ...emptyBackends(intent),
      ]),
    ],
  };
}

/** `gateways`: of the instance. */
function isOf(status: GatewayStatus, gateways: ReadonlySet<string>, sets: ReadonlySet<string>): boolean {
  switch (status.kind) {
    case 'GatewayClass':
      return false;
    case 'Gateway':
      return gateways.has(status.key);
    case 'ListenerSet':
      return sets.has(status.key);
    case 'BackendTLSPolicy':
    case 'TrafficPolicy':
    case 'BackendPolicy':
    case 'WAFPolicy':
      return status.ancestors.some((each) => each.gateway !== undefined && gateways.has(each.gateway));
    case 'Ingress':
      return status.instances.some((each) => gateways.has(each));
    case 'ALB2':
    case 'Frontend':
    case 'Rule':
      return gateways.has(status.instance);
    case 'ALB':
      return gateways.has(albInstance(status.key));
    case 'HostnameGrant':
      return false;
    default:
      return status.parents.some(({ parent }) => leadsTo(parent, gateways, sets));
  }
}

function leadsTo(
  { kind, namespace, name }: ParentReference,
  gateways: ReadonlySet<string>,
  sets: ReadonlySet<string>,
): boolean {
  const key = `${namespace}/${name}`;
  if (kind === 'ListenerSet') return sets.has(key);
  return gateways.has(kind === 'ALB' ? albInstance(key) : key);
}

function listenersOf(intent: GatewayIntent, related: readonly GatewayStatus[]): readonly ListenerAnswer[] {
  return related.flatMap((status) => {
    if (status.kind !== 'Gateway' && status.kind !== 'ListenerSet' && status.kind !== 'ALB') return [];
    const prefix = status.kind === 'ListenerSet' ? 'set' : 'gateway';
    const key = status.kind === 'ALB' ? albInstance(status.key) : status.key;
    return status.listeners.map(({ name, attachedRoutes }): ListenerAnswer => {
      const held = intent.listeners[`${prefix}/${key}/${name}`];
      const of = originOf(status.kind, status.key);
      if (held === undefined) return { of, name, routes: attachedRoutes };
      const { port, kind, hostname } = held;
      return { of, name, port, kind, hostname, routes: attachedRoutes };
    });
  });
}

type Served = { readonly hosts: Set<string>; readonly rules: Set<string>; readonly to: Set<string> };

function routesOf(intent: GatewayIntent, related: readonly GatewayStatus[]): readonly RouteAnswer[] {
  const served = new Map<string, Served>();
  const at = ({ kind, namespace, name }: Origin): Served => {
    const key = `${kind}/${namespace}/${name}`;
    const known = served.get(key) ?? { hosts: new Set(), rules: new Set(), to: new Set() };
    served.set(key, known);
    return known;
  };
  for (const { action, host } of Object.values(intent.rules)) {
    const held = intent.actions[action];
    if (held !== undefined) at(held.origin).hosts.add(host);
  }
  for (const { origin, host } of Object.values(intent.streams)) at(origin).hosts.add(host);
  for (const { origin, backends } of [...Object.values(intent.actions), ...Object.values(intent.streams)]) {
    const route = at(origin);
    route.rules.add(origin.rule ?? '');
    for (const { backend } of backends) if (backend !== undefined) route.to.add(placeOf(backend));
  }
  return related.flatMap((status): RouteAnswer[] => {
    if (!('parents' in status)) return [];
    const found = served.get(`${status.kind}/${status.key}`);
    return [
      {
        route: originOf(status.kind, status.key),
        hosts: [...(found?.hosts ?? [])].sort(),
        rules: found?.rules.size ?? 0,
        to: [...(found?.to ?? [])].sort(),
      },
    ];
  });
}

function placeOf(backend: string): string {
  const colon = backend.indexOf(':');
  const slash = backend.indexOf('/', colon);
  return colon === -1 || slash === -1 ? backend : backend.slice(0, slash);
}

function originOf(kind: string, key: string): Origin {
  const [namespace = '', name = ''] = key.split('/');
  return { kind, namespace, name };
}

function problemsOf(status: GatewayStatus, gateways: ReadonlySet<string>): readonly string[] {
  const object = formatOrigin(originOf(status.kind, status.key));
  switch (status.kind) {
    case 'GatewayClass':
      return [];
    case 'Gateway':
    case 'ListenerSet':
      return [
        ...wrongIn(status.conditions, object),
        ...status.listeners.flatMap(({ name, conditions }) =>
          wrongIn(conditions, `${object} listener ${name}`),
        ),
      ];
    case 'ALB':
    case 'HostnameGrant':
      return wrongIn(status.conditions, object);
    case 'ALB2':
    case 'Frontend':
    case 'Rule':
    case 'Ingress':
      return status.problems.map(({ field, message }) => `${object}: ${field}: ${message}`);
    case 'BackendTLSPolicy':
    case 'TrafficPolicy':
    case 'BackendPolicy':
    case 'WAFPolicy':
      return status.ancestors
        .filter((each) => each.gateway !== undefined && gateways.has(each.gateway))
        .flatMap(({ conditions }) => wrongIn(conditions, object));
    default:
      return status.parents.flatMap(({ conditions }) => wrongIn(conditions, object));
  }
}

/** Of these True is what is wrong; of all others False. */
const bad = new Set([
  'PartiallyInvalid',
  'Conflicted',
  'OverlappingTLSConfig',
  'InsecureFrontendValidationMode',
  'Overridden',
  'netloom.dev/HostnameRefused',
  'netloom.dev/OptionRefused',
  'netloom.dev/Shadowed',
]);

function wrongIn(conditions: readonly GatewayCondition[], object: string): readonly string[] {
  return conditions
    .filter(({ type, status }) => (bad.has(type) ? status === 'True' : status === 'False'))
    .filter(({ type, reason }) => type !== 'Programmed' && !consequences.has(reason))
    .map(({ reason, message }) => `${object}: ${reason}${message === '' ? '' : `: ${message}`}`);
}

/** Said beside the condition that says what it is. */
const consequences = new Set(['NoConflicts', 'ListenersNotResolved']);

function emptyBackends({ backends }: GatewayIntent): readonly string[] {
  return Object.entries(backends)
    .filter(([, { endpoints }]) => endpoints.length === 0)
    .map(
      ([key, { origin }]) =>
        `${formatOrigin(origin)}: port ${placeOf(key).split(':')[1]} has no endpoint that is ready`,
    );
}
