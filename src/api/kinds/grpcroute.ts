/** GRPCRoute, of Gateway API: which calls go where. */
import type { ObjectOf } from '../kind.ts';
import { fits, once, sessionPersistenceSchema, sharedFilters } from './gatewayfilters.ts';
import { gatewayRelease, uniqueRuleNames } from './gatewayparts.ts';
import {
  backendRefsSchema,
  fewMatches,
  hostnamesSchema,
  requestColumns,
  routeSchemas,
  ruleNameSchema,
  valuesSchema,
} from './gatewayroutes.ts';
import { routeStatusSchema } from './gatewaystatus.ts';

const filters = {
  type: 'array',
  description: 'What is done with calls, and with answers.',
  maxItems: 16,
  'x-kubernetes-list-type': 'atomic',
  'x-kubernetes-validations': [once('requestHeaderModifier'), once('responseHeaderModifier')],
  items: {
    type: 'object',
    required: ['type'],
    'x-kubernetes-validations': Object.keys(sharedFilters).flatMap(fits),
    properties: {
      type: {
        type: 'string',
        description: 'Which of the fields.',
        enum: ['ResponseHeaderModifier', 'RequestHeaderModifier', 'RequestMirror', 'ExtensionRef'],
      },
      ...sharedFilters,
    },
  },
} as const;

const exact = (field: string, pattern: string) => ({
  rule:
    `(!has(self.type) || self.type == 'Exact') && has(self.${field}) ` +
    `? self.${field}.matches(r"""${pattern}"""): true`,
  message: `${field} has characters that gRPC doesn’t know`,
});

const match = {
  type: 'object',
  properties: {
    method: {
      type: 'object',
      description: 'Which calls. Missing: all.',
      'x-kubernetes-validations': [
        {
          rule: 'has(self.type) ? has(self.service) || has(self.method) : true',
          message: 'give service, method or both',
        },
        exact('service', '^(?i)\\.?[a-z_][a-z_0-9]*(\\.[a-z_][a-z_0-9]*)*$'),
        exact('method', '^[A-Za-z_][A-Za-z_0-9]*$'),
      ],
      properties: {
        type: {
          type: 'string',
          description: '`RegularExpression`: as in headers.',
          default: 'Exact',
          enum: ['Exact', 'RegularExpression'],
        },
        service: { type: 'string', description: 'With its package. Missing: any.', maxLength: 1024 },
        method: { type: 'string', description: 'Missing: any.', maxLength: 1024 },
      },
    },
    headers: valuesSchema('Metadata of the call.', { maxLength: 4096 }),
  },
} as const;

export const grpcRouteKind = {
  ...gatewayRelease,
  kind: 'GRPCRoute',
  plural: 'grpcroutes',
  singular: 'grpcroute',
  summary: 'Sends gRPC calls to Services, by hostname, method and metadata.',
  spec: {
    type: 'object',
    description: 'Which calls, and where they go.',
    properties: {
      ...routeSchemas,
      hostnames: hostnamesSchema,
      rules: {
        type: 'array',
        description: 'Of those that match, the one with the most exact match takes the call.',
        maxItems: 16,
        'x-kubernetes-list-type': 'atomic',
        'x-kubernetes-validations': [fewMatches(true), uniqueRuleNames],
        items: {
          type: 'object',
          properties: {
            name: ruleNameSchema,
            matches: {
              type: 'array',
              description: 'Any of these. Missing: all calls.',
              maxItems: 64,
              'x-kubernetes-list-type': 'atomic',
              items: match,
            },
            filters,
            backendRefs: backendRefsSchema(
              'Services, by weight. What can’t be resolved answers UNAVAILABLE for its share.',
              { filters },
            ),
            sessionPersistence: sessionPersistenceSchema,
          },
        },
      },
    },
  },
  status: routeStatusSchema,
  columns: requestColumns,
} as const;

export type GRPCRoute = ObjectOf<typeof grpcRouteKind>;
