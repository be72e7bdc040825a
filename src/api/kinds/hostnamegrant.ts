/** HostnameGrant: which namespaces may claim which hostnames at gateways of ours. */
import { conditionsSchema, group, type ObjectOf, version } from '../kind.ts';
import { ageColumn, conditionColumn, hostnameSchema } from './gatewayparts.ts';
import { tenantsSchema } from './tenantparts.ts';

export const hostnameGrantKind = {
  group,
  version,
  kind: 'HostnameGrant',
  plural: 'hostnamegrants',
  singular: 'hostnamegrant',
  shortNames: ['hng'],
  namespaced: false,
  summary:
    'Which namespaces may claim hostnames at gateways of ours. As soon as a grant names a hostname, nobody else’s routes, Ingresses and ListenerSets get it, wherever they are attached.',
  spec: {
    type: 'object',
    description: 'All of `tenants` may claim all of `hostnames`.',
    required: ['hostnames', 'tenants'],
    properties: {
      hostnames: {
        type: 'array',
        description:
          '`*.example.org` is any name below. Of several grants those with the most specific name for a hostname decide; those with the same name add up.',
        minItems: 1,
        maxItems: 64,
        'x-kubernetes-list-type': 'set',
        items: hostnameSchema('A hostname.'),
      },
      tenants: tenantsSchema('Who may. Empty: nobody.'),
    },
  },
  status: { type: 'object', properties: { conditions: conditionsSchema } },
  columns: [
    { name: 'Hostnames', type: 'string', jsonPath: '.spec.hostnames' },
    conditionColumn('Accepted'),
    ageColumn,
  ],
} as const;

export type HostnameGrant = ObjectOf<typeof hostnameGrantKind>;
