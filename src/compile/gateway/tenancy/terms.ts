/** On which terms tenants are at an instance: how hostnames are given, and how much each may have. */
import type { ALBModel } from '#model/gateway/policy-types.ts';
import type { GatewayModel } from '#model/gateway/types.ts';

export type Terms = {
  /** The instance's key. */
  readonly instance: string;
  /** Whose the instance is. */
  readonly namespace: string;
  readonly hostnames: ALBModel['hostnames'];
  /** Of tenants: the instance's own namespace is none. */
  readonly quotas: ALBModel['quotas'];
};

/** `gateway`: whose key the instance has. */
export function termsOf({ key, namespace }: GatewayModel, alb: ALBModel | undefined): Terms {
  return {
    instance: key,
    namespace,
    hostnames: alb?.hostnames ?? 'Shared',
    quotas: alb?.quotas ?? {},
  };
}
