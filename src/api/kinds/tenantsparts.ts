/** Schema of tenants: which namespaces are meant. */
import { labelSelectorSchema } from '../kind.ts';
import { namespaceSchema } from './gatewayparts.ts';

export const tenantsSchema = (description: string) =>
  ({
    type: 'object',
    description,
    properties: {
      namespaces: {
        type: 'array',
        description: 'By name.',
        maxItems: 256,
        'x-kubernetes-list-type': 'set',
        items: namespaceSchema('Name of a namespace.'),
      },
      selector: labelSelectorSchema('Those with such labels. An empty selector takes every namespace.'),
      projects: {
        type: 'array',
        description: 'Those of projects: the value of their label `cpaas.io/project`.',
        maxItems: 64,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', minLength: 1, maxLength: 63 },
      },
    },
  }) as const;
