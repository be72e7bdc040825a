/** IPAddressPool (MetalLB): addresses that Services of type LoadBalancer get. */
import { conditionsSchema, type ObjectOf, readyColumns } from '../kind.ts';
import { metallbGroup, metallbSelectorsSchema } from './metallbparts.ts';

const count = (description: string) => ({ type: 'integer', format: 'int64', description }) as const;

export const ipAddressPoolKind = {
  group: metallbGroup,
  version: 'v1beta1',
  kind: 'IPAddressPool',
  plural: 'ipaddresspools',
  singular: 'ipaddresspool',
  shortNames: [],
  namespaced: true,
  summary:
    'Addresses that Services of type LoadBalancer get. Of two pools that overlap the older one stays. An address is released only when ' +
    'its Service no longer wants it: what is taken out of a pool under a Service stays with it, and the conditions say so.',
  spec: {
    type: 'object',
    description: 'Which addresses, and for whom.',
    required: ['addresses'],
    properties: {
      addresses: {
        type: 'array',
        description: 'What is in the pool, handed out in this order: a prefix, or a range `a-b`.',
        items: { type: 'string' },
      },
      autoAssign: {
        type: 'boolean',
        default: true,
        description: 'False: only for Services that ask for the pool or for an address of it.',
      },
      avoidBuggyIPs: {
        type: 'boolean',
        default: false,
        description: 'IPv4 addresses that end in .0 or .255 are not handed out.',
      },
      serviceAllocation: {
        type: 'object',
        description:
          'The pool is for Services of these namespaces, or with these labels, and comes before pools for everybody.',
        properties: {
          priority: {
            type: 'integer',
            description:
              'Of several such pools the lowest number comes first, and 0, or none, last; equal ones by name.',
          },
          namespaces: { type: 'array', description: 'Namespaces.', items: { type: 'string' } },
          namespaceSelectors: metallbSelectorsSchema('Namespaces that any of these takes.'),
          serviceSelectors: metallbSelectorsSchema('Services that any of these takes.'),
        },
      },
    },
  },
  status: {
    type: 'object',
    required: ['assignedIPv4', 'assignedIPv6', 'availableIPv4', 'availableIPv6'],
    properties: {
      assignedIPv4: count('IPv4 addresses that Services have.'),
      assignedIPv6: count('IPv6 addresses that Services have.'),
      availableIPv4: count('IPv4 addresses that nobody has.'),
      availableIPv6: count('IPv6 addresses that nobody has; at most 2^53-1.'),
      conditions: conditionsSchema,
    },
  },
  columns: [
    { name: 'Auto Assign', type: 'boolean', jsonPath: '.spec.autoAssign' },
    { name: 'Avoid Buggy IPs', type: 'boolean', jsonPath: '.spec.avoidBuggyIPs', priority: 1 },
    { name: 'Addresses', type: 'string', jsonPath: '.spec.addresses' },
    { name: 'Assigned-v4', type: 'integer', jsonPath: '.status.assignedIPv4' },
    { name: 'Free-v4', type: 'integer', jsonPath: '.status.availableIPv4' },
    { name: 'Assigned-v6', type: 'integer', jsonPath: '.status.assignedIPv6' },
    { name: 'Free-v6', type: 'integer', jsonPath: '.status.availableIPv6', priority: 1 },
    ...readyColumns,
  ],
} as const;

export type IPAddressPool = ObjectOf<typeof ipAddressPoolKind>;
