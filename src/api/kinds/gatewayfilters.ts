/** Filters that HTTPRoute and GRPCRoute share, and what keeps filters in order. */
import { durationSchema, localReferenceSchema } from './gatewayparts.ts';
import { backendSchemas, headerNamePattern, headerValuePattern, needsPort } from './gatewayroutes.ts';

const headers = (description: string) =>
  ({
    type: 'array',
    description,
    maxItems: 16,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    items: {
      type: 'object',
      required: ['name', 'value'],
      properties: {
        name: { type: 'string', minLength: 1, maxLength: 256, pattern: headerNamePattern },
        value: { type: 'string', minLength: 1, maxLength: 4096, pattern: headerValuePattern },
      },
    },
  }) as const;

const modifier = (description: string) =>
  ({
    type: 'object',
    description,
    properties: {
      set: headers('In place of what is there.'),
      add: headers('Beside what is there.'),
      remove: {
        type: 'array',
        description: 'Names of headers.',
        maxItems: 16,
        'x-kubernetes-list-type': 'set',
        items: { type: 'string' },
      },
    },
  }) as const;

/** A Service that is asked or told, not chosen by weight. */
export const oneBackendSchema = (description: string) =>
  ({
    type: 'object',
    description,
    required: ['name'],
    'x-kubernetes-validations': [needsPort],
    properties: backendSchemas,
  }) as const;

export const mirrorSchema = {
  type: 'object',
  description: 'Copies of requests, whose answers nobody sees. Missing percent and fraction: of all.',
  required: ['backendRef'],
  'x-kubernetes-validations': [
    { rule: '!(has(self.percent) && has(self.fraction))', message: 'give either percent or fraction' },
  ],
  properties: {
    backendRef: oneBackendSchema('A Service.'),
    percent: {
      type: 'integer',
      format: 'int32',
      description: 'Of a hundred requests.',
      minimum: 0,
      maximum: 100,
    },
    fraction: {
      type: 'object',
      description: 'A part of all requests.',
      required: ['numerator'],
      'x-kubernetes-validations': [
        { rule: 'self.numerator <= self.denominator', message: 'numerator must not be above denominator' },
      ],
      properties: {
        numerator: { type: 'integer', format: 'int32', description: 'How many,', minimum: 0 },
        denominator: {
          type: 'integer',
          format: 'int32',
          description: 'of how many.',
          default: 100,
          minimum: 1,
        },
      },
    },
  },
} as const;

/** By the field that a filter of the type has. */
export const sharedFilters = {
  requestHeaderModifier: modifier('Changes headers on the way to the backend.'),
  responseHeaderModifier: modifier('Changes headers on the way back.'),
  requestMirror: mirrorSchema,
  extensionRef: localReferenceSchema(
    'A filter of somebody else. Netloom knows none: the rule answers with 500.',
  ),
} as const;

/** A filter has the field that its type says, and no other. */
export const fits = (field: string) => {
  const type = typeOf(field);
  return [
    {
      rule: `!(has(self.${field}) && self.type != '${type}')`,
      message: `${field} is for filters of type ${type} only`,
    },
    {
      rule: `!(!has(self.${field}) && self.type == '${type}')`,
      message: `type ${type} needs ${field}`,
    },
  ];
};

export const once = (field: string) => ({
  rule: `self.filter(f, f.type == '${typeOf(field)}').size() <= 1`,
  message: `there can be one filter of type ${typeOf(field)}`,
});

/** `CORS` of `cors`, `URLRewrite` of `urlRewrite`, `RequestMirror` of `requestMirror`. */
function typeOf(field: string): string {
  if (field === 'cors') return 'CORS';
  if (field.startsWith('url')) return `URL${field.slice(3)}`;
  return `${field.slice(0, 1).toUpperCase()}${field.slice(1)}`;
}

export const sessionPersistenceSchema = {
  type: 'object',
  description: 'All requests of a session go to one pod.',
  'x-kubernetes-validations': [
    {
      rule:
        '!has(self.cookieConfig) || !has(self.cookieConfig.lifetimeType) || ' +
        "self.cookieConfig.lifetimeType != 'Permanent' || has(self.absoluteTimeout)",
      message: 'a permanent cookie needs absoluteTimeout',
    },
    {
      rule: "!has(self.cookieConfig) || self.type == 'Cookie'",
      message: 'cookieConfig is for type Cookie only',
    },
  ],
  properties: {
    type: {
      type: 'string',
      description: 'How clients say which session: by a cookie, or by a header that they repeat.',
      default: 'Cookie',
      enum: ['Cookie', 'Header'],
    },
    sessionName: { type: 'string', description: 'Name of the cookie or header.', maxLength: 128 },
    absoluteTimeout: durationSchema('After this time a session begins anew.'),
    cookieConfig: {
      type: 'object',
      description: 'More of the cookie.',
      properties: {
        lifetimeType: {
          type: 'string',
          description: '`Session`: until the client ends. `Permanent`: until absoluteTimeout.',
          default: 'Session',
          enum: ['Permanent', 'Session'],
        },
      },
    },
  },
} as const;
