/** Community (MetalLB): names for BGP communities. */
import { conditionsSchema, type ObjectOf } from '../kind.ts';
import { metallbGroup } from './metallbparts.ts';

export const communityKind = {
  group: metallbGroup,
  version: 'v1beta1',
  kind: 'Community',
  plural: 'communities',
  singular: 'community',
  shortNames: [],
  namespaced: true,
  specless: true,
  summary: 'names that BGPAdvertisements of the same namespace may call BGP communities by.',
  spec: {
    type: 'object',
    description: 'Names and what they stand for.',
    properties: {
      communities: {
        type: 'array',
        items: {
          type: 'object',
          properties: {
            name: { type: 'string' },
            value: { type: 'string', description: '`65000:100` or `large:65000:1:2`.' },
          },
        },
      },
    },
  },
  status: { type: 'object', properties: { conditions: conditionsSchema } },
  columns: [],
} as const;

export type Community = ObjectOf<typeof communityKind>;
