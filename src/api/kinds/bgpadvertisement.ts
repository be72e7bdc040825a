/** BGPAdvertisement (MetalLB): how addresses of pools are announced by BGP. */
import { conditionsSchema, type ObjectOf, readyColumns } from '../kind.ts';
import { metallbGroup, metallbSelectorsSchema, textsSchema } from './metallbparts.ts';

export const bgpAdvertisementKind = {
  group: metallbGroup,
  version: 'v1beta1',
  kind: 'BGPAdvertisement',
  plural: 'bgpadvertisements',
  singular: 'bgpadvertisement',
  shortNames: [],
  namespaced: true,
  specless: true,
  summary: 'addresses of which pools are announced by BGP, by which nodes, to whom, and how.',
  spec: {
    type: 'object',
    description: 'An empty list takes everything.',
    properties: {
      aggregationLength: {
        type: 'integer',
        format: 'int32',
        minimum: 1,
        default: 32,
        description: 'Instead of each IPv4 address the prefix of this length that it is in is announced.',
      },
      aggregationLengthV6: {
        type: 'integer',
        format: 'int32',
        default: 128,
        description: 'The same for IPv6.',
      },
      localPref: {
        type: 'integer',
        format: 'int32',
        description: 'LOCAL_PREF, which peers of the same AS are told (RFC 4271 §5.1.5).',
      },
      communities: textsSchema(
        '`65000:100` (RFC 1997), `large:65000:1:2` (RFC 8092), or a name from a Community of the same namespace.',
      ),
      ipAddressPools: textsSchema('Names of IPAddressPools.'),
      ipAddressPoolSelectors: metallbSelectorsSchema('IPAddressPools by their labels, besides.'),
      nodeSelectors: metallbSelectorsSchema('Nodes that announce.'),
      peers: textsSchema('Names of BGPPeers of the same namespace, or of BGPNeighbors, that are told.'),
      serviceSelectors: metallbSelectorsSchema(
        'Services whose addresses are announced. Not with aggregation.',
      ),
    },
    'x-kubernetes-validations': [
      {
        message:
          'serviceSelectors and aggregationLength are mutually exclusive, can only be used together with default aggregationLength (32) and aggregationLengthV6 (128)',
        rule: '!has(self.serviceSelectors) || self.serviceSelectors.size() == 0 || ((!has(self.aggregationLength) || self.aggregationLength == 32) && (!has(self.aggregationLengthV6) || self.aggregationLengthV6 == 128))',
      },
    ],
  },
  status: { type: 'object', properties: { conditions: conditionsSchema } },
  columns: [
    { name: 'IPAddressPools', type: 'string', jsonPath: '.spec.ipAddressPools' },
    { name: 'IPAddressPool Selectors', type: 'string', jsonPath: '.spec.ipAddressPoolSelectors' },
    { name: 'Peers', type: 'string', jsonPath: '.spec.peers' },
    { name: 'Node Selectors', type: 'string', jsonPath: '.spec.nodeSelectors', priority: 10 },
    ...readyColumns,
  ],
} as const;

export type BGPAdvertisement = ObjectOf<typeof bgpAdvertisementKind>;
