/** ListenerSet, of Gateway API: more listeners for a Gateway, from whoever it lets. */
import type { ObjectOf } from '../kind.ts';
import { distinct, listenersSchema } from './gatewaylisteners.ts';
import {
  ageColumn,
  conditionColumn,
  gatewayKindSchemas,
  gatewayRelease,
  namespaceSchema,
  referencedNameSchema,
} from './gatewayparts.ts';
import { listeningStatusSchema } from './gatewaystatus.ts';

export const listenerSetKind = {
  ...gatewayRelease,
  kind: 'ListenerSet',
  plural: 'listenersets',
  singular: 'listenerset',
  shortNames: ['lset'],
  summary:
    'More listeners for a Gateway, whose spec.allowedListeners must take them: each tenant brings its own names and certificates.',
  spec: {
    type: 'object',
    description: 'Which listeners, and for which Gateway.',
    required: ['parentRef', 'listeners'],
    properties: {
      parentRef: {
        type: 'object',
        description: 'The Gateway.',
        required: ['name'],
        properties: {
          ...gatewayKindSchemas,
          name: referencedNameSchema,
          namespace: namespaceSchema('Default: the namespace of the ListenerSet.'),
        },
      },
      listeners: listenersSchema(distinct.set),
    },
  },
  status: listeningStatusSchema({}),
  columns: [conditionColumn('Accepted'), conditionColumn('Programmed'), ageColumn],
} as const;

export type ListenerSet = ObjectOf<typeof listenerSetKind>;
