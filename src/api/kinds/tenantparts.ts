/** Schema of namespaces that are tenants: of an ALB, of a HostnameGrant. */
import { labelSelectorSchema } from '../kind.ts';

export const tenantsSchema = (description: string) =>
  ({
    type: 'object',
    description,
    properties: {
      namespaces: {
        type: 'array',
        description: 'Namespaces by name.',
        maxItems: 256,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', minLength: 1, maxLength: 63 },
      },
      selector: labelSelectorSchema('Namespaces with these labels. An empty selector takes every namespace.'),
      projects: {
        type: 'array',
        description: 'Namespaces of projects: those whose label `cpaas.io/project` has one of these values.',
        maxItems: 256,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string', minLength: 1, maxLength: 63 },
      },
    },
  }) as const;
