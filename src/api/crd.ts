/** A CustomResourceDefinition from a kind's definition. */
import { type KindDefinition, group as ownGroup } from './kind.ts';
import type { KubeObject } from './object.ts';

/** Marks what Netloom installed. */
const partOf = 'app.kubernetes.io/part-of';
const approved = 'api-approved.kubernetes.io';

/** The apiextensions.k8s.io/v1 object to install. */
export function crdOf(definition: KindDefinition): KubeObject {
  const { group, version, kind, plural, singular, shortNames, namespaced, summary } = definition;
  const { spec, status, approval, specless, olderVersions = [] } = definition;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      labels: { [partOf]: 'netloom' },
      ...(approval === undefined ? {} : { annotations: { [approved]: approval } }),
    },
    spec: {
      group,
      scope: namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular,
        ...(shortNames.length === 0 ? {} : { shortNames }),
        ...(group === ownGroup ? { categories: ['netloom'] } : {}),
      },
      versions: [...olderVersions, version].map((name) => ({
        name,
        served: true,
        storage: name === version,
        ...(name === version ? {} : { deprecated: true }),
        subresources: { status: {} },
        additionalPrinterColumns: definition.columns,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            description: summary,
            ...(specless === true ? {} : { required: ['spec'] }),
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
      })),
    },
  };
}

/**
 * Whether a CRD that a cluster has is somebody else's to change: of a kind that isn't ours, and not installed by Netloom, or replaced by
 * upstream's own since. All readers of such a kind share one definition, and its owner decides which release of it that is.
 */
export function isForeign(found: KubeObject, wanted: KubeObject): boolean {
  const theirs = (wanted['spec'] as { readonly group: string }).group !== ownGroup;
  const { labels = {}, annotations = {} } = found.metadata;
  const released = Object.keys(annotations).some(
    (key) => key.endsWith('/bundle-version') || key.startsWith('controller-gen.kubebuilder.io/'),
  );
  return theirs && (released || labels[partOf] !== 'netloom');
}
