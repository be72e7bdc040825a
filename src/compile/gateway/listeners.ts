/** All listeners of a Gateway, its own and those of ListenerSets: which are served, on which socket, and what is said of each. */
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
import { type ClientValidation, clientValidationOf } from './client-validation.ts';
import type { Asking } from './inputs.ts';
import { listenerConditions } from './listener-conditions.ts';
import { type Conflict, findConflicts } from './listener-conflicts.ts';
import { assignSlots, portKeyOf, portKindsOf } from './listener-ports.ts';
import {
  gatewayGroup,
  hostnameOf,
  type ListenerProtocol,
  protocolOf,
  type Refusal,
  routeKindsOf,
} from './listener-protocols.ts';
import { findCertificate } from './named-objects.ts';
import { findOverlaps } from './overlaps.ts';
import { readTLSOptions, type TLSOptions } from './tls-options.ts';
import type { GatewaySlots, Listener } from './types.ts';

export type GatewayListeners = {
  /** The Gateway's own first, then those of ListenerSets in their order. */
  readonly listeners: readonly Listener[];
  readonly intent: Pick<GatewayIntent, 'ports' | 'listeners' | 'certificates' | 'authorities'>;
};

/** A listener with all that was found about it, before it is known which port gets a socket. */
export type JudgedListener = {
  readonly key: string;
  readonly owner: Listener['owner'];
  readonly model: ListenerModel;
  readonly level: number;
  readonly protocol: ListenerProtocol | Refusal;
  readonly conflict: Conflict | undefined;
  readonly certificates: readonly CertificateModel[];
  /** Why one of its certificates can't be used. */
  readonly certificateRefused: Refusal | undefined;
  readonly validation: ClientValidation | undefined;
  readonly options: TLSOptions;
  readonly overlaps: boolean;
};

/** `sets`: those that the Gateway takes, in their order. */
export function compileListeners(
  gateway: GatewayModel,
  sets: readonly ListenerSetModel[],
  slots: GatewaySlots,
  ask: Asking,
): GatewayListeners {
  const judged = judge(gateway, sets, ask);
  const wanted = judged.flatMap((each) => (isSound(each) ? [userOf(each)] : []));
  const kinds = portKindsOf(wanted);
  const sockets = assignSlots(kinds, ask.facts(gateway.key)?.slots, slots);
  const proxied = gateway.proxyProtocol === true ? ({ proxyProtocol: true } as const) : {};

  const listeners = judged.map((each) => listenerOf(gateway, each, kinds, sockets));
  const served = judged.flatMap((each, index) => {
    const listener = listeners[index];
    return listener?.served === true ? [{ ...each, port: listener.port }] : [];
  });
  const authorities = served.flatMap(({ validation }) =>
    validation?.certificates === undefined
      ? []
      : [[validation.authority, { certificates: validation.certificates }] as const],
  );
  return {
    listeners,
    intent: {
      ports: Object.fromEntries(
        // Over UDP there are no PROXY headers that nginx would understand.
        [...sockets].map(([key, socket]) => [
          key,
          socket.kind === 'udp' ? socket : { ...socket, ...proxied },
        ]),
      ),
      listeners: Object.fromEntries(served.map((each) => [each.key, intentOf(each)])),
      certificates: Object.fromEntries(
        served.flatMap(({ certificates }) => certificates.map((each) => [each.key, certificateIntent(each)])),
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

/** Whether it would be served if its port got a socket. */
export function isSound({ protocol, conflict, certificates, validation }: JudgedListener): boolean {
  if ('reason' in protocol || conflict !== undefined) return false;
  const ends = protocol.kind === 'https' || protocol.kind === 'terminate';
  return !(ends && certificates.length === 0) && (validation === undefined || hasAuthority(validation));
}

export function hasAuthority({ certificates }: ClientValidation): boolean {
  return certificates !== undefined;
}

function judge(
  gateway: GatewayModel,
  sets: readonly ListenerSetModel[],
  ask: Asking,
): readonly JudgedListener[] {
  const own = { kind: 'Gateway' as const, key: gateway.key, namespace: gateway.namespace };
  const all = [
    ...gateway.listeners.map((model) => ({ level: 0, owner: own, model })),
    ...sets.flatMap(({ key, namespace, listeners }, index) => {
      const owner = { kind: 'ListenerSet' as const, key, namespace };
      return listeners.map((model) => ({ level: index + 1, owner, model }));
    }),
  ].map((each) => ({ ...each, protocol: protocolOf(each.model) }));
  const distinct = all.flatMap(({ level, model, protocol }, index) =>
    'reason' in protocol
      ? []
      : [
          {
            index,
            level,
            port: model.port,
            protocol: model.protocol,
            family: protocol.family,
            hostname: hostnameOf(model),
          },
        ],
  );
  const conflicts = new Map(
    [...findConflicts(distinct)].map(([index, conflict]) => [distinct[index]?.index, conflict]),
  );
  const secure = distinct.filter(({ protocol, index }) => protocol === 'HTTPS' && !conflicts.has(index));
  const overlaps = new Set([...findOverlaps(secure)].map((index) => secure[index]?.index));
  const validations = new Map<number, ClientValidation | undefined>();
  const validationAt = (port: number): ClientValidation | undefined => {
    if (!validations.has(port)) validations.set(port, clientValidationOf(gateway, port, ask));
    return validations.get(port);
  };
  return all.map(({ level, owner, model, protocol }, index) => ({
    key: `${owner.kind === 'Gateway' ? 'gateway' : 'set'}/${owner.key}/${model.name}`,
    owner,
    model,
    level,
    protocol,
    conflict: conflicts.get(index),
    ...certificatesOf(owner, model, protocol, ask),
    validation: 'kind' in protocol && protocol.kind === 'https' ? validationAt(model.port) : undefined,
    options: readTLSOptions(model.tls?.options ?? {}),
    overlaps: overlaps.has(index),
  }));
}

function certificatesOf(
  { kind, namespace }: Listener['owner'],
  { tls }: ListenerModel,
  protocol: ListenerProtocol | Refusal,
  ask: Asking,
): Pick<JudgedListener, 'certificates' | 'certificateRefused'> {
  const ends = 'kind' in protocol && (protocol.kind === 'https' || protocol.kind === 'terminate');
  if (!ends || tls === undefined) return { certificates: [], certificateRefused: undefined };
  const reason = 'InvalidCertificateRef';
  const from = { group: gatewayGroup, kind, namespace };
  const found = tls.certificates.map((each) => findCertificate(from, each, reason, ask));
  return {
    certificates: found.flatMap(({ value }) => value ?? []),
    certificateRefused:
      found.length === 0
        ? { reason, message: 'Names no certificate' }
        : found.find(({ refused }) => refused !== undefined)?.refused,
  };
}

function listenerOf(
  gateway: GatewayModel,
  judged: JudgedListener,
  kinds: ReadonlyMap<string, GatewayPortKind>,
  sockets: ReadonlyMap<string, unknown>,
): Listener {
  const { key, owner, model, protocol } = judged;
  const user = userOf(judged);
  const port = portKeyOf(user);
  const sound = isSound(judged);
  const { supported, invalid } = routeKindsOf(model, protocol);
  return {
    key,
    gateway: gateway.key,
    owner,
    model,
    port,
    portKind: kinds.get(port) ?? portKindsOf([user]).get(port) ?? 'tcp',
    served: sound && sockets.has(port),
    conditions: listenerConditions(judged, invalid, sound && !sockets.has(port)),
    supportedKinds: supported,
  };
}

/** One that is refused has a port all the same. */
function userOf({ model, protocol }: JudgedListener): {
  readonly port: number;
  readonly kind: GatewayListenerIntent['kind'];
} {
  const unknown = model.protocol === 'UDP' ? ('udp' as const) : ('tcp' as const);
  return { port: model.port, kind: 'kind' in protocol ? protocol.kind : unknown };
}

function intentOf(judged: JudgedListener & { readonly port: string }): GatewayListenerIntent {
  const { owner, model, protocol, port, certificates, validation, options } = judged;
  const [namespace = '', name = ''] = owner.key.split('/');
  const kind = 'kind' in protocol ? protocol.kind : 'tcp';
  const ends = kind === 'https' || kind === 'terminate';
  return {
    origin: { kind: owner.kind, namespace, name, rule: `spec.listeners[${model.name}]` },
    port,
    kind,
    hostname: hostnameOf(model),
    ...(ends ? { certificates: [...new Set(certificates.map(({ key }) => key))] } : {}),
    ...(validation === undefined
      ? {}
      : { clientValidation: { authority: validation.authority, mode: validation.mode } }),
    ...(ends ? options.value : {}),
  };
}
