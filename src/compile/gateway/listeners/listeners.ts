/** All listeners of an instance, of its Gateways and of ListenerSets: which are served, on which socket, and what is said of each. */
import type {
  GatewayCertificateIntent,
  GatewayIntent,
  GatewayListenerIntent,
  GatewayPortKind,
} from '#intent/gateway.ts';
import type {
  CertificateModel,
  GatewayModel,
  ListenerModel,
  ListenerSetModel,
} from '#model/gateway/types.ts';
import type { Asking } from '../inputs.ts';
import { albOf } from '../instances/derived-gateway.ts';
import type { RefusalOf } from '../tenancy/listener-claims.ts';
import type { GatewaySlots, Listener } from '../types.ts';
import { listenerConditions } from './listener-conditions.ts';
import { isSound, type JudgedListener, judgeListeners } from './listener-judgement.ts';
import { assignSlots, portKeyOf, portKindsOf } from './listener-ports.ts';
import { hostnameOf, type Refusal, routeKindsOf } from './listener-protocols.ts';
import { readTLSOptions } from './tls-options.ts';

export type GatewayListeners = {
  /** By `KIND/namespace/name` of the Gateways, which are the first, and of the ListenerSets in their order. */
  readonly groups: ReadonlyMap<string, ListenerGroup>;
  readonly intent: Pick<GatewayIntent, 'ports' | 'authorities'>;
};

/** Listeners of one object. The same group as before is the same object: with many ListenerSets only those that changed cost more. */
export type ListenerGroup = {
  readonly listeners: readonly Listener[];
  /** Of those that are served. */
  readonly intent: Pick<GatewayIntent, 'listeners' | 'certificates'>;
  /** All that the rest is made of. */
  readonly marks: readonly unknown[];
};

/** What was decided about the ports. */
type Ports = {
  readonly kinds: ReadonlyMap<string, GatewayPortKind>;
  readonly sockets: ReadonlyMap<string, unknown>;
};

/** What an instance serves. */
export type Served = {
  readonly key: string;
  /** In their order: the first decides what is of the instance as a whole. */
  readonly gateways: readonly GatewayModel[];
  /** Those that the Gateways take, in their order. */
  readonly sets: readonly ListenerSetModel[];
  /** Why a listener can't be had, whatever it is. */
  readonly refused?: (listener: ListenerModel) => Refusal | undefined;
};

/** `before`: the groups as they were. */
export function compileListeners(
  { key: instance, gateways, sets, refused }: Served,
  slots: GatewaySlots,
  ask: Asking,
  refusalOf: RefusalOf,
  before?: GatewayListeners['groups'],
): GatewayListeners {
  const judged = judgeListeners(gateways, sets, ask, refusalOf, refused);
  const kinds = portKindsOf(judged.flatMap((each) => (isSound(each) ? [userOf(each)] : [])));
  const sockets = assignSlots(kinds, ask.facts(instance)?.slots, slots);
  const proxied = gateways[0]?.proxyProtocol === true ? ({ proxyProtocol: true } as const) : {};
  const served = judged.filter((each) => isServed(each, { kinds, sockets }));
  const authorities = served.flatMap(({ validation }) =>
    validation?.certificates === undefined
      ? []
      : [[validation.authority, { certificates: validation.certificates }] as const],
  );
  const members = new Map<string, JudgedListener[]>();
  for (const { key } of gateways) members.set(`Gateway/${key}`, []);
  for (const { key } of sets) members.set(`ListenerSet/${key}`, []);
  for (const each of judged) members.get(`${each.owner.kind}/${each.owner.key}`)?.push(each);
  const groups = [...members].map(
    ([parent, own]) => [parent, groupOf(instance, own, { kinds, sockets }, before?.get(parent))] as const,
  );
  return {
    groups: new Map(groups),
    intent: {
      ports: Object.fromEntries(
        // Over UDP there are no PROXY headers that nginx would understand.
        [...sockets].map(([key, socket]) => [
          key,
          socket.kind === 'udp' ? socket : { ...socket, ...proxied },
        ]),
      ),
      authorities: Object.fromEntries(authorities),
    },
  };
}

export function certificateIntent({
  origin,
  certificate,
  privateKey,
  names,
}: CertificateModel): GatewayCertificateIntent {
  return { origin, certificate, privateKey, names };
}

function groupOf(
  instance: string,
  judged: readonly JudgedListener[],
  ports: Ports,
  before: ListenerGroup | undefined,
): ListenerGroup {
  const marks = judged.flatMap((each) => marksOf(each, ports));
  if (before?.marks.length === marks.length && marks.every((mark, index) => mark === before.marks[index]))
    return before;
  const listeners = judged.map((each) => listenerOf(instance, each, ports));
  const served = judged.filter((each) => isServed(each, ports));
  return {
    listeners,
    intent: {
      listeners: Object.fromEntries(served.map((each) => [keyOf(each), intentOf(each)])),
      certificates: Object.fromEntries(
        served.flatMap(({ certificates }) => certificates.map((each) => [each.key, certificateIntent(each)])),
      ),
    },
    marks,
  };
}

/** What a listener is made of besides its owner. */
function marksOf(judged: JudgedListener, { kinds, sockets }: Ports): readonly unknown[] {
  const { gateway, model, unentitled, conflict, overlaps, certificates, certificateRefused, validation } =
    judged;
  const port = portKeyOf(userOf(judged));
  return [
    gateway,
    model,
    unentitled?.message,
    conflict,
    overlaps,
    kinds.get(port),
    sockets.has(port),
    certificateRefused?.reason,
    certificateRefused?.message,
    validation?.authority,
    validation?.mode,
    validation?.certificates === undefined,
    validation?.refused?.reason,
    validation?.refused?.message,
    certificates.length,
    ...certificates,
  ];
}

function isServed(judged: JudgedListener, { sockets }: Ports): boolean {
  return isSound(judged) && sockets.has(portKeyOf(userOf(judged)));
}

function listenerOf(instance: string, judged: JudgedListener, ports: Ports): Listener {
  const { gateway, owner, model, protocol } = judged;
  const user = userOf(judged);
  const port = portKeyOf(user);
  const served = isServed(judged, ports);
  const { supported, invalid } = routeKindsOf(model, protocol);
  const { refused } = readTLSOptions(model.tls?.options ?? {}, user.kind);
  return {
    key: keyOf(judged),
    gateway,
    ...(instance === gateway ? {} : { instance }),
    owner,
    model,
    port,
    portKind: ports.kinds.get(port) ?? portKindsOf([user]).get(port) ?? 'tcp',
    served,
    conditions: listenerConditions(judged, {
      invalidKinds: invalid,
      refusedOptions: refused,
      crowded: isSound(judged) && !served,
    }),
    supportedKinds: supported,
  };
}

function keyOf({ owner, model }: JudgedListener): string {
  return `${owner.kind === 'Gateway' ? 'gateway' : 'set'}/${owner.key}/${model.name}`;
}

/** One that is refused has a port all the same. */
function userOf({ model, protocol }: JudgedListener): {
  readonly port: number;
  readonly kind: GatewayListenerIntent['kind'];
} {
  const unknown = model.protocol === 'UDP' ? ('udp' as const) : ('tcp' as const);
  return { port: model.port, kind: 'kind' in protocol ? protocol.kind : unknown };
}

function intentOf(judged: JudgedListener): GatewayListenerIntent {
  const { owner, model, certificates, validation } = judged;
  const user = userOf(judged);
  const ends = user.kind === 'https' || user.kind === 'terminate';
  return {
    origin: originOf(owner, model.name),
    port: portKeyOf(user),
    kind: user.kind,
    hostname: hostnameOf(model),
    ...(ends ? { certificates: [...new Set(certificates.map(({ key }) => key))] } : {}),
    ...(validation === undefined
      ? {}
      : { clientValidation: { authority: validation.authority, mode: validation.mode } }),
    ...(ends ? readTLSOptions(model.tls?.options ?? {}, user.kind).value : {}),
  };
}

function originOf({ kind, key }: Listener['owner'], name: string): GatewayListenerIntent['origin'] {
  const alb = albOf(key);
  const [namespace = '', own = ''] = (alb ?? key).split('/');
  // Of an ALB the fields are called like its listeners.
  return alb === undefined
    ? { kind, namespace, name: own, rule: `spec.listeners[${name}]` }
    : { kind: 'ALB', namespace, name: own, rule: `spec.${name}` };
}
