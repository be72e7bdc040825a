/** The listeners of Gateways and ListenerSets. */
import {
  hostnameSchema,
  optionsSchema,
  portSchema,
  secretReferenceSchema,
  sectionSchema,
  selectorSchema,
  subdomain,
} from './gatewayparts.ts';
import { routeKindsSchema } from './gatewaystatus.ts';

const allowedRoutes = {
  type: 'object',
  description: 'Which routes may be attached.',
  default: { namespaces: { from: 'Same' } },
  properties: {
    namespaces: {
      type: 'object',
      description: 'Of which namespaces.',
      default: { from: 'Same' },
      properties: {
        from: {
          type: 'string',
          description: '`Same`: of the namespace of the object. `Selector`: of those that selector takes.',
          default: 'Same',
          enum: ['All', 'Selector', 'Same'],
        },
        selector: selectorSchema('Labels of namespaces.'),
      },
    },
    kinds: routeKindsSchema('Of which kinds. Missing: all that fit the protocol.'),
  },
} as const;

const tls = {
  type: 'object',
  description: 'How TLS ends here, or passes. Of protocols HTTPS and TLS.',
  'x-kubernetes-validations': [
    {
      rule: "self.mode == 'Terminate' ? size(self.certificateRefs) > 0 || size(self.options) > 0 : true",
      message: 'Terminate needs certificateRefs or options',
    },
  ],
  properties: {
    mode: {
      type: 'string',
      description: '`Terminate`: TLS ends here. `Passthrough`: it goes to the backend as it is.',
      default: 'Terminate',
      enum: ['Terminate', 'Passthrough'],
    },
    certificateRefs: {
      type: 'array',
      description: 'Secrets with `tls.crt` and `tls.key`. The first whose names fit the client’s is shown.',
      maxItems: 64,
      'x-kubernetes-list-type': 'atomic',
      items: secretReferenceSchema('A certificate with its key.'),
    },
    options: optionsSchema(
      '`netloom.dev/tls-min-version`: `1.2` (default) or `1.3`. `netloom.dev/tls-ciphers`: names of OpenSSL for TLS 1.2, joined by colons.',
    ),
  },
} as const;

const listener = {
  type: 'object',
  required: ['name', 'port', 'protocol'],
  properties: {
    name: sectionSchema('For sectionName of routes.'),
    hostname: hostnameSchema(
      'Only requests or connections for this name; `*.` before it: for all names below. Missing: for all.',
    ),
    port: portSchema('As clients see it.'),
    protocol: {
      type: 'string',
      description: '`HTTP`, `HTTPS`, `TLS`, `TCP` or `UDP`.',
      minLength: 1,
      maxLength: 255,
      pattern: `^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?$|${subdomain}\\/[A-Za-z0-9]+$`,
    },
    tls,
    allowedRoutes,
  },
} as const;

const sameHostname =
  '(has(l1.hostname) && has(l2.hostname) ? l1.hostname == l2.hostname : !has(l1.hostname) && !has(l2.hostname))';

/** What two listeners can't share. */
export const distinct = {
  gateway: `self.all(l1, self.exists_one(l2, l1.port == l2.port && l1.protocol == l2.protocol && ${sameHostname}))`,
  set:
    'self.all(l1, !has(l1.port) || self.exists_one(l2, has(l2.port) && l1.port == l2.port && ' +
    `l1.protocol == l2.protocol && ${sameHostname}))`,
} as const;

export const listenersSchema = (rule: string) =>
  ({
    type: 'array',
    description: 'Where it listens, and for whom.',
    minItems: 1,
    maxItems: 64,
    'x-kubernetes-list-type': 'map',
    'x-kubernetes-list-map-keys': ['name'],
    'x-kubernetes-validations': [
      {
        rule: "self.all(l, l.protocol in ['HTTP', 'TCP', 'UDP'] ? !has(l.tls) : true)",
        message: 'tls is not for protocols HTTP, TCP and UDP',
      },
      {
        rule:
          "self.all(l, (l.protocol == 'HTTPS' && has(l.tls)) " +
          "? (l.tls.mode == '' || l.tls.mode == 'Terminate') : true)",
        message: 'protocol HTTPS knows tls mode Terminate only',
      },
      {
        rule: "self.all(l, (l.protocol == 'TLS' ? has(l.tls) && has(l.tls.mode) && l.tls.mode != '' : true))",
        message: 'protocol TLS needs a tls mode',
      },
      {
        rule: "self.all(l, l.protocol in ['TCP', 'UDP'] ? (!has(l.hostname) || l.hostname == '') : true)",
        message: 'hostname is not for protocols TCP and UDP',
      },
      {
        rule: 'self.all(l1, self.exists_one(l2, l1.name == l2.name))',
        message: 'two listeners have one name',
      },
      { rule, message: 'two listeners have one port, protocol and hostname' },
    ],
    items: listener,
  }) as const;
