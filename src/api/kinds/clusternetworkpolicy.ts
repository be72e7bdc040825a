/** ClusterNetworkPolicy, of the Network Policy API: what admins decide of pods' connections, before and after NetworkPolicies. */
import { type KindDefinition, readyColumns } from '../kind.ts';
import { clusterNetworkPolicyType } from '../policies.ts';
import {
  actionSchema,
  approval,
  fromSchema,
  nameSchema,
  noNamedPorts,
  policyStatusSchema,
  portSchema,
  subjectSchema,
  toSchema,
} from './policyparts.ts';

const version = { needsNamespaces: false, domainNames: true, most: 25 };

const action = actionSchema(
  ['Accept', 'Deny', 'Pass'],
  '`Accept` and `Deny` are final for this direction; `Pass` leaves the tier: what comes after it decides.',
);

const protocolSchema = (name: string) => ({
  type: 'object',
  description: `Connections of ${name}.`,
  minProperties: 1,
  properties: {
    destinationPort: {
      type: 'object',
      description: 'One of `number` and `range`.',
      minProperties: 1,
      maxProperties: 1,
      properties: {
        number: portSchema('One port.'),
        range: {
          type: 'object',
          description: 'All ports from `start` to `end`.',
          required: ['start', 'end'],
          properties: { start: portSchema('The first one.'), end: portSchema('The last one.') },
          'x-kubernetes-validations': [{ rule: 'self.start < self.end', message: 'start must be below end' }],
        },
      },
    },
  },
});

const protocols = {
  type: 'array',
  description: 'Any of these, each one of its fields. Missing: every protocol and port.',
  minItems: 1,
  maxItems: 25,
  items: {
    type: 'object',
    minProperties: 1,
    maxProperties: 1,
    properties: {
      tcp: protocolSchema('TCP'),
      udp: protocolSchema('UDP'),
      sctp: protocolSchema('SCTP'),
      destinationNamedPort: {
        type: 'string',
        description: 'The port that the destination’s containers call so.',
      },
    },
  },
};

export const clusterNetworkPolicyKind: KindDefinition = {
  ...clusterNetworkPolicyType,
  singular: 'clusternetworkpolicy',
  shortNames: ['cnp'],
  approval: approval(347),
  summary:
    'What an admin decides of pods’ connections. Tier `Admin` is asked before any NetworkPolicy, tier `Baseline` where none selects the pod. ' +
    'A kind of the Network Policy API (SIG Network); docs/policy.md says how all kinds of policy go together.',
  spec: {
    type: 'object',
    description: 'Whose connections, and what becomes of them.',
    required: ['tier', 'priority', 'subject'],
    properties: {
      tier: {
        type: 'string',
        description: '`Admin`: before NetworkPolicies. `Baseline`: after them.',
        enum: ['Admin', 'Baseline'],
      },
      priority: {
        type: 'integer',
        format: 'int32',
        minimum: 0,
        maximum: 1000,
        description:
          'Within the tier the lower one is asked first. Of two that are equal, the name that comes first.',
      },
      subject: subjectSchema(version),
      ingress: {
        type: 'array',
        description: 'Rules for connections to the subject. The first one that matches decides.',
        maxItems: 25,
        items: {
          type: 'object',
          required: ['action', 'from'],
          properties: { name: nameSchema, action, from: fromSchema(version), protocols },
        },
      },
      egress: {
        type: 'array',
        description: 'Rules for connections from the subject. The first one that matches decides.',
        maxItems: 25,
        items: {
          type: 'object',
          required: ['action', 'to'],
          properties: { name: nameSchema, action, to: toSchema(version), protocols },
          'x-kubernetes-validations': [noNamedPorts('protocols', 'destinationNamedPort', true)],
        },
      },
    },
  },
  status: policyStatusSchema,
  columns: [
    { name: 'Tier', type: 'string', jsonPath: '.spec.tier' },
    { name: 'Priority', type: 'integer', jsonPath: '.spec.priority' },
    ...readyColumns,
  ],
};
