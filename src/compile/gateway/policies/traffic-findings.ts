/** What a TrafficPolicy refers to and isn't there, and what it says where that has no effect. */
import type { TrafficPolicyModel } from '#model/gateway/policy-types.ts';
import type { BackendReference } from '#model/gateway/types.ts';
import type { EntryContext } from '../types.ts';
import { resolveForPolicy } from './applied.ts';
import type { Finding } from './policy-conditions.ts';

export function trafficFindings(policy: TrafficPolicyModel, context: EntryContext): readonly Finding[] {
  const { basicAuth, externalAuth, canaries = [], mirrors = [], errors = [] } = policy.settings;
  const backend = (
    field: string,
    reference: BackendReference,
    what: string,
    speech: 'http' | 'grpc' = 'http',
  ): readonly Finding[] => {
    const { refusal } = resolveForPolicy(reference, policy, context, speech);
    if (refusal === undefined) return [];
    return [{ reason: refusal.reason, message: `${field}: ${refusal.message}; ${what}` }];
  };
  const secret = basicAuth && `${policy.namespace}/${basicAuth.secret}`;
  const lacksUsers = secret !== undefined && context.users(secret) === undefined;
  return [
    ...(lacksUsers
      ? [
          {
            reason: 'InvalidSecret',
            message: `spec.basicAuth.secretRef: Secret ${secret} doesn't exist or has no users in auth; nobody is let in`,
          },
        ]
      : []),
    ...(externalAuth === undefined
      ? []
      : backend(
          'spec.externalAuth.backendRef',
          externalAuth.backend,
          'nobody is let in',
          externalAuth.protocol === 'GRPC' ? 'grpc' : 'http',
        )),
    ...canaries.flatMap(({ backends }, at) =>
      backends.flatMap((each, index) =>
        backend(`spec.canaries[${at}].backendRefs[${index}]`, each, 'its share of requests gets 500'),
      ),
    ),
    ...mirrors.flatMap((each, at) =>
      backend(`spec.mirrors[${at}].backendRef`, each.backend, 'nothing is mirrored'),
    ),
    ...errors.flatMap((each, at) =>
      each.backend === undefined
        ? []
        : backend(`spec.errors[${at}].backendRef`, each.backend, 'answers are given as they are'),
    ),
  ];
}

/** What only some targets may say. `shares`: whether a Gateway (`namespace/name`) is served by an ALB, whose owner has its address. */
export function trafficIdle(
  { settings, targets, namespace }: TrafficPolicyModel,
  shares: (gateway: string) => boolean,
): readonly string[] {
  const routes = ['HTTPRoute', 'GRPCRoute', 'Ingress'];
  const isOfRoute = targets.some(({ kind }) => routes.includes(kind));
  const gateways = targets.filter(({ kind }) => kind === 'Gateway');
  const isOfAddress =
    targets.some(({ kind }) => kind === 'ALB') ||
    gateways.some(({ name }) => !shares(`${namespace}/${name}`));
  return [
    ...(settings.canaries !== undefined && !isOfRoute
      ? ['spec.canaries: are for routes, and without effect here']
      : []),
    ...(settings.trustedProxies !== undefined && !isOfAddress
      ? [
          gateways.length > 0
            ? 'spec.trustedProxies: are for the ALB that the Gateway shares, and without effect here'
            : 'spec.trustedProxies: are for Gateways and ALBs, and without effect here',
        ]
      : []),
  ];
}
