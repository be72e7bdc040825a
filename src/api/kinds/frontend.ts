/** Frontend, of ALB: a port of an ALB2, and where what no Rule takes goes. */
import type { ObjectOf } from '../kind.ts';
import {
  alaudaGroup,
  backendProtocolSchema,
  certificateNameSchema,
  serviceGroupSchema,
  settingsSchema,
  sourceSchema,
} from './alaudaparts.ts';

export const frontendKind = {
  group: alaudaGroup,
  version: 'v1',
  kind: 'Frontend',
  plural: 'frontends',
  singular: 'frontend',
  shortNames: ['ft'],
  namespaced: true,
  summary:
    'a port of the ALB2 that its label `alb2.cpaas.io/name` names. docs/alb-kinds.md says what of each field.',
  spec: {
    type: 'object',
    description: 'The port, and what it takes.',
    properties: {
      port: {
        type: 'integer',
        format: 'int32',
        minimum: 1,
        maximum: 65_535,
        description: 'As clients see it.',
      },
      protocol: { type: 'string', description: '`http`, `https`, `grpc`, `grpcs`, `tcp` or `udp`.' },
      serviceGroup: serviceGroupSchema,
      certificate_name: certificateNameSchema,
      backendProtocol: backendProtocolSchema,
      source: sourceSchema,
      config: settingsSchema,
    },
  },
  status: {
    type: 'object',
    properties: {
      instances: {
        type: 'object',
        description: 'By pod in ALB; here one entry, `netloom`.',
        additionalProperties: {
          type: 'object',
          properties: {
            conflict: { type: 'boolean', description: 'The port is held by something else.' },
            probeTime: {
              type: 'integer',
              format: 'int64',
              description: 'Seconds since 1970 of the last change.',
            },
          },
        },
      },
    },
  },
  columns: [{ name: 'protocol', type: 'string', jsonPath: '.spec.protocol' }],
} as const;

export type Frontend = ObjectOf<typeof frontendKind>;
