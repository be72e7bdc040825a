/** ReferenceGrant, of Gateway API: who in other namespaces may refer to objects of this one. */
import type { ObjectOf } from '../kind.ts';
import {
  ageColumn,
  gatewayRelease,
  groupSchema,
  kindSchema,
  nameSchema,
  namespaceSchema,
} from './gatewayparts.ts';

export const referenceGrantKind = {
  ...gatewayRelease,
  olderVersions: [{ name: 'v1beta1', stored: true }],
  kind: 'ReferenceGrant',
  plural: 'referencegrants',
  singular: 'referencegrant',
  shortNames: ['refgrant'],
  summary:
    'Lets objects of other namespaces refer to objects of this one. Once it is deleted, nothing is served by such a reference any more.',
  spec: {
    type: 'object',
    description: 'All of `from` may refer to all of `to`.',
    required: ['from', 'to'],
    properties: {
      from: {
        type: 'array',
        description: 'Who may refer.',
        minItems: 1,
        maxItems: 16,
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          required: ['group', 'kind', 'namespace'],
          properties: {
            group: groupSchema,
            kind: kindSchema,
            namespace: namespaceSchema('Namespace of the object that refers.'),
          },
        },
      },
      to: {
        type: 'array',
        description: 'To what.',
        minItems: 1,
        maxItems: 16,
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          required: ['group', 'kind'],
          properties: {
            group: groupSchema,
            kind: kindSchema,
            name: nameSchema('Missing: all objects of the kind.'),
          },
        },
      },
    },
  },
  columns: [ageColumn],
} as const;

export type ReferenceGrant = ObjectOf<typeof referenceGrantKind>;
