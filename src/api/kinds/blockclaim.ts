/** BlockClaim: one node's claim on one block of a Subnet, or on one address of it for one pod. */
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
    'so the API server itself refuses a second claim on it. With a holder it is one address of one pod: out of an IPPool, ' +
    'fixed by annotation, or kept. Written by agents; deleting one with `freedAt` gives up a kept address.',
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
      holder: {
        type: 'object',
        description: 'Whose single address this is. Missing: a block that the node assigns addresses from.',
        required: ['namespace', 'pod', 'podUID', 'generation'],
        properties: {
          namespace: { type: 'string', maxLength: 63, description: 'Of the pod.' },
          pod: {
            type: 'string',
            maxLength: 253,
            description: 'The pod that has the address, or had it last.',
          },
          podUID: { type: 'string', maxLength: 64, description: 'A pod made again is another one.' },
          pool: { type: 'string', maxLength: 253, description: 'The IPPool that it was taken from.' },
          fixed: { type: 'boolean', description: 'The pod names this very address.' },
          keep: {
            type: 'string',
            maxLength: 260,
            description: 'For whom it stays: `Pod:NAME` or `VM:NAME` of the namespace.',
          },
          statefulSet: { type: 'string', maxLength: 253, description: 'What makes the pod again.' },
          release: {
            type: 'string',
            maxLength: 32,
            description:
              'When a kept address is given up: `OnOwnerDeletion`, `Never`, or so long after the pod is gone, as `600s`.',
          },
          generation: {
            type: 'integer',
            format: 'int64',
            minimum: 1,
            description: 'Counts the pods and nodes that had it.',
          },
          freedAt: {
            type: 'string',
            format: 'date-time',
            description: 'Since when no node has it on an interface: from then on it may move.',
          },
        },
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
        '!has(oldSelf.spec) || (self.spec.cidr == oldSelf.spec.cidr && self.spec.subnet == oldSelf.spec.subnet && ' +
        'has(self.spec.holder) == has(oldSelf.spec.holder))',
      message: 'spec: only nodeUID may change, and who holds a single address; any other claim is made anew',
    },
    {
      rule:
        '!has(oldSelf.spec) || self.spec.node == oldSelf.spec.node || ' +
        '(has(oldSelf.spec.holder) && has(oldSelf.spec.holder.freedAt))',
      message: 'spec.node: an address moves only when it is on no interface any more (spec.holder.freedAt)',
    },
    {
      rule:
        '!has(oldSelf.spec) || !has(oldSelf.spec.holder) || !has(self.spec.holder) || ' +
        'self.spec.holder.generation >= oldSelf.spec.holder.generation',
      message: 'spec.holder.generation: never falls',
    },
  ],
  columns: [
    { name: 'CIDR', type: 'string', jsonPath: '.spec.cidr' },
    { name: 'Subnet', type: 'string', jsonPath: '.spec.subnet' },
    { name: 'Node', type: 'string', jsonPath: '.spec.node' },
    { name: 'Pod', type: 'string', jsonPath: '.spec.holder.pod' },
    { name: 'Pool', type: 'string', jsonPath: '.spec.holder.pool', priority: 1 },
    { name: 'Kept', type: 'string', jsonPath: '.spec.holder.keep', priority: 1 },
    { name: 'Node addresses', type: 'string', jsonPath: '.status.nodeAddresses', priority: 1 },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
} as const;

export type BlockClaim = ObjectOf<typeof blockClaimKind>;
