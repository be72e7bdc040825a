/** TLSRoute, of Gateway API: TLS connections, by the name that their clients ask for, to Services. */
import type { ObjectOf } from '../kind.ts';
import { hostnameSchema, subdomain, supersededBy } from './gatewayparts.ts';
import { connectionRoute, connectionSpec, oldConnectionRoute } from './gatewayroutes.ts';

const name = `^(${subdomain.replaceAll('\\', '\\\\')})$`;

const hostnames = {
  type: 'array',
  description: 'Names that clients ask for (SNI).',
  maxItems: 1024,
  'x-kubernetes-list-type': 'atomic',
  items: hostnameSchema('A name; `*.` before it: all names below.'),
} as const;

const strict = {
  ...hostnames,
  minItems: 1,
  'x-kubernetes-validations': [
    { rule: 'self.all(h, !isIP(h))', message: 'an IP address is no hostname' },
    {
      rule: `self.all(h, !h.contains('*') ? h.matches('${name}') : true)`,
      message: 'a hostname is none (RFC 1123)',
    },
    {
      rule: `self.all(h, h.contains('*') ? (h.startsWith('*.') && h.substring(2).matches('${name}')) : true)`,
      message: '* can only be the first label, and a name must follow it',
    },
  ],
} as const;

export const tlsRouteKind = {
  ...connectionRoute,
  olderVersions: [
    oldConnectionRoute('TLSRoute', 'v1alpha2', { hostnames }),
    { name: 'v1alpha3', deprecated: supersededBy('TLSRoute', 'v1alpha3') },
  ],
  kind: 'TLSRoute',
  plural: 'tlsroutes',
  singular: 'tlsroute',
  summary:
    'Sends TLS connections to Services by the name that clients ask for: as they are (Passthrough), or decrypted (Terminate).',
  spec: connectionSpec({ hostnames: strict }),
} as const;

export type TLSRoute = ObjectOf<typeof tlsRouteKind>;
