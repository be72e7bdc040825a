/** TrafficPolicy: what holds for requests besides what their routes say, by attachment. */
import { group, type ObjectOf, version } from '../kind.ts';
import { attachedColumns, enforcedSchema, trafficTargetsSchema } from './attachedparts.ts';
import { mirrorSchema } from './gatewayfilters.ts';
import { policyStatusSchema } from './gatewaystatus.ts';
import { corsSchema, externalAuthSchema } from './httpfilters.ts';
import { retrySchema } from './httproute.ts';
import {
  accessSchema,
  basicAuthSchema,
  concurrencySchema,
  maxBodySizeSchema,
  rateLimitsSchema,
  trustedProxiesSchema,
} from './trafficlimits.ts';
import {
  accessLogSchema,
  affinitySchema,
  bufferingSchema,
  canariesSchema,
  compressionSchema,
  errorsSchema,
  policyTimeoutsSchema,
} from './trafficparts.ts';

const isFor = (...kinds: readonly string[]): string =>
  `self.targetRefs.exists(t, t.kind in [${kinds.map((kind) => `'${kind}'`).join(', ')}])`;

export const trafficPolicyKind = {
  group,
  version,
  kind: 'TrafficPolicy',
  plural: 'trafficpolicies',
  singular: 'trafficpolicy',
  shortNames: ['tpol'],
  namespaced: true,
  labels: { 'gateway.networking.k8s.io/policy': 'Inherited' },
  summary:
    'What holds for requests besides what their routes say: who may come in and how often, how long anything may take, what clients are given. ' +
    'Field by field the policy nearest to the request has its way: of a rule, a route, an Ingress, a listener, a ListenerSet, a Gateway, an ALB.',
  spec: {
    type: 'object',
    description: 'What it is for, and what it says.',
    required: ['targetRefs'],
    'x-kubernetes-validations': [
      {
        rule: `!has(self.canaries) || ${isFor('HTTPRoute', 'GRPCRoute', 'Ingress')}`,
        message: 'canaries are for HTTPRoutes, GRPCRoutes and Ingresses',
      },
      {
        rule: `!has(self.trustedProxies) || ${isFor('Gateway', 'ALB')}`,
        message: 'trustedProxies are for Gateways and ALBs',
      },
    ],
    properties: {
      targetRefs: trafficTargetsSchema,
      enforced: enforcedSchema,
      trustedProxies: trustedProxiesSchema,
      access: accessSchema,
      rateLimits: rateLimitsSchema,
      concurrency: concurrencySchema,
      maxBodySize: maxBodySizeSchema,
      basicAuth: basicAuthSchema,
      externalAuth: externalAuthSchema,
      cors: corsSchema,
      timeouts: policyTimeoutsSchema,
      retry: retrySchema,
      affinity: affinitySchema,
      canaries: canariesSchema,
      mirrors: {
        type: 'array',
        description: 'Copies of requests go there, too.',
        minItems: 1,
        maxItems: 8,
        'x-kubernetes-list-type': 'atomic',
        items: mirrorSchema,
      },
      compression: compressionSchema,
      errors: errorsSchema,
      accessLog: accessLogSchema,
      buffering: bufferingSchema,
    },
  },
  status: policyStatusSchema,
  columns: attachedColumns,
} as const;

export type TrafficPolicy = ObjectOf<typeof trafficPolicyKind>;
