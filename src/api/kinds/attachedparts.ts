/** What the schemas of policies that are attached have in common: their targets, that they insist, and their columns. */
import { gatewayGroup, pairs, referencedNameSchema, sectionSchema } from './gatewayparts.ts';

const { sameTarget, same } = pairs;

const isOf = (group: string, kinds: readonly string[]): string =>
  `(self.group == '${group}' && self.kind in [${kinds.map((kind) => `'${kind}'`).join(', ')}])`;

const once = {
  rule: `self.all(p1, self.exists_one(p2, ${sameTarget} && ${same('sectionName')}))`,
  message: 'a target stands there twice with the same sectionName',
} as const;

/** What traffic passes, of the policy's own namespace. */
export const trafficTargetsSchema = {
  type: 'array',
  description:
    'What it is for, all of this namespace: Gateways, ListenerSets, HTTPRoutes and GRPCRoutes, Ingresses, ALBs.',
  minItems: 1,
  maxItems: 16,
  'x-kubernetes-list-type': 'atomic',
  'x-kubernetes-validations': [once],
  items: {
    type: 'object',
    required: ['group', 'kind', 'name'],
    'x-kubernetes-validations': [
      {
        rule: [
          isOf(gatewayGroup, ['Gateway', 'ListenerSet', 'HTTPRoute', 'GRPCRoute']),
          isOf('networking.k8s.io', ['Ingress']),
          isOf('netloom.dev', ['ALB']),
        ].join(' || '),
        message:
          'a target is a Gateway, ListenerSet, HTTPRoute or GRPCRoute (gateway.networking.k8s.io), an Ingress (networking.k8s.io) or an ALB (netloom.dev)',
      },
      {
        rule: "!has(self.sectionName) || self.kind != 'Ingress'",
        message: 'an Ingress has no sections',
      },
    ],
    properties: {
      group: { type: 'string', description: 'API group of the kind.', maxLength: 253 },
      kind: { type: 'string', description: 'Its kind.', minLength: 1, maxLength: 63 },
      name: referencedNameSchema,
      sectionName: sectionSchema('Name of a listener, or of a rule of a route. Missing: all of it.'),
    },
  },
} as const;

export const serviceTargetsSchema = {
  type: 'array',
  description: 'Services of this namespace.',
  minItems: 1,
  maxItems: 16,
  'x-kubernetes-list-type': 'atomic',
  'x-kubernetes-validations': [once],
  items: {
    type: 'object',
    required: ['kind', 'name'],
    'x-kubernetes-validations': [{ rule: isOf('', ['Service']), message: 'a target is a Service' }],
    properties: {
      group: { type: 'string', description: 'Empty.', maxLength: 253, default: '' },
      kind: { type: 'string', description: '`Service`.', minLength: 1, maxLength: 63 },
      name: referencedNameSchema,
      sectionName: sectionSchema('Name of a port of the Service. Missing: all of its ports.'),
    },
  },
} as const;

export const enforcedSchema = {
  type: 'boolean',
  description:
    'What it says holds against policies, and rules, that are nearer to the request. Of several that insist the outermost has its way.',
  default: false,
} as const;

/** One that is for several things shows the first. */
export const attachedColumns = [
  { name: 'Kind', type: 'string', jsonPath: '.spec.targetRefs[0].kind' },
  { name: 'Target', type: 'string', jsonPath: '.spec.targetRefs[0].name' },
  { name: 'Section', type: 'string', jsonPath: '.spec.targetRefs[0].sectionName', priority: 1 },
  { name: 'Enforced', type: 'boolean', jsonPath: '.spec.enforced', priority: 1 },
  {
    name: 'Accepted',
    type: 'string',
    jsonPath: '.status.ancestors[0].conditions[?(@.type=="Accepted")].status',
  },
  {
    name: 'Reason',
    type: 'string',
    jsonPath: '.status.ancestors[0].conditions[?(@.type=="Accepted")].reason',
    priority: 1,
  },
  {
    name: 'Resolved',
    type: 'string',
    jsonPath: '.status.ancestors[0].conditions[?(@.type=="ResolvedRefs")].status',
  },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
] as const;
