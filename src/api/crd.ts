/** A CustomResourceDefinition from a kind's definition. */
import type { KindDefinition } from './kind.ts';
import type { KubeObject } from './object.ts';

/** The apiextensions.k8s.io/v1 object to install. */
export function crdOf(definition: KindDefinition): KubeObject {
  const { group, version, kind, plural, singular, shortNames, namespaced, summary, spec, status } =
    definition;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, labels: { 'app.kubernetes.io/part-of': 'netloom' } },
    spec: {
      group,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: { kind, listKind: `${kind}List`, plural, singular, shortNames, categories: ['netloom'] },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          additionalPrinterColumns: definition.columns,
          schema: {
            openAPIV3Schema: {
              type: 'object',
              description: summary,
              required: ['spec'],
              properties: {
                apiVersion: { type: 'string' },
                kind: { type: 'string' },
                metadata: { type: 'object' },
                spec,
                status,
              },
              ...(definition.rules === undefined ? {} : { 'x-kubernetes-validations': definition.rules }),
            },
          },
        },
      ],
    },
  };
}
