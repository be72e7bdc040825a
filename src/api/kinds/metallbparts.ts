/** What the schemas of MetalLB's kinds have in common. The facts are upstream's, the words ours. */

export const metallbGroup = 'metallb.io';

/** Upstream's text of a selector is looser than a LabelSelector of ours: what is none is told by the reader. */
export const metallbSelectorSchema = (description: string) =>
  ({
    type: 'object',
    description,
    'x-kubernetes-map-type': 'atomic',
    properties: {
      matchLabels: { type: 'object', additionalProperties: { type: 'string' } },
      matchExpressions: {
        type: 'array',
        'x-kubernetes-list-type': 'atomic',
        items: {
          type: 'object',
          required: ['key', 'operator'],
          properties: {
            key: { type: 'string' },
            operator: { type: 'string' },
            values: { type: 'array', 'x-kubernetes-list-type': 'atomic', items: { type: 'string' } },
          },
        },
      },
    },
  }) as const;

/** A list of selectors, any of which may take an object. */
export const metallbSelectorsSchema = (description: string) =>
  ({ type: 'array', description, items: metallbSelectorSchema('Takes objects with these labels.') }) as const;

export const textsSchema = (description: string) =>
  ({ type: 'array', description, items: { type: 'string' } }) as const;

/** Text that its writer sets once. */
export const immutableSchema = (description: string) =>
  ({
    type: 'string',
    description,
    'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'Value is immutable' }],
  }) as const;

/** The labels of the status kinds' objects. */
export const metallbLabels = {
  node: 'metallb.io/node',
  serviceName: 'metallb.io/service-name',
  serviceNamespace: 'metallb.io/service-namespace',
  component: 'metallb.io/component-type',
  /** Of a ConfigurationState. */
  nodeName: 'metallb.io/node-name',
} as const;
