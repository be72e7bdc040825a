/** HTTPRoute, of Gateway API: which requests go where, and what is done with them. */
import type { ObjectOf } from '../kind.ts';
import { sessionPersistenceSchema } from './gatewayfilters.ts';
import { durationSchema, gatewayRelease, uniqueRuleNames } from './gatewayparts.ts';
import {
  backendRefsSchema,
  fewMatches,
  headerValuePattern,
  hostnamesSchema,
  requestColumns,
  routeSchemas,
  ruleNameSchema,
  valuesSchema,
} from './gatewayroutes.ts';
import { routeStatusSchema } from './gatewaystatus.ts';
import { httpFiltersSchema, methods, pathPattern } from './httpfilters.ts';

const all = { type: 'PathPrefix', value: '/' } as const;

const unlessRegex = (test: string, message: string) => ({
  rule: `(self.type in ['Exact','PathPrefix']) ? ${test} : true`,
  message,
});

const path = {
  type: 'object',
  description: 'Which paths.',
  default: all,
  'x-kubernetes-validations': [
    unlessRegex("self.value.startsWith('/')", 'a path begins with /'),
    ...['//', '/./', '/../', '%2f', '%2F', '#'].map((text) =>
      unlessRegex(`!self.value.contains('${text}')`, `a path can’t have ${text}`),
    ),
    ...['/..', '/.'].map((text) =>
      unlessRegex(`!self.value.endsWith('${text}')`, `a path can’t end with ${text}`),
    ),
    {
      rule: "self.type in ['Exact','PathPrefix'] || self.type == 'RegularExpression'",
      message: 'type is none of Exact, PathPrefix and RegularExpression',
    },
    unlessRegex(
      `self.value.matches(r"""${pathPattern}""")`,
      'a path has characters that none can have (RFC 3986)',
    ),
  ],
  properties: {
    type: {
      type: 'string',
      description: '`PathPrefix` goes by whole segments. `RegularExpression`: as in headers.',
      default: 'PathPrefix',
      enum: ['Exact', 'PathPrefix', 'RegularExpression'],
    },
    value: { type: 'string', description: 'The path.', default: '/', maxLength: 1024 },
  },
} as const;

const match = {
  type: 'object',
  properties: {
    path,
    headers: valuesSchema('All of these headers.', { maxLength: 4096, pattern: headerValuePattern }),
    queryParams: valuesSchema('All of these parameters of the query.', { maxLength: 1024 }),
    method: { type: 'string', description: 'Missing: any.', enum: methods },
  },
} as const;

const prefixOnly =
  "((size(self.matches) != 1 || !has(self.matches[0].path) || self.matches[0].path.type != 'PathPrefix') " +
  '? false : true)';
const replaces = (field: string) =>
  `filters.exists_one(f, has(f.${field}) && has(f.${field}.path) && ` +
  `f.${field}.path.type == 'ReplacePrefixMatch' && has(f.${field}.path.replacePrefixMatch))`;

/** A prefix can only be replaced where the rule has one, and one only. */
const hasPrefix = (field: string) => {
  const message = `${field} with ReplacePrefixMatch needs a single match, of type PathPrefix`;
  return [
    { rule: `(has(self.filters) && self.${replaces(field)}) ? ${prefixOnly} : true`, message },
    {
      rule:
        `(has(self.backendRefs) && self.backendRefs.exists_one(b, (has(b.filters) && b.${replaces(field)}) )) ` +
        `? ${prefixOnly} : true`,
      message: `in backendRefs, ${message}`,
    },
  ];
};

const timeouts = {
  type: 'object',
  description: 'After which time there is an answer of 504. `0s`: never.',
  'x-kubernetes-validations': [
    {
      rule:
        "!(has(self.request) && has(self.backendRequest) && duration(self.request) != duration('0s') && " +
        'duration(self.backendRequest) > duration(self.request))',
      message: 'backendRequest is longer than request',
    },
  ],
  properties: {
    request: durationSchema('From the first byte of the request, all tries together.'),
    backendRequest: durationSchema('Of one try.'),
  },
} as const;

export const retrySchema = {
  type: 'object',
  description: 'When a request is tried again.',
  properties: {
    codes: {
      type: 'array',
      description: 'Answers of a backend after which it is. After a connection that fails it always is.',
      'x-kubernetes-list-type': 'set',
      items: { type: 'integer', minimum: 400, maximum: 599 },
    },
    attempts: { type: 'integer', description: 'How often. Missing: once.', minimum: 1 },
    backoff: durationSchema('The least time before it is.'),
  },
} as const;

const rule = {
  type: 'object',
  'x-kubernetes-validations': [
    {
      rule:
        '(has(self.backendRefs) && size(self.backendRefs) > 0) ' +
        '? (!has(self.filters) || self.filters.all(f, !has(f.requestRedirect))): true',
      message: 'give either backendRefs or a RequestRedirect',
    },
    ...hasPrefix('requestRedirect'),
    ...hasPrefix('urlRewrite'),
  ],
  properties: {
    name: ruleNameSchema,
    matches: {
      type: 'array',
      description: 'Any of these.',
      default: [{ path: all }],
      maxItems: 64,
      'x-kubernetes-list-type': 'atomic',
      items: match,
    },
    filters: httpFiltersSchema,
    backendRefs: backendRefsSchema(
      'Services, by weight. What can’t be resolved answers with 500 for its share of requests.',
      { filters: httpFiltersSchema },
    ),
    timeouts,
    retry: retrySchema,
    sessionPersistence: sessionPersistenceSchema,
  },
} as const;

export const httpRouteKind = {
  ...gatewayRelease,
  olderVersions: [{ name: 'v1beta1' }],
  kind: 'HTTPRoute',
  plural: 'httproutes',
  singular: 'httproute',
  summary: 'Sends HTTP requests to Services, by hostname, path, method, headers and query.',
  spec: {
    type: 'object',
    description: 'Which requests, and where they go.',
    properties: {
      ...routeSchemas,
      hostnames: hostnamesSchema,
      rules: {
        type: 'array',
        description: 'Of those that match, the one with the most exact match takes the request.',
        default: [{ matches: [{ path: all }] }],
        minItems: 1,
        maxItems: 16,
        'x-kubernetes-list-type': 'atomic',
        'x-kubernetes-validations': [fewMatches(false), uniqueRuleNames],
        items: rule,
      },
    },
  },
  status: routeStatusSchema,
  columns: requestColumns,
} as const;

export type HTTPRoute = ObjectOf<typeof httpRouteKind>;
