/** What policies are asked for by, and what is said of them. */
import type { BackendPolicyModel, TrafficPolicyModel, WAFPolicyModel } from '#model/gateway/policy-types.ts';
import type { ObjectReference } from '#model/gateway/types.ts';
import type { GatewayCondition } from '../types.ts';

/** Who has policies attached to it. */
export type AttachedPolicies = {
  /** By `KIND/namespace/name` of the target, in any order. */
  readonly at: (target: string) => TargetPolicies;
  /** The section of an ALB (`namespace/name`) that is its port of that number. */
  readonly entranceAt: (alb: string, port: number) => 'http' | 'https' | undefined;
  /** BackendPolicies by `namespace/name` of the Service, in any order. */
  readonly ofService: (service: string) => readonly BackendPolicyModel[];
};

export type TargetPolicies = {
  readonly traffic: readonly TrafficPolicyModel[];
  readonly firewall: readonly WAFPolicyModel[];
};

export type PolicyAncestor = { readonly conditions: readonly GatewayCondition[] } & (
  | { readonly gateway: string; readonly target?: undefined }
  | { readonly target: ObjectReference; readonly gateway?: undefined }
);
