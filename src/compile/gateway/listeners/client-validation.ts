/** What client certificates must be on a port: spec.tls.frontend of a Gateway. */
import type { ClientValidationModel, GatewayModel, ListenerModel } from '#model/gateway/types.ts';
import type { Asking } from '../inputs.ts';
import { findAuthority } from '../named-objects.ts';
import { gatewayGroup, type Refusal } from './listener-protocols.ts';

export type ClientValidation = {
  /** Key in GatewayIntent.authorities. */
  readonly authority: string;
  readonly mode: 'require' | 'fallback';
  /** PEM of all references that lead somewhere; absent: none does. */
  readonly certificates?: string;
  /** The first reference that leads nowhere. */
  readonly refused?: Refusal;
};

/**
 * `undefined`: clients need no certificate. A port that `perPort` names gets nothing of the default. `shares`: the instance is
 * another Gateway's first.
 */
export function clientValidationOf(
  gateway: GatewayModel,
  port: number,
  ask: Asking,
  shares = false,
): ClientValidation | undefined {
  const { default: common, perPort } = gateway.clientValidation;
  const own = perPort.has(port);
  const wish = own ? perPort.get(port) : common;
  const name = own ? `port/${port}` : 'default';
  return wish === undefined
    ? undefined
    : resolve(gateway, shares ? `${gateway.key}/${name}` : name, wish, ask);
}

/** What a listener says of its own, in the place of its Gateway's. */
export function ownValidationOf(
  owner: { readonly kind: string; readonly key: string; readonly namespace: string },
  { name, clientValidation }: ListenerModel,
  ask: Asking,
): ClientValidation | undefined {
  if (clientValidation === undefined) return undefined;
  return resolve(owner, `${owner.kind}/${owner.key}/${name}`, clientValidation, ask);
}

/** Whether clients without a good certificate may come in somewhere. */
export function allowsFallback({ clientValidation: { default: common, perPort } }: GatewayModel): boolean {
  return [common, ...perPort.values()].some((each) => each?.mode === 'AllowInsecureFallback');
}

function resolve(
  { namespace }: { readonly namespace: string },
  authority: string,
  { authorities, mode }: ClientValidationModel,
  ask: Asking,
): ClientValidation {
  const from = { group: gatewayGroup, kind: 'Gateway', namespace };
  const reasons = { kind: 'InvalidCACertificateKind', object: 'InvalidCACertificateRef' };
  const found = authorities.map((reference) => findAuthority(from, reference, reasons, ask));
  const good = found.flatMap(({ value }) => (value === undefined ? [] : [value.certificates.trimEnd()]));
  const refused =
    found.length === 0
      ? { reason: reasons.object, message: 'Names nothing to judge client certificates by' }
      : found.find((each) => each.refused !== undefined)?.refused;
  return {
    authority,
    mode: mode === 'AllowInsecureFallback' ? 'fallback' : 'require',
    ...(good.length === 0 ? {} : { certificates: `${good.join('\n')}\n` }),
    ...(refused === undefined ? {} : { refused }),
  };
}
