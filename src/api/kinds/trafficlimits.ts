/** What TrafficPolicy says of who may come in, and how much. */
import { durationSchema, referencedNameSchema } from './gatewayparts.ts';
import { headerNamePattern } from './gatewayroutes.ts';

const addresses = (description: string) =>
  ({
    type: 'array',
    description,
    minItems: 1,
    maxItems: 256,
    'x-kubernetes-list-type': 'set',
    items: { type: 'string', minLength: 2, maxLength: 43, pattern: '^[0-9a-fA-F:.]+(/[0-9]{1,3})?$' },
  }) as const;

const counted = {
  by: {
    type: 'array',
    description:
      'Each of these is counted by itself: `Client` by address, `Route`, `Tenant` by namespace of the route. ' +
      'Missing, and without byHeader: all together.',
    maxItems: 3,
    'x-kubernetes-list-type': 'set',
    items: { type: 'string', enum: ['Client', 'Route', 'Tenant'] },
  },
  byHeader: {
    type: 'string',
    description: 'Each value of this header is counted by itself, too.',
    minLength: 1,
    maxLength: 256,
    pattern: headerNamePattern,
  },
} as const;

export const trustedProxiesSchema = {
  ...addresses(
    'Proxies before the gateway, as addresses and prefixes: what X-Forwarded-For, -Proto and -Port say of the client is believed of these. ' +
      'For ALBs, and Gateways that share none; of several the outermost has its way, enforced or not.',
  ),
  maxItems: 64,
} as const;

export const accessSchema = {
  type: 'object',
  description:
    'Which clients may come in, by address; others get 403. What all policies say holds, wherever they are attached.',
  'x-kubernetes-validations': [{ rule: 'has(self.allow) || has(self.deny)', message: 'needs allow or deny' }],
  properties: {
    allow: addresses('Only these.'),
    deny: addresses('Not these, even if they are among those allowed.'),
  },
} as const;

export const rateLimitsSchema = {
  type: 'array',
  description:
    'How many requests in a time; above: 429 with Retry-After. All hold, of all policies. Each pod of the gateway counts by itself.',
  minItems: 1,
  maxItems: 8,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['requests'],
    properties: {
      requests: {
        type: 'integer',
        format: 'int32',
        description: 'So many,',
        minimum: 1,
        maximum: 1_000_000_000,
      },
      per: { ...durationSchema('in so long, spread evenly.'), default: '1s' },
      burst: {
        type: 'integer',
        format: 'int32',
        description: 'So many more at once.',
        default: 0,
        minimum: 0,
        maximum: 1_000_000_000,
      },
      ...counted,
    },
  },
} as const;

export const concurrencySchema = {
  type: 'array',
  description:
    'How many requests at once; above: 503. All hold, of all policies. Each pod of the gateway counts by itself.',
  minItems: 1,
  maxItems: 8,
  'x-kubernetes-list-type': 'atomic',
  items: {
    type: 'object',
    required: ['requests'],
    properties: {
      requests: {
        type: 'integer',
        format: 'int32',
        description: 'So many.',
        minimum: 1,
        maximum: 1_000_000_000,
      },
      ...counted,
    },
  },
} as const;

export const maxBodySizeSchema = {
  'x-kubernetes-int-or-string': true,
  description: 'Bytes of a request’s body, such as `8Mi`; above: 413. 0: any. Missing everywhere: any.',
  maxLength: 32,
} as const;

export const basicAuthSchema = {
  type: 'object',
  description: 'Name and password (RFC 7617); without: 401.',
  required: ['secretRef'],
  properties: {
    realm: {
      type: 'string',
      description: 'What clients are asked for.',
      default: 'Authentication required',
      minLength: 1,
      maxLength: 128,
      pattern: '^[ !#-\\[\\]-~]+$',
    },
    secretRef: {
      type: 'object',
      description:
        'A Secret of this namespace, with a password file of Apache in `auth`: hashes by bcrypt (cost up to 12), apr1, or crypt with ' +
        'SHA-256 or SHA-512. Without it nobody is let in.',
      required: ['name'],
      properties: { name: referencedNameSchema },
    },
  },
} as const;
