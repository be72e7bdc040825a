/** A CustomResourceDefinition from a kind's definition. */
import { type KindDefinition, type OlderVersion, group as ownGroup } from './kind.ts';
import type { KubeObject } from './object.ts';

/** Marks what Netloom installed. */
const partOf = 'app.kubernetes.io/part-of';
const approved = 'api-approved.kubernetes.io';
/** Which release of somebody else's definition it was that Netloom installed. */
const installed = 'netloom.dev/installed-release';

/** The apiextensions.k8s.io/v1 object to install. */
export function crdOf(definition: KindDefinition): KubeObject {
  const { group, version, kind, plural, singular, shortNames, namespaced } = definition;
  const { categories = group === ownGroup ? ['netloom'] : [], olderVersions = [] } = definition;
  const annotations = annotationsOf(definition);
  const older = olderVersions.map(
    (each): OlderVersion => (typeof each === 'string' ? { name: each, deprecated: true } : each),
  );
  const stored = older.find((each) => each.stored === true)?.name ?? version;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      labels: { ...definition.labels, [partOf]: 'netloom' },
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
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
        ...(categories.length === 0 ? {} : { categories }),
      },
      versions: [...older, { name: version }].map(({ name, spec = definition.spec, deprecated }) => ({
        name,
        served: true,
        storage: name === stored,
        ...(deprecated === undefined ? {} : { deprecated: true }),
        ...(typeof deprecated === 'string' ? { deprecationWarning: deprecated } : {}),
        subresources: definition.status === undefined ? {} : { status: {} },
        additionalPrinterColumns: definition.columns,
        schema: { openAPIV3Schema: schemaOf({ ...definition, spec }) },
      })),
    },
  };
}

function annotationsOf({ approval, annotations = {} }: KindDefinition): Readonly<Record<string, string>> {
  const release = releaseOf(annotations);
  return {
    ...(approval === undefined ? {} : { [approved]: approval }),
    ...annotations,
    ...(release === undefined ? {} : { [installed]: release }),
  };
}

/** Version and channel, as SIG Network's definitions say them. */
function releaseOf(annotations: Readonly<Record<string, string>>): string | undefined {
  const said = Object.entries(annotations).filter(([key]) => /\/(bundle-version|channel)$/.test(key));
  const sorted = said.sort(([one], [other]) => (one < other ? -1 : 1)).map(([, value]) => value);
  return sorted.length === 0 ? undefined : sorted.join(' ');
}

function schemaOf({ summary, specless, spec, status, rules }: KindDefinition): object {
  return {
    type: 'object',
    description: summary,
    ...(specless === true ? {} : { required: ['spec'] }),
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec,
      ...(status === undefined ? {} : { status }),
    },
    ...(rules === undefined ? {} : { 'x-kubernetes-validations': rules }),
  };
}

/**
 * Whether a CRD that a cluster has is somebody else's to change: of a kind that isn't ours, and not installed by Netloom, or replaced by
 * upstream's own since, which leaves our label and our mark, but says another release or channel. All readers of such a kind share one
 * definition, and its owner decides which release of it that is.
 */
export function isForeign(found: KubeObject, wanted: KubeObject): boolean {
  const theirs = (wanted['spec'] as { readonly group: string }).group !== ownGroup;
  const { labels = {}, annotations = {} } = found.metadata;
  const isReplaced =
    releaseOf(annotations) !== annotations[installed] ||
    Object.keys(annotations).some((key) => key.startsWith('controller-gen.kubebuilder.io/'));
  return theirs && (isReplaced || labels[partOf] !== 'netloom');
}
