/** Filters of HTTPRoute: those that GRPCRoute doesn't have, and all of them as a list. */
import { fits, once, oneBackendSchema, sharedFilters } from './gatewayfilters.ts';
import { portSchema, preciseHostnameSchema } from './gatewayparts.ts';
import { headerNamePattern } from './gatewayroutes.ts';

/** Characters of a path (RFC 3986). */
export const pathPattern = "^(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|[%][0-9a-fA-F]{2})+$";
export const methods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
] as const;

const pathField = (type: string, field: string) => [
  {
    rule: `self.type == '${type}' ? has(self.${field}) : true`,
    message: `type ${type} needs ${field}`,
  },
  {
    rule: `has(self.${field}) ? self.type == '${type}' : true`,
    message: `${field} is for type ${type} only`,
  },
];

const path = {
  type: 'object',
  description: 'Another path.',
  required: ['type'],
  'x-kubernetes-validations': [
    ...pathField('ReplaceFullPath', 'replaceFullPath'),
    ...pathField('ReplacePrefixMatch', 'replacePrefixMatch'),
  ],
  properties: {
    type: { type: 'string', description: 'Which.', enum: ['ReplaceFullPath', 'ReplacePrefixMatch'] },
    replaceFullPath: { type: 'string', description: 'In place of the whole path.', maxLength: 1024 },
    replacePrefixMatch: {
      type: 'string',
      description: 'In place of the prefix that the rule’s match has.',
      maxLength: 1024,
    },
  },
} as const;

const hostname = preciseHostnameSchema('Another host.');

const requestRedirect = {
  type: 'object',
  description: 'Answers that it is somewhere else. What is missing stays as in the request.',
  properties: {
    scheme: { type: 'string', enum: ['http', 'https'] },
    hostname,
    port: portSchema('Missing: that of the scheme, or else the listener’s.'),
    path,
    statusCode: { type: 'integer', default: 302, enum: [301, 302, 303, 307, 308] },
  },
} as const;

const urlRewrite = {
  type: 'object',
  description: 'Changes what the backend is asked for.',
  properties: { hostname, path },
} as const;

/** A set that has `*`, or some of its members. */
const set = <const Items extends object>(description: string, items: Items) =>
  ({
    type: 'array',
    description,
    maxItems: 64,
    'x-kubernetes-list-type': 'set',
    items: { type: 'string', ...items },
  }) as const;

const alone = {
  'x-kubernetes-validations': [
    { rule: "!('*' in self && self.size() > 1)", message: '* stands there with others' },
  ],
} as const;
const headerName = { minLength: 1, maxLength: 256, pattern: headerNamePattern } as const;

export const corsSchema = {
  type: 'object',
  description: 'Which pages of other origins may ask (CORS). Preflights are answered by the gateway.',
  properties: {
    allowOrigins: {
      ...set('`*`, or `https://*.example.org` and the like.', {
        minLength: 1,
        maxLength: 253,
        pattern:
          '(^\\*$)|(^(http(s)?):\\/\\/(((\\*\\.)?([a-zA-Z0-9\\-]+\\.)*[a-zA-Z0-9-]+|\\*)(:([0-9]{1,5}))?)$)',
      }),
      ...alone,
    },
    allowMethods: { ...set('Methods, or `*`.', { enum: [...methods, '*'] }), maxItems: 9, ...alone },
    allowHeaders: { ...set('Headers that they may send, or `*`.', headerName), ...alone },
    exposeHeaders: set('Headers of answers that they may see.', headerName),
    allowCredentials: { type: 'boolean', description: 'With cookies and the like.' },
    maxAge: {
      type: 'integer',
      format: 'int32',
      description: 'So many seconds an answer to a preflight holds.',
      default: 5,
      minimum: 1,
    },
  },
} as const;

const protocolField = (field: string) => {
  const type = field.toUpperCase();
  return [
    {
      rule: `self.protocol == '${type}' ? has(self.${field}) : true`,
      message: `protocol ${type} needs ${field}`,
    },
    {
      rule: `has(self.${field}) ? self.protocol == '${type}' : true`,
      message: `${field} is for protocol ${type} only`,
    },
  ];
};

export const externalAuthSchema = {
  type: 'object',
  description: 'Asks a Service whether a request may pass.',
  required: ['protocol', 'backendRef'],
  'x-kubernetes-validations': [...protocolField('grpc'), ...protocolField('http')],
  properties: {
    protocol: {
      type: 'string',
      description: '`HTTP`: 200 lets it pass. `GRPC`: ext_authz of Envoy.',
      enum: ['HTTP', 'GRPC'],
    },
    backendRef: oneBackendSchema('The Service.'),
    http: {
      type: 'object',
      description: 'Of protocol HTTP.',
      properties: {
        path: {
          type: 'string',
          description: 'Put before the path of the request.',
          maxLength: 1024,
          pattern: pathPattern,
        },
        allowedHeaders: set('Headers of the request that it sees, besides those that it needs.', {}),
        allowedResponseHeaders: set('Headers of its answer that the backend sees. Missing: all.', {}),
      },
    },
    grpc: {
      type: 'object',
      description: 'Of protocol GRPC.',
      properties: { allowedHeaders: set('Headers of the request that it sees. Missing: all.', {}) },
    },
    forwardBody: {
      type: 'object',
      description: 'It sees the body of the request, too.',
      properties: { maxSize: { type: 'integer', description: 'So many bytes of it.' } },
    },
  },
} as const;

const { extensionRef, ...modifiers } = sharedFilters;
const filterSchemas = {
  ...modifiers,
  requestRedirect,
  urlRewrite,
  cors: corsSchema,
  externalAuth: externalAuthSchema,
  extensionRef,
} as const;

export const httpFiltersSchema = {
  type: 'array',
  description: 'What is done with requests, and with answers.',
  maxItems: 16,
  'x-kubernetes-list-type': 'atomic',
  'x-kubernetes-validations': [
    {
      rule: "!(self.exists(f, f.type == 'RequestRedirect') && self.exists(f, f.type == 'URLRewrite'))",
      message: 'give either a RequestRedirect or a URLRewrite',
    },
    ...['cors', 'requestHeaderModifier', 'responseHeaderModifier', 'requestRedirect', 'urlRewrite'].map(once),
  ],
  items: {
    type: 'object',
    required: ['type'],
    'x-kubernetes-validations': Object.keys(filterSchemas).flatMap(fits),
    properties: {
      type: {
        type: 'string',
        description: 'Which of the fields.',
        enum: [
          'RequestHeaderModifier',
          'ResponseHeaderModifier',
          'RequestMirror',
          'RequestRedirect',
          'URLRewrite',
          'ExtensionRef',
          'CORS',
          'ExternalAuth',
        ],
      },
      ...filterSchemas,
    },
  },
} as const;
