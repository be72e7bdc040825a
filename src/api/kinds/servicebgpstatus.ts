/** ServiceBGPStatus (MetalLB): which BGP peers a node announces a Service to. */
import { conditionsSchema, type ObjectOf } from '../kind.ts';
import { immutableSchema, metallbGroup } from './metallbparts.ts';

export const serviceBGPStatusKind = {
  group: metallbGroup,
  version: 'v1beta1',
  kind: 'ServiceBGPStatus',
  plural: 'servicebgpstatuses',
  singular: 'servicebgpstatus',
  shortNames: [],
  namespaced: true,
  summary: 'Which BGP peers a node announces the addresses of a Service to. Written by that node.',
  specless: true,
  spec: { type: 'object', description: 'Empty.' },
  status: {
    type: 'object',
    properties: {
      node: immutableSchema('The node that announces.'),
      serviceName: immutableSchema('Name of the Service.'),
      serviceNamespace: immutableSchema('Its namespace.'),
      peers: {
        type: 'array',
        description: 'BGPPeers that it is announced to, whose sessions stand.',
        items: { type: 'string' },
      },
      conditions: conditionsSchema,
    },
  },
  columns: [
    { name: 'Node', type: 'string', jsonPath: '.status.node' },
    { name: 'Service Name', type: 'string', jsonPath: '.status.serviceName' },
    { name: 'Service Namespace', type: 'string', jsonPath: '.status.serviceNamespace' },
    { name: 'Peers', type: 'string', jsonPath: '.status.peers' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
} as const;

export type ServiceBGPStatus = ObjectOf<typeof serviceBGPStatusKind>;
