/** Gives the objects of a case names of their own, so that many cases share one cluster without meeting; pure. */
import type { KubeObject } from '#api/object.ts';
import type { Case } from '../corpus/case.ts';
import { documents, placeholder } from '../corpus/objects.ts';

export type Names = {
  readonly namespaces: ReadonlySet<string>;
  readonly namespace: (name: string) => string;
  /** Of an object without a namespace; others keep theirs. */
  readonly cluster: (kind: string, name: string) => string;
  /** The object as the cluster gets it. */
  readonly object: (object: KubeObject) => KubeObject;
  /** A value in which namespaces may be named. */
  readonly value: <T>(value: T) => T;
};

/** What every namespace of a case is labelled with. */
export const caseLabel = 'corpus.netloom.dev/case';
const nameLabel = 'kubernetes.io/metadata.name';

const ownNames = new Set(['Subnet', 'IPPool', 'AdminNetworkPolicy', 'ClusterNetworkPolicy', 'BGPNeighbor']);
const adminKinds = new Set(['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy']);
const references = new Set(['subnet', 'netloom.dev/subnet', 'netloom.dev/ip-pool', 'allowSubnets']);

/** In a URL, say. */
const serviceName = /\.([a-z0-9-]+)\.svc\b/g;

export function namesOf({ steps }: Case, prefix: string): Names {
  const objects = steps.flatMap(({ manifests }) => documents(manifests.replaceAll(placeholder, '192.0.2.0')));
  const namespaces = new Set([
    ...steps.flatMap((step) => step.namespaces.map(({ name }) => name)),
    ...steps.flatMap((step) => step.pods.map(({ namespace }) => namespace)),
    ...objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name),
    ...objects.flatMap(({ metadata }) => metadata.namespace ?? []),
  ]);
  const own = new Set(objects.filter(({ kind }) => ownNames.has(kind)).map(({ metadata }) => metadata.name));
  const namespace = (name: string) => (namespaces.has(name) ? `${prefix}-${name}` : name);
  const reference = (name: unknown) =>
    typeof name === 'string' && own.has(name) ? `${prefix}-${name}` : name;
  const cluster = (kind: string, name: string) => (ownNames.has(kind) ? `${prefix}-${name}` : name);

  const renamed = (value: unknown, key: string): unknown => {
    if (typeof value === 'string') {
      if (key === 'namespace' || key === nameLabel) return namespace(value);
      return references.has(key)
        ? reference(value)
        : value.replaceAll(serviceName, (_, name: string) => `.${namespace(name)}.svc`);
    }
    if (Array.isArray(value)) {
      if (key === 'namespaces' || key === `${nameLabel} values`)
        return value.map((each: unknown) => (typeof each === 'string' ? namespace(each) : renamed(each, '')));
      return value.map((each: unknown) => renamed(each, references.has(key) ? key : ''));
    }
    if (typeof value !== 'object' || value === null) return value;
    const isNameExpression = (value as { key?: unknown }).key === nameLabel;
    return Object.fromEntries(
      Object.entries(value).map(([name, inner]) => [
        name,
        renamed(inner, isNameExpression && name === 'values' ? `${nameLabel} values` : name),
      ]),
    );
  };
  const confined = (object: KubeObject): KubeObject => {
    const spec = object['spec'] as { readonly subject?: Subject } | undefined;
    if (!adminKinds.has(object.kind) || spec?.subject === undefined) return object;
    return { ...object, spec: { ...spec, subject: confine(spec.subject, prefix) } };
  };
  return {
    namespaces,
    namespace,
    cluster,
    value: (value) => renamed(value, '') as typeof value,
    object: (object) => {
      const { metadata, ...rest } = renamed(object, '') as KubeObject;
      const isNamespace = object.kind === 'Namespace';
      const name = isNamespace ? namespace(metadata.name) : cluster(object.kind, metadata.name);
      const labels = isNamespace ? { ...metadata.labels, [caseLabel]: prefix } : metadata.labels;
      return confined({
        ...rest,
        metadata: { ...metadata, name, ...(labels === undefined ? {} : { labels }) },
      } as KubeObject);
    },
  };
}

type Selector = { readonly matchLabels?: Readonly<Record<string, string>> };
type Subject = {
  readonly namespaces?: Selector;
  readonly pods?: { readonly namespaceSelector?: Selector };
};

/** Policies without a namespace take pods of this case only. */
function confine(subject: Subject, prefix: string): Subject {
  const within = (selector: Selector = {}): Selector => ({
    ...selector,
    matchLabels: { ...selector.matchLabels, [caseLabel]: prefix },
  });
  return {
    ...subject,
    ...(subject.namespaces === undefined ? {} : { namespaces: within(subject.namespaces) }),
    ...(subject.pods === undefined
      ? {}
      : { pods: { ...subject.pods, namespaceSelector: within(subject.pods.namespaceSelector) } }),
  };
}
