/** ConfigurationState (MetalLB): whether a part of Netloom can use all that MetalLB's kinds say. */
import { conditionsSchema, type ObjectOf } from '../kind.ts';
import { metallbGroup } from './metallbparts.ts';

export const configurationStateKind = {
  group: metallbGroup,
  version: 'v1beta1',
  kind: 'ConfigurationState',
  plural: 'configurationstates',
  singular: 'configurationstate',
  shortNames: [],
  namespaced: true,
  summary:
    'Whether the controller, or a node, can use all that the kinds of `metallb.io` say. Labels: `metallb.io/component-type`, ' +
    '`controller` or `speaker`, and of a node `metallb.io/node-name`.',
  specless: true,
  spec: { type: 'object', description: 'Empty.' },
  status: {
    type: 'object',
    properties: {
      result: {
        type: 'string',
        enum: ['Valid', 'Invalid', 'Unknown'],
        description: 'Invalid: something is refused; all else works.',
      },
      errorSummary: { type: 'string', description: 'What is refused, and why; empty when Valid.' },
      conditions: conditionsSchema,
    },
  },
  columns: [
    { name: 'Result', type: 'string', jsonPath: '.status.result' },
    { name: 'ErrorSummary', type: 'string', jsonPath: '.status.errorSummary' },
    { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
  ],
} as const;

export type ConfigurationState = ObjectOf<typeof configurationStateKind>;
