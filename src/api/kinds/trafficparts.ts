/** What TrafficPolicy says of where requests go, and of what clients are given. */
import { mirrorSchema, oneBackendSchema, sessionPersistenceSchema } from './gatewayfilters.ts';
import { durationSchema } from './gatewayparts.ts';
import { backendRefsSchema, headerNamePattern, headerValuePattern } from './gatewayroutes.ts';

/** All that a line of the access log may have. */
export const accessLogFields = [
  'time',
  'requestId',
  'trace',
  'client',
  'method',
  'scheme',
  'host',
  'path',
  'query',
  'protocol',
  'status',
  'bytesReceived',
  'bytesSent',
  'duration',
  'listener',
  'route',
  'rule',
  'policy',
  'tenant',
  'backend',
  'upstream',
  'upstreamStatus',
  'upstreamDuration',
  'tries',
  'userAgent',
  'referer',
  'tlsVersion',
  'tlsServerName',
] as const;

const name = (description: string) =>
  ({ type: 'string', description, minLength: 1, maxLength: 256, pattern: headerNamePattern }) as const;

export const policyTimeoutsSchema = {
  type: 'object',
  description: 'After which time there is an answer of 504. `0s`: never. Each is merged by itself.',
  properties: {
    request: durationSchema('From the first byte of the request, all tries together.'),
    backendRequest: durationSchema('Of one try.'),
    connect: durationSchema('Until a backend has taken a connection.'),
  },
} as const;

export const affinitySchema = {
  type: 'object',
  description: 'Requests that belong together go to one pod.',
  'x-kubernetes-validations': [
    { rule: 'has(self.session) != has(self.hash)', message: 'give either session or hash' },
  ],
  properties: {
    session: {
      ...sessionPersistenceSchema,
      description: 'By a cookie or a header of the gateway’s own.',
    },
    hash: {
      type: 'object',
      description: 'By what a request has: the same always goes to the same pod, as long as that is there.',
      required: ['by'],
      'x-kubernetes-validations': [
        {
          rule: "(self.by in ['Header', 'Cookie', 'Query']) == has(self.name)",
          message: 'Header, Cookie and Query need a name, and nothing else has one',
        },
      ],
      properties: {
        by: {
          type: 'string',
          description: 'What of it.',
          enum: ['Client', 'Header', 'Cookie', 'Query', 'Path'],
        },
        name: name('Of the header, the cookie or the parameter.'),
      },
    },
  },
} as const;

export const canariesSchema = {
  type: 'array',
  description:
    'Of routes and Ingresses only: requests that go elsewhere than the rule says. The first that takes a request has it; each asks the ' +
    'header first, then the cookie, then its share.',
  minItems: 1,
  maxItems: 8,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['backendRefs'],
    'x-kubernetes-validations': [
      {
        rule: 'has(self.header) || has(self.cookie) || has(self.percent) || has(self.fraction)',
        message: 'needs header, cookie, percent or fraction',
      },
      { rule: '!(has(self.percent) && has(self.fraction))', message: 'give either percent or fraction' },
    ],
    properties: {
      header: {
        type: 'object',
        description: 'Without a value: `always` is yes, `never` is no, anything else asks on.',
        required: ['name'],
        properties: {
          name: name('Its name.'),
          value: {
            type: 'string',
            description: 'With this value, yes; with another, it asks on.',
            minLength: 1,
            maxLength: 1024,
            pattern: headerValuePattern,
          },
          type: {
            type: 'string',
            description: 'How the value is compared.',
            default: 'Exact',
            enum: ['Exact', 'RegularExpression'],
          },
        },
      },
      cookie: name('A cookie of this name: `always` is yes, `never` is no, anything else asks on.'),
      percent: mirrorSchema.properties.percent,
      fraction: mirrorSchema.properties.fraction,
      backendRefs: { ...backendRefsSchema('Services, by weight.', {}), minItems: 1 },
    },
  },
} as const;

export const compressionSchema = {
  type: 'object',
  description: 'Answers are compressed for clients that take it.',
  properties: {
    types: {
      type: 'array',
      description: 'Media types, such as `text/*`. An empty list: none are.',
      default: ['text/*', 'application/json', 'application/javascript', 'application/xml', 'image/svg+xml'],
      maxItems: 64,
      'x-kubernetes-list-type': 'set',
      items: {
        type: 'string',
        minLength: 3,
        maxLength: 127,
        pattern: '^[a-z0-9][a-z0-9!#$&^_.+-]*/(\\*|[a-z0-9][a-z0-9!#$&^_.+-]*)$',
      },
    },
    minLength: {
      type: 'integer',
      format: 'int32',
      description: 'Not those of fewer bytes.',
      default: 1024,
      minimum: 0,
      maximum: 1_073_741_824,
    },
  },
} as const;

export const errorsSchema = {
  type: 'array',
  description: 'What clients are shown in place of answers with such a status, whoever gave them.',
  minItems: 1,
  maxItems: 8,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['codes'],
    'x-kubernetes-validations': [
      { rule: 'has(self.backendRef) != has(self.body)', message: 'give either backendRef or body' },
    ],
    properties: {
      codes: {
        type: 'array',
        description: 'The statuses.',
        minItems: 1,
        maxItems: 64,
        'x-kubernetes-list-type': 'set',
        items: { type: 'integer', format: 'int32', minimum: 400, maximum: 599 },
      },
      backendRef: oneBackendSchema(
        'Asked for the page, by X-Code, X-Format (Accept of the request), X-Original-URI and X-Request-Id. While it can’t be, answers are given as they are.',
      ),
      body: {
        type: 'object',
        description: 'The page itself.',
        required: ['text'],
        properties: {
          contentType: {
            type: 'string',
            description: 'Its media type.',
            default: 'text/html; charset=utf-8',
            maxLength: 128,
            pattern: '^[a-z0-9.+-]+/[a-z0-9.+-]+(; ?charset=[A-Za-z0-9._-]+)?$',
          },
          text: { type: 'string', description: 'What it says.', maxLength: 4096 },
        },
      },
    },
  },
} as const;

export const accessLogSchema = {
  type: 'object',
  description: 'Lines of JSON on the standard output of the container nginx, one a request.',
  properties: {
    fields: {
      type: 'array',
      description: 'What they have. An empty list: none are written.',
      default: [
        'time',
        'requestId',
        'client',
        'method',
        'host',
        'path',
        'protocol',
        'status',
        'bytesSent',
        'duration',
        'route',
        'backend',
        'userAgent',
      ],
      maxItems: 32,
      'x-kubernetes-list-type': 'set',
      items: { type: 'string', enum: accessLogFields },
    },
    percent: {
      type: 'integer',
      format: 'int32',
      description: 'Of a hundred requests.',
      default: 100,
      minimum: 0,
      maximum: 100,
    },
  },
} as const;

export const bufferingSchema = {
  type: 'object',
  description: 'What is read as a whole before it goes on.',
  properties: {
    requests: { type: 'boolean', description: 'Requests, so that slow clients keep no backend busy.' },
    responses: { type: 'boolean', description: 'Answers, so that slow clients keep no backend busy.' },
  },
} as const;
