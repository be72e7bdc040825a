/** Listeners of an instance's Gateways and their ListenerSets beside each other: what is wrong with each, and what it refers to. */
import type {
  CertificateModel,
  GatewayModel,
  ListenerModel,
  ListenerSetModel,
} from '#model/gateway/types.ts';
import { type Asking, gatewayNamed } from '../inputs.ts';
import { findCertificate } from '../named-objects.ts';
import type { RefusalOf } from '../tenancy/listener-claims.ts';
import type { Listener } from '../types.ts';
import { type ClientValidation, clientValidationOf, ownValidationOf } from './client-validation.ts';
import { type Conflict, findConflicts } from './listener-conflicts.ts';
import {
  gatewayGroup,
  hostnameOf,
  type ListenerProtocol,
  protocolOf,
  type Refusal,
} from './listener-protocols.ts';
import { findOverlaps } from './overlaps.ts';

/** A listener with all that was found about it, before it is known which port gets a socket. */
export type JudgedListener = {
  /** That it belongs to in the end. */
  readonly gateway: string;
  readonly owner: Listener['owner'];
  readonly model: ListenerModel;
  readonly protocol: ListenerProtocol | Refusal;
  /** Its namespace has no right to its hostname: it stands in nobody's way. */
  readonly unentitled: Refusal | undefined;
  readonly conflict: Conflict | undefined;
  readonly certificates: readonly CertificateModel[];
  /** Why one of its certificates can't be used. */
  readonly certificateRefused: Refusal | undefined;
  readonly validation: ClientValidation | undefined;
  readonly overlaps: boolean;
};

/** Those of the Gateways first, in their order, then those of `sets`, which are those that they take, in their order. */
export function judgeListeners(
  gateways: readonly GatewayModel[],
  sets: readonly ListenerSetModel[],
  ask: Asking,
  refusalOf: RefusalOf,
  refused: (listener: ListenerModel) => Refusal | undefined = () => undefined,
): readonly JudgedListener[] {
  const byKey = new Map(gateways.map((each) => [each.key, each]));
  const all = [
    ...gateways.flatMap(({ key, namespace, listeners }, level) => {
      const owner = { kind: 'Gateway' as const, key, namespace };
      return listeners.map((model) => ({ level, gateway: key, owner, model }));
    }),
    ...sets.flatMap(({ key, namespace, parent, listeners }, index) => {
      const owner = { kind: 'ListenerSet' as const, key, namespace };
      const gateway = gatewayNamed(parent) ?? '';
      return listeners.map((model) => ({ level: gateways.length + index, gateway, owner, model }));
    }),
  ].map((each) => ({
    ...each,
    protocol: refused(each.model) ?? protocolOf(each.model),
    unentitled: refusalOf(each.owner, each.model),
  }));
  const distinct = all.flatMap(({ level, model, protocol, unentitled }, index) =>
    'reason' in protocol || unentitled !== undefined
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
  const validations = new Map<string, ClientValidation | undefined>();
  const validationAt = (key: string, port: number): ClientValidation | undefined => {
    const gateway = byKey.get(key);
    if (gateway === undefined) return undefined;
    const at = `${key} ${port}`;
    if (!validations.has(at))
      validations.set(at, clientValidationOf(gateway, port, ask, gateways[0] !== gateway));
    return validations.get(at);
  };
  return all.map(({ gateway, owner, model, protocol, unentitled }, index) => ({
    gateway,
    owner,
    model,
    protocol,
    unentitled,
    conflict: conflicts.get(index),
    ...certificatesOf(owner, model, protocol, ask),
    validation:
      'kind' in protocol && protocol.kind === 'https'
        ? (ownValidationOf(owner, model, ask) ?? validationAt(gateway, model.port))
        : undefined,
    overlaps: overlaps.has(index),
  }));
}

/** Whether it would be served if its port got a socket. */
export function isSound(judged: JudgedListener): boolean {
  const { protocol, unentitled, conflict, certificates, validation } = judged;
  if ('reason' in protocol || unentitled !== undefined || conflict !== undefined) return false;
  const ends = protocol.kind === 'https' || protocol.kind === 'terminate';
  return (
    !(ends && certificates.length === 0) &&
    (validation === undefined || validation.certificates !== undefined)
  );
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
