/** BlockClaim: one node's claim on one block of a Subnet. */
import { conditionsSchema, group, type ObjectOf, version } from '../kind.ts';

export const blockClaimKind = {
  group,
  version,
  kind: 'BlockClaim',
  plural: 'blockclaims',
  singular: 'blockclaim',
  shortNames: ['bc'],
  namespaced: false,
  summary:
    'A block of a Subnet that one node assigns pod addresses from. The name encodes the prefix, ' +
    'so the API server itself refuses a second claim on it. Written by agents; not for users.',
  spec: {
    type: 'object',
    description: 'Which block, and whose it is.',
    required: ['cidr', 'subnet', 'node', 'nodeUID'],
    properties: {
      cidr: { type: 'string', format: 'cidr', maxLength: 43, description: 'The block.' },
      subnet: { type: 'string', maxLength: 253, description: 'The Subnet that it is part of.' },
      node: { type: 'string', maxLength: 253, description: 'The node that assigns from it.' },
      nodeUID: {
        type: 'string',
        maxLength: 64,
        description: 'UID of the Node object: a node made again under the same name holds nothing.',
      },
    },
  },
  status: {
    type: 'object',
    properties: {
      conditions: conditionsSchema,
      nodeAddresses: {
        type: 'array',
        description:
          "Addresses of the block that are the node's own, its source towards pods of other nodes.",
        maxItems: 4,
        'x-kubernetes-list-type': 'atomic',
        items: { type: 'string', maxLength: 45 },
      },
    },
  },
  rules: [
    {
      rule:
        '!has(oldSelf.spec) || (self.spec.cidr == oldSelf.spec.cidr && ' +
        'self.spec.subnet == oldSelf.spec.subnet && self.spec.node == oldSelf.spec.node)',
      message: 'spec: only nodeUID may change; any other claim is made anew',
    },
  ],
  columns: [
    { name: 'CIDR', type: 'string', jsonPath: '.spec.cidr' },
    { name: 'Subnet', type: 'string', jsonPath: '.spec.subnet' },
    { name: 'Node', type: 'string', jsonPath: '.spec.node' },
    { name: 'Node addresses', type: 'string', jsonPath: '.status.nodeAddresses', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
} as const;

export type BlockClaim = ObjectOf<typeof blockClaimKind>;
