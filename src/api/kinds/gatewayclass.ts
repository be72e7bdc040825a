/** GatewayClass, of Gateway API: who serves the Gateways that name it. */
import type { ObjectOf } from '../kind.ts';
import {
  ageColumn,
  conditionColumn,
  controllerNameSchema,
  gatewayRelease,
  groupSchema,
  kindSchema,
  namespaceSchema,
  referencedNameSchema,
} from './gatewayparts.ts';
import { gatewayConditionsSchema, waiting } from './gatewaystatus.ts';

export const gatewayClassKind = {
  ...gatewayRelease,
  olderVersions: [{ name: 'v1beta1' }],
  kind: 'GatewayClass',
  plural: 'gatewayclasses',
  singular: 'gatewayclass',
  shortNames: ['gc'],
  namespaced: false,
  summary: 'Who serves the Gateways that name it. Netloom brings one, `netloom`.',
  spec: {
    type: 'object',
    description: 'Whose it is.',
    required: ['controllerName'],
    properties: {
      controllerName: {
        ...controllerNameSchema('The controller: `netloom.dev/gateway` is Netloom’s.'),
        'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'can’t be changed' }],
      },
      description: { type: 'string', description: 'For people.', maxLength: 64 },
      parametersRef: {
        type: 'object',
        description: 'An object with more to say. Netloom knows none: a class with one is refused.',
        required: ['group', 'kind', 'name'],
        properties: {
          group: groupSchema,
          kind: kindSchema,
          name: referencedNameSchema,
          namespace: namespaceSchema('Where it is, unless it is cluster-wide.'),
        },
      },
    },
  },
  status: {
    type: 'object',
    description: 'What became of it.',
    default: { conditions: waiting('Accepted') },
    properties: {
      conditions: { ...gatewayConditionsSchema, default: waiting('Accepted') },
      supportedFeatures: {
        type: 'array',
        description:
          'What Gateways of the class can do, by the names of Gateway API; docs/gateway-api.md has them.',
        maxItems: 64,
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
        items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
      },
    },
  },
  columns: [
    { name: 'Controller', type: 'string', jsonPath: '.spec.controllerName' },
    conditionColumn('Accepted'),
    ageColumn,
    { name: 'Description', type: 'string', jsonPath: '.spec.description', priority: 1 },
  ],
} as const;

export type GatewayClass = ObjectOf<typeof gatewayClassKind>;
