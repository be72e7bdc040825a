/** BackendPolicy: how requests are spread over the pods of a Service, and which pods are left out. */
import { group, type ObjectOf, version } from '../kind.ts';
import { attachedColumns, enforcedSchema, serviceTargetsSchema } from './attachedparts.ts';
import { durationSchema } from './gatewayparts.ts';
import { policyStatusSchema } from './gatewaystatus.ts';
import { pathPattern } from './httpfilters.ts';
import { affinitySchema } from './trafficparts.ts';

const times = (description: string, usual: number) =>
  ({ type: 'integer', format: 'int32', description, default: usual, minimum: 1, maximum: 100 }) as const;

export const backendPolicyKind = {
  group,
  version,
  kind: 'BackendPolicy',
  plural: 'backendpolicies',
  singular: 'backendpolicy',
  shortNames: ['bpol'],
  namespaced: true,
  labels: { 'gateway.networking.k8s.io/policy': 'Direct' },
  summary:
    'How gateways spread requests over the pods of a Service, which of them they ask whether they are well, and which they leave out for a while.',
  spec: {
    type: 'object',
    description: 'Which Services, and how.',
    required: ['targetRefs'],
    properties: {
      targetRefs: serviceTargetsSchema,
      enforced: enforcedSchema,
      balance: {
        type: 'object',
        description: 'Missing: by turns.',
        required: ['type'],
        'x-kubernetes-validations': [
          { rule: "(self.type == 'Hash') == has(self.hash)", message: 'hash is for type Hash' },
        ],
        properties: {
          type: {
            type: 'string',
            description: '`LeastRequests`: the pod with the fewest of this gateway’s.',
            enum: ['LeastRequests', 'Hash'],
          },
          hash: affinitySchema.properties.hash,
        },
      },
      healthCheck: {
        type: 'object',
        description: 'Pods that don’t answer are left out while others do.',
        'x-kubernetes-validations': [
          {
            rule: "!(has(self.type) && self.type == 'TCP') || !(has(self.path) || has(self.host) || has(self.codes))",
            message: 'path, host and codes are for type HTTP',
          },
          {
            rule: '!has(self.timeout) || !has(self.interval) || duration(self.timeout) <= duration(self.interval)',
            message: 'timeout is longer than interval',
          },
        ],
        properties: {
          type: {
            type: 'string',
            description: '`TCP`: a connection is enough.',
            default: 'HTTP',
            enum: ['HTTP', 'TCP'],
          },
          path: {
            type: 'string',
            description: 'What is asked for. Default: `/`.',
            minLength: 1,
            maxLength: 1024,
            pattern: pathPattern,
          },
          host: {
            type: 'string',
            description: 'As header Host. Default: the pod’s address.',
            minLength: 1,
            maxLength: 253,
            pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$',
          },
          codes: {
            type: 'array',
            description: 'From, to: answers that are good. Default: 200 to 399.',
            minItems: 1,
            maxItems: 16,
            'x-kubernetes-list-type': 'atomic',
            items: {
              type: 'object',
              required: ['from', 'to'],
              'x-kubernetes-validations': [{ rule: 'self.from <= self.to', message: 'from is above to' }],
              properties: {
                from: { type: 'integer', format: 'int32', minimum: 100, maximum: 599 },
                to: { type: 'integer', format: 'int32', minimum: 100, maximum: 599 },
              },
            },
          },
          interval: { ...durationSchema('Between two checks.'), default: '10s' },
          timeout: { ...durationSchema('For an answer.'), default: '2s' },
          healthy: times('So many good answers in a row, and a pod is back.', 2),
          unhealthy: times('So many bad ones in a row, and it is out.', 3),
        },
      },
      circuitBreaker: {
        type: 'object',
        description: 'A pod that fails is left out for a while, as long as there are others.',
        properties: {
          failures: times('So many failures in a row.', 5),
          duration: { ...durationSchema('Left out for so long.'), default: '30s' },
        },
      },
      maxRequests: {
        type: 'integer',
        format: 'int32',
        description:
          'Requests at once to one pod, of each pod of the gateway. Those above go to other pods; all full: 503.',
        minimum: 1,
        maximum: 1_000_000,
      },
    },
  },
  status: policyStatusSchema,
  columns: attachedColumns,
} as const;

export type BackendPolicy = ObjectOf<typeof backendPolicyKind>;
