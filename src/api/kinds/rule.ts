/** Rule, of ALB: which requests of a Frontend it takes, and what becomes of them. */
import type { ObjectOf } from '../kind.ts';
import {
  alaudaGroup,
  backendProtocolSchema,
  certificateNameSchema,
  serviceGroupSchema,
  settingsSchema,
  sourceSchema,
} from './alaudaparts.ts';

const text = (description: string) => ({ type: 'string', description }) as const;

export const ruleKind = {
  group: alaudaGroup,
  version: 'v1',
  kind: 'Rule',
  plural: 'rules',
  singular: 'rule',
  shortNames: ['rl'],
  namespaced: true,
  summary:
    'takes requests of the Frontend that its label `alb2.cpaas.io/frontend` names. docs/alb-kinds.md says what of each field.',
  spec: {
    type: 'object',
    description: 'Which requests, and what becomes of them.',
    properties: {
      priority: { type: 'integer', description: '1 to 10: the lower comes first.' },
      dslx: {
        type: 'array',
        description: 'All of these must hold.',
        items: {
          type: 'object',
          properties: {
            type: text('`HOST`, `URL`, `SRC_IP`, `METHOD`, `HEADER`, `PARAM` or `COOKIE`.'),
            key: text('Of a header, a parameter or a cookie: its name.'),
            values: {
              type: 'array',
              description: 'Any of these must hold.',
              items: {
                type: 'array',
                description:
                  'An operator (`EQ`, `IN`, `STARTS_WITH`, `ENDS_WITH`, `RANGE`, `REGEX`, `EXIST`) and what it compares with.',
                items: { type: 'string' },
              },
            },
          },
        },
      },
      dsl: text('What the console shows. Without effect.'),
      description: text('For people. Without effect.'),
      domain: text('Host that the certificate is for.'),
      certificate_name: certificateNameSchema,
      url: text('What is rewritten of the path where rewrite_base says nothing.'),
      rewrite_base: text('A regular expression: what of the path is rewritten.'),
      rewrite_target: text('What comes in its place; `$1` is what the first group matched.'),
      redirectURL: text('Where requests are redirected to.'),
      redirectCode: { type: 'integer', description: 'Status of the redirect.' },
      vhost: text('Host that the backend is told.'),
      enableCORS: { type: 'boolean', description: 'Browsers may ask from other sites.' },
      corsAllowHeaders: text('Headers that they may send, with commas between them.'),
      corsAllowOrigin: text('Sites that they may ask from, with commas between them. Default: any.'),
      backendProtocol: backendProtocolSchema,
      serviceGroup: serviceGroupSchema,
      source: sourceSchema,
      type: text('Deprecated by ALB. Without effect.'),
      config: settingsSchema,
    },
  },
  columns: [
    { name: 'priority', type: 'integer', jsonPath: '.spec.priority' },
    { name: 'matches', type: 'string', jsonPath: '.spec.dsl' },
    { name: 'source-type', type: 'string', jsonPath: '.spec.source.type' },
    { name: 'source-ns', type: 'string', jsonPath: '.spec.source.namespace' },
    { name: 'source-name', type: 'string', jsonPath: '.spec.source.name' },
  ],
} as const;

export type Rule = ObjectOf<typeof ruleKind>;
