/** AdminNetworkPolicy, of the Network Policy API: the older form of a ClusterNetworkPolicy of tier Admin. */
import { type KindDefinition, readyColumns } from '../kind.ts';
import { adminNetworkPolicyType } from '../policies.ts';
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

const protocol = {
  type: 'string',
  description: '`TCP`, `UDP` or `SCTP`.',
  default: 'TCP',
};

const ports = {
  type: 'array',
  description: 'Any of these, each one of its fields. Missing: every protocol and port.',
  minItems: 1,
  maxItems: 100,
  items: {
    type: 'object',
    minProperties: 1,
    maxProperties: 1,
    properties: {
      portNumber: {
        type: 'object',
        description: 'One port of a protocol.',
        required: ['protocol', 'port'],
        properties: { protocol, port: portSchema('The port.') },
      },
      portRange: {
        type: 'object',
        description: 'All ports of a protocol from `start` to `end`.',
        required: ['start', 'end'],
        properties: { protocol, start: portSchema('The first one.'), end: portSchema('The last one.') },
      },
      namedPort: { type: 'string', description: 'The port that the destination’s containers call so.' },
    },
  },
};

/** The rules of both kinds of v1alpha1. */
export function adminRules(actions: readonly string[], description: string, domainNames: boolean) {
  const action = actionSchema(actions, description);
  const version = { needsNamespaces: true, domainNames, most: 100 };
  return {
    subject: subjectSchema(version),
    ingress: {
      type: 'array',
      description: 'Rules for connections to the subject. The first one that matches decides.',
      maxItems: 100,
      items: {
        type: 'object',
        required: ['action', 'from'],
        properties: { name: nameSchema, action, from: fromSchema(version), ports },
      },
    },
    egress: {
      type: 'array',
      description: 'Rules for connections from the subject. The first one that matches decides.',
      maxItems: 100,
      items: {
        type: 'object',
        required: ['action', 'to'],
        properties: { name: nameSchema, action, to: toSchema(version), ports },
        'x-kubernetes-validations': [noNamedPorts('ports', 'namedPort', domainNames)],
      },
    },
  };
}

export const adminNetworkPolicyKind: KindDefinition = {
  ...adminNetworkPolicyType,
  singular: 'adminnetworkpolicy',
  shortNames: ['anp'],
  approval: approval(300),
  summary:
    'What an admin decides of pods’ connections before any NetworkPolicy is asked. The older form of a ClusterNetworkPolicy of tier `Admin`, ' +
    'and one list with those; prefer ClusterNetworkPolicy for new ones.',
  spec: {
    type: 'object',
    description: 'Whose connections, and what becomes of them.',
    required: ['priority', 'subject'],
    properties: {
      priority: {
        type: 'integer',
        format: 'int32',
        minimum: 0,
        maximum: 1000,
        description:
          'The lower one is asked first. Of two that are equal, a ClusterNetworkPolicy, then the name that comes first.',
      },
      ...adminRules(
        ['Allow', 'Deny', 'Pass'],
        '`Allow` and `Deny` are final for this direction; `Pass` leaves the tier: NetworkPolicies and what comes after them decide.',
        true,
      ),
    },
  },
  status: policyStatusSchema,
  columns: [{ name: 'Priority', type: 'integer', jsonPath: '.spec.priority' }, ...readyColumns],
};
