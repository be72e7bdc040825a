/** Gateway, of Gateway API: addresses and listeners that routes are attached to, served by pods of its own. */
import type { ObjectOf } from '../kind.ts';
import { distinct, listenersSchema } from './gatewaylisteners.ts';
import {
  ageColumn,
  conditionColumn,
  domainPath,
  gatewayRelease,
  localReferenceSchema,
  nameSchema,
  selectorSchema,
  subdomain,
} from './gatewayparts.ts';
import { listeningStatusSchema } from './gatewaystatus.ts';
import { gatewayTLSSchema } from './gatewaytls.ts';

const hostname = `^(\\*\\.)?${subdomain}$`;

const addressSchema = {
  type: 'object',
  // What Kubernetes asks of IPAddress: it is one.
  oneOf: [
    {
      properties: {
        type: { enum: ['IPAddress'] },
        value: { anyOf: [{ format: 'ipv4' }, { format: 'ipv6' }] },
      },
    },
    { properties: { type: { not: { enum: ['IPAddress'] } } } },
  ],
} as const;

const addressTypeSchema = {
  type: 'string',
  description: '`IPAddress`; Netloom gives no other.',
  default: 'IPAddress',
  minLength: 1,
  maxLength: 253,
  pattern: `^Hostname|IPAddress|NamedAddress|${domainPath}$`,
} as const;

const valid = (value: string) => ({
  rule: `self.type == 'Hostname' ? ${value}: true`,
  message: 'is no hostname',
});
const matches = `self.value.matches(r"""${hostname}""")`;

const once = (type: string) => ({
  rule:
    `self.all(a1, a1.type == '${type}' && has(a1.value) ? ` +
    'self.exists_one(a2, a2.type == a1.type && has(a2.value) && a2.value == a1.value) : true )',
  message: `a value of type ${type} stands there twice`,
});

const keys = (what: string) => [
  {
    rule: `self.all(key, key.matches(r"""^(${subdomain}/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]$"""))`,
    message: `a key is none that ${what} can have`,
  },
  {
    rule: 'self.all(key, key.split("/")[0].size() < 253)',
    message: 'the part of a key before the / is 252 characters at most',
  },
];

const infrastructure = {
  type: 'object',
  description: 'Of the objects that are made for the Gateway.',
  properties: {
    labels: {
      type: 'object',
      description: 'All of them get these labels.',
      maxProperties: 8,
      'x-kubernetes-validations': keys('labels'),
      additionalProperties: {
        type: 'string',
        minLength: 0,
        maxLength: 63,
        pattern: '^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$',
      },
    },
    annotations: {
      type: 'object',
      description:
        'All of them get these annotations; `netloom.dev/proxy-protocol: "true"` makes connections begin with a PROXY header.',
      maxProperties: 16,
      'x-kubernetes-validations': keys('annotations'),
      additionalProperties: { type: 'string', minLength: 0, maxLength: 4096 },
    },
    parametersRef: localReferenceSchema(
      'A ConfigMap with `replicas`, `externalTrafficPolicy` (`Local`, `Cluster`) and `serviceType` (`LoadBalancer`, `NodePort`, `ClusterIP`).',
    ),
  },
} as const;

export const gatewayKind = {
  ...gatewayRelease,
  olderVersions: [{ name: 'v1beta1' }],
  kind: 'Gateway',
  plural: 'gateways',
  singular: 'gateway',
  shortNames: ['gtw'],
  summary:
    'Addresses and listeners that routes are attached to, served by pods of its own in its namespace. See docs/gateway.md.',
  spec: {
    type: 'object',
    description: 'Where it listens, and whose routes it takes.',
    required: ['gatewayClassName', 'listeners'],
    properties: {
      gatewayClassName: nameSchema('A GatewayClass: `netloom` for one that Netloom serves.'),
      listeners: listenersSchema(distinct.gateway),
      addresses: {
        type: 'array',
        description: 'Addresses that it asks for. Missing: any of the pools that its namespace may use.',
        maxItems: 16,
        'x-kubernetes-list-type': 'atomic',
        'x-kubernetes-validations': [once('IPAddress'), once('Hostname')],
        items: {
          ...addressSchema,
          'x-kubernetes-validations': [valid(`(!has(self.value) || ${matches})`)],
          properties: {
            type: addressTypeSchema,
            value: { type: 'string', description: 'Missing: any that is free.', maxLength: 253 },
          },
        },
      },
      infrastructure,
      allowedListeners: {
        type: 'object',
        description: 'Which ListenerSets may add listeners.',
        properties: {
          namespaces: {
            type: 'object',
            description: 'Of which namespaces.',
            default: { from: 'None' },
            properties: {
              from: {
                type: 'string',
                description: '`Same`: of the Gateway’s namespace. `Selector`: of those that selector takes.',
                default: 'None',
                enum: ['All', 'Selector', 'Same', 'None'],
              },
              selector: selectorSchema('Labels of namespaces.'),
            },
          },
        },
      },
      tls: gatewayTLSSchema,
      defaultScope: {
        type: 'string',
        description: '`All`: routes with useDefaultGateways are attached to it.',
        enum: ['All', 'None'],
      },
    },
  },
  status: listeningStatusSchema({
    addresses: {
      type: 'array',
      description: 'Addresses that it has.',
      maxItems: 16,
      'x-kubernetes-list-type': 'atomic',
      items: {
        ...addressSchema,
        required: ['value'],
        'x-kubernetes-validations': [valid(matches)],
        properties: {
          type: addressTypeSchema,
          value: { type: 'string', description: 'The address.', minLength: 1, maxLength: 253 },
        },
      },
    },
    attachedListenerSets: {
      type: 'integer',
      format: 'int32',
      description: 'How many ListenerSets add listeners.',
    },
  }),
  columns: [
    { name: 'Class', type: 'string', jsonPath: '.spec.gatewayClassName' },
    { name: 'Address', type: 'string', jsonPath: '.status.addresses[*].value' },
    conditionColumn('Programmed'),
    ageColumn,
  ],
} as const;

export type Gateway = ObjectOf<typeof gatewayKind>;
