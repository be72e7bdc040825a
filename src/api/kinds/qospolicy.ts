/** QoSPolicy: how fast some pods of a namespace may receive and send. */
import {
  conditionsSchema,
  group,
  labelSelectorSchema,
  type ObjectOf,
  readyColumns,
  version,
} from '../kind.ts';

const rate = {
  type: 'string',
  minLength: 1,
  maxLength: 64,
  description: 'Bits a second, a quantity from `1k` to `1P` (for example `100M`). Whole frames count.',
} as const;

const burst = {
  type: 'string',
  minLength: 1,
  maxLength: 64,
  description:
    'Bits that may pass at once after a pause, a quantity (for example `8M`, one megabyte). ' +
    'Default: what passes in 10 ms, at least 560k.',
} as const;

export const qosPolicyKind = {
  group,
  version,
  kind: 'QoSPolicy',
  plural: 'qospolicies',
  singular: 'qospolicy',
  shortNames: ['qos'],
  namespaced: true,
  summary:
    'How fast some pods of a namespace may receive and send. Each pod has the limit for itself. ' +
    'A pod’s annotation kubernetes.io/ingress-bandwidth or kubernetes.io/egress-bandwidth wins over any policy.',
  spec: {
    type: 'object',
    description: 'Which pods, and how fast. Changes take effect at once, without a restart.',
    required: ['podSelector'],
    properties: {
      podSelector: labelSelectorSchema(
        'Pods of this namespace with these labels. An empty selector takes every pod.',
      ),
      ingress: {
        type: 'object',
        description: 'Limit of what each of these pods receives. Absent: this policy does not limit it.',
        required: ['rate'],
        properties: { rate, burst },
      },
      egress: {
        type: 'object',
        description: 'Limit of what each of these pods sends. Absent: this policy does not limit it.',
        required: ['rate'],
        properties: { rate, burst },
      },
      priority: {
        type: 'integer',
        format: 'int32',
        minimum: -1_000_000,
        maximum: 1_000_000,
        default: 0,
        description:
          'Of policies that limit one pod in one direction, the highest priority wins, then the name that comes first.',
      },
    },
  },
  status: {
    type: 'object',
    properties: {
      conditions: conditionsSchema,
      selectedPods: { type: 'integer', format: 'int32', description: 'Pods that the selector takes.' },
      limitedPods: {
        type: 'integer',
        format: 'int32',
        description: 'Of these, pods that have all their limits from this policy.',
      },
    },
  },
  rules: [
    {
      rule: 'has(self.spec.ingress) || has(self.spec.egress)',
      message: 'spec: limits nothing; give spec.ingress or spec.egress',
    },
  ],
  columns: [
    { name: 'Ingress', type: 'string', jsonPath: '.spec.ingress.rate' },
    { name: 'Egress', type: 'string', jsonPath: '.spec.egress.rate' },
    { name: 'Priority', type: 'integer', jsonPath: '.spec.priority' },
    { name: 'Pods', type: 'integer', jsonPath: '.status.selectedPods' },
    { name: 'Limited', type: 'integer', jsonPath: '.status.limitedPods' },
    ...readyColumns,
  ],
} as const;

export type QoSPolicy = ObjectOf<typeof qosPolicyKind>;
