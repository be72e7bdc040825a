/** What a Gateway's clients prove to it, and what it proves to backends. */
import { objectReferenceSchema, portSchema, secretReferenceSchema } from './gatewayparts.ts';

const clientTLS = (description: string) =>
  ({
    type: 'object',
    description,
    properties: {
      validation: {
        type: 'object',
        description: 'What the certificates of clients must be. Missing: none is asked for.',
        required: ['caCertificateRefs'],
        properties: {
          caCertificateRefs: {
            type: 'array',
            description: 'ConfigMaps or Secrets with `ca.crt`: one of them must have signed it.',
            minItems: 1,
            maxItems: 16,
            'x-kubernetes-list-type': 'atomic',
            items: objectReferenceSchema('A ConfigMap or a Secret.'),
          },
          mode: {
            type: 'string',
            description:
              '`AllowValidOnly`: the connection fails without a valid one. `AllowInsecureFallback`: whatever comes is taken.',
            default: 'AllowValidOnly',
            enum: ['AllowValidOnly', 'AllowInsecureFallback'],
          },
        },
      },
    },
  }) as const;

export const gatewayTLSSchema = {
  type: 'object',
  description: 'TLS towards clients and backends.',
  properties: {
    backend: {
      type: 'object',
      description: 'Towards backends with a BackendTLSPolicy.',
      properties: {
        clientCertificateRef: secretReferenceSchema(
          'What the Gateway shows of itself: a certificate with its key.',
        ),
      },
    },
    frontend: {
      type: 'object',
      description: 'Towards clients of HTTPS listeners.',
      required: ['default'],
      properties: {
        default: clientTLS('For all ports that perPort doesn’t have.'),
        perPort: {
          type: 'array',
          description: 'For single ports, instead of `default`.',
          maxItems: 64,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port'],
          'x-kubernetes-validations': [
            {
              rule: 'self.all(t1, self.exists_one(t2, t1.port == t2.port))',
              message: 'a port stands there twice',
            },
          ],
          items: {
            type: 'object',
            required: ['port', 'tls'],
            properties: { port: portSchema('Port of a listener.'), tls: clientTLS('For this port.') },
          },
        },
      },
    },
  },
} as const;
