/** ServiceL2Status (MetalLB): which node answers for a Service's addresses. */
import type { ObjectOf } from '../kind.ts';
import { immutableSchema, metallbGroup } from './metallbparts.ts';

export const serviceL2StatusKind = {
  group: metallbGroup,
  version: 'v1beta1',
  kind: 'ServiceL2Status',
  plural: 'servicel2statuses',
  singular: 'servicel2status',
  shortNames: [],
  namespaced: true,
  summary: 'Which node answers by ARP and NDP for the addresses of a Service. Written by that node.',
  specless: true,
  spec: { type: 'object', description: 'Empty.' },
  status: {
    type: 'object',
    properties: {
      node: immutableSchema('The node that answers.'),
      serviceName: immutableSchema('Name of the Service.'),
      serviceNamespace: immutableSchema('Its namespace.'),
      interfaces: {
        type: 'array',
        description: 'Where it answers; empty: on all that can broadcast.',
        items: { type: 'object', properties: { name: { type: 'string', description: 'Of the interface.' } } },
      },
    },
  },
  columns: [
    { name: 'Allocated Node', type: 'string', jsonPath: '.status.node' },
    { name: 'Service Name', type: 'string', jsonPath: '.status.serviceName' },
    { name: 'Service Namespace', type: 'string', jsonPath: '.status.serviceNamespace' },
    { name: 'Interfaces', type: 'string', jsonPath: '.status.interfaces[*].name' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
} as const;

export type ServiceL2Status = ObjectOf<typeof serviceL2StatusKind>;
