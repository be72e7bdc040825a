/** L2Advertisement (MetalLB): which addresses one node at a time answers for on the network segment. */
import type { ObjectOf } from '../kind.ts';
import { metallbGroup, metallbSelectorSchema, metallbSelectorsSchema } from './metallbparts.ts';

export const l2AdvertisementKind = {
  group: metallbGroup,
  version: 'v1beta1',
  kind: 'L2Advertisement',
  plural: 'l2advertisements',
  singular: 'l2advertisement',
  shortNames: [],
  namespaced: true,
  summary:
    "Has addresses of pools answered for by ARP and NDP, each by one node at a time. Without one that takes an address's pool, its " +
    'Service and a node, nobody answers.',
  specless: true,
  spec: {
    type: 'object',
    description: 'Which addresses, and where.',
    properties: {
      ipAddressPools: {
        type: 'array',
        description: 'Names of IPAddressPools. Without these and without selectors of pools: every pool.',
        items: { type: 'string' },
      },
      ipAddressPoolSelectors: metallbSelectorsSchema('IPAddressPools that any of these takes.'),
      nodeSelectors: metallbSelectorsSchema(
        'Nodes that may answer: those that any of these takes; none: all.',
      ),
      serviceSelectors: metallbSelectorsSchema(
        'Services that any of these takes; none: all. With any, a Service that shares its address is not answered for.',
      ),
      preferredNodeSelectors: {
        type: 'array',
        description: 'Of the nodes that may answer, those with the most weight do before others.',
        items: {
          type: 'object',
          required: ['preference', 'weight'],
          properties: {
            preference: metallbSelectorSchema('Nodes that have the weight.'),
            weight: {
              type: 'integer',
              format: 'int32',
              minimum: 1,
              maximum: 100,
              description: 'Weights of all selectors that take a node add up.',
            },
          },
        },
      },
      interfaces: {
        type: 'array',
        description: "Names of nodes' interfaces to answer on; none: all that are up and can broadcast.",
        items: { type: 'string' },
      },
    },
  },
  status: { type: 'object', properties: {} },
  columns: [
    { name: 'IPAddressPools', type: 'string', jsonPath: '.spec.ipAddressPools' },
    { name: 'IPAddressPool Selectors', type: 'string', jsonPath: '.spec.ipAddressPoolSelectors' },
    { name: 'Interfaces', type: 'string', jsonPath: '.spec.interfaces' },
    { name: 'Node Selectors', type: 'string', jsonPath: '.spec.nodeSelectors', priority: 10 },
  ],
} as const;

export type L2Advertisement = ObjectOf<typeof l2AdvertisementKind>;
