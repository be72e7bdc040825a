/** Which instance serves a Gateway: its own, or that of an ALB that it shares. */
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayClassModel, GatewayModel, ObjectReference } from '#model/gateway/types.ts';
import type { Asking } from '../inputs.ts';
import { albInstance, albOf, isALB } from './derived-gateway.ts';
import { isTenant } from './tenants.ts';

export type Sharing =
  | {
      /** Key in the book: the Gateway's own, or that of an ALB. */
      readonly instance: string;
      readonly alb?: ALBModel;
    }
  /** A sentence: no instance serves it. */
  | { readonly refused: string };

/**
 * What the Gateway says stands against what its class says. Only a class reaches into another namespace, since a Gateway's own reference
 * can't: whoever may make classes may do that.
 */
export function sharingOf(
  gateway: GatewayModel,
  gatewayClass: GatewayClassModel | undefined,
  ask: Pick<Asking, 'get' | 'labels'>,
): Sharing {
  const own = albOf(gateway.key);
  const named = own === undefined ? parametersOf(gateway, gatewayClass) : undefined;
  const key = own ?? (named && `${named.reference.namespace}/${named.reference.name}`);
  if (key === undefined) return { instance: gateway.key };
  const alb = ask.get('alb', key);
  if (alb === undefined) return { refused: `${named?.field}: there is no ALB ${key}` };
  if (!isTenant(alb, gateway.namespace, ask))
    return { refused: `${named?.field}: ALB ${key} takes nothing of namespace ${gateway.namespace}` };
  return { instance: albInstance(key), alb };
}

type Named = { readonly field: string; readonly reference: ObjectReference };

function parametersOf(
  { infrastructure, className }: GatewayModel,
  gatewayClass: GatewayClassModel | undefined,
): Named | undefined {
  const { parameters } = infrastructure;
  if (parameters !== undefined)
    return isALB(parameters)
      ? { field: 'spec.infrastructure.parametersRef', reference: parameters }
      : undefined;
  const reference = gatewayClass?.parameters;
  return reference !== undefined && isALB(reference)
    ? { field: `GatewayClass ${className}, spec.parametersRef`, reference }
    : undefined;
}
