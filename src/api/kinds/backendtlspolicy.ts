/** BackendTLSPolicy, of Gateway API: Gateways speak TLS to a Service, and whom it must prove to be. */
import type { ObjectOf } from '../kind.ts';
import {
  ageColumn,
  gatewayGroup,
  gatewayRelease,
  groupSchema,
  hostnameSchema,
  kindSchema,
  localReferenceSchema,
  optionsSchema,
  pairs,
  preciseHostnameSchema,
  referencedNameSchema,
  sectionSchema,
  subdomain,
  supersededBy,
} from './gatewayparts.ts';
import { policyStatusSchema } from './gatewaystatus.ts';

const { sameTarget, same, bothOrNone } = pairs;

/** An alternative name has the field of its type, and no other. */
const fits = (type: string, field: string) => [
  {
    rule: `!(self.type == "${type}" && (!has(self.${field}) || self.${field} == ""))`,
    message: `type ${type} needs ${field}`,
  },
  {
    rule: `!(self.type != "${type}" && has(self.${field}) && self.${field} != "")`,
    message: `${field} is for type ${type} only`,
  },
];

const references = 'has(self.caCertificateRefs) && size(self.caCertificateRefs) > 0';
const wellKnown = 'has(self.wellKnownCACertificates) && self.wellKnownCACertificates != ""';

export const backendTLSPolicyKind = {
  ...gatewayRelease,
  olderVersions: [{ name: 'v1alpha3', deprecated: supersededBy('BackendTLSPolicy', 'v1alpha3') }],
  kind: 'BackendTLSPolicy',
  plural: 'backendtlspolicies',
  singular: 'backendtlspolicy',
  shortNames: ['btlspolicy'],
  labels: { [`${gatewayGroup}/policy`]: 'Direct' },
  summary:
    'Gateways speak TLS to a Service of this namespace, which must prove to be the one that is named here.',
  spec: {
    type: 'object',
    description: 'To which Services, and what is asked of them.',
    required: ['targetRefs', 'validation'],
    properties: {
      targetRefs: {
        type: 'array',
        description: 'Services of this namespace.',
        minItems: 1,
        maxItems: 16,
        'x-kubernetes-list-type': 'atomic',
        'x-kubernetes-validations': [
          {
            rule: `self.all(p1, self.all(p2, ${sameTarget} ? (${bothOrNone('sectionName')}) : true))`,
            message: 'a target that stands there twice needs sectionName in both',
          },
          {
            rule: `self.all(p1, self.exists_one(p2, ${sameTarget} && ${same('sectionName')}))`,
            message: 'a target stands there twice with the same sectionName',
          },
        ],
        items: {
          type: 'object',
          required: ['group', 'kind', 'name'],
          properties: {
            group: groupSchema,
            kind: kindSchema,
            name: referencedNameSchema,
            sectionName: sectionSchema('Name of a port of the Service. Missing: all of its ports.'),
          },
        },
      },
      validation: {
        type: 'object',
        description: 'Whom the backend must prove to be.',
        required: ['hostname'],
        'x-kubernetes-validations': [
          {
            rule: `!(${references} && ${wellKnown})`,
            message: 'give either caCertificateRefs or wellKnownCACertificates',
          },
          {
            rule: `(${references} || ${wellKnown})`,
            message: 'needs caCertificateRefs or wellKnownCACertificates',
          },
        ],
        properties: {
          hostname: preciseHostnameSchema(
            'Asked for as server name; the certificate must be for it, unless subjectAltNames are given.',
          ),
          caCertificateRefs: {
            type: 'array',
            description: 'ConfigMaps or Secrets with `ca.crt`: one of them must have signed its certificate.',
            maxItems: 8,
            'x-kubernetes-list-type': 'atomic',
            items: localReferenceSchema('A ConfigMap or a Secret of this namespace.'),
          },
          wellKnownCACertificates: {
            type: 'string',
            description: '`System`: one of those that the image brings. Instead of caCertificateRefs.',
            minLength: 1,
            maxLength: 253,
            pattern: `^(System|(${subdomain}/([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]))$`,
          },
          subjectAltNames: {
            type: 'array',
            description: 'One of these must be in the certificate, instead of hostname.',
            maxItems: 5,
            'x-kubernetes-list-type': 'atomic',
            items: {
              type: 'object',
              required: ['type'],
              'x-kubernetes-validations': [...fits('Hostname', 'hostname'), ...fits('URI', 'uri')],
              properties: {
                type: { type: 'string', description: 'Which of the fields.', enum: ['Hostname', 'URI'] },
                hostname: hostnameSchema('DNS name; `*.` before it stands for one label.'),
                uri: {
                  type: 'string',
                  description: 'For example `spiffe://cluster.local/ns/shop/sa/api`.',
                  minLength: 1,
                  maxLength: 253,
                  pattern: '^(([^:/?#]+):)(//([^/?#]*))([^?#]*)(\\?([^#]*))?(#(.*))?',
                },
              },
            },
          },
        },
      },
      options: optionsSchema('Netloom knows none.'),
    },
  },
  status: policyStatusSchema,
  columns: [ageColumn],
} as const;

export type BackendTLSPolicy = ObjectOf<typeof backendTLSPolicyKind>;
