/** Metadata of foreign objects: what of it is its author's, and where pods' annotations stand. */
import type { KubeObject } from '#api/object.ts';
import { isRecord, type Report } from './fields.ts';

export type Metadata = {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
};

/** Where annotations that speak of pods stand in an object. */
export type AnnotationSite = {
  /** Path of the annotations, as a report names it. */
  readonly path: string;
  readonly kind: 'Pod' | 'template' | 'Namespace' | 'other';
  readonly annotations: Readonly<Record<string, string>>;
};

/** Written by `kubectl apply`; what it holds is the object itself. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

/** `Kind name` or `Kind namespace/name`. */
export function titleOf({ kind, metadata }: KubeObject): string {
  const { namespace, name } = metadata;
  return namespace === undefined ? `${kind} ${name}` : `${kind} ${namespace}/${name}`;
}

/** Services are read, never printed: they are whoever's they were, and a file that has them takes them along when it is deleted. */
export function isService({ kind, apiVersion }: KubeObject): boolean {
  return kind === 'Service' && apiVersion === 'v1';
}

/** Files may leave the namespace out: then it is the one that `kubectl apply` would take. */
export function placed(object: KubeObject): KubeObject {
  const { metadata } = object;
  return metadata.namespace === undefined
    ? { ...object, metadata: { ...metadata, namespace: 'default' } }
    : object;
}

/** Name, labels and annotations for an object of ours; annotations of the foreign network (`isForeign`) are reported. */
export function keptMetadata(
  object: KubeObject,
  isForeign: (annotation: string) => boolean,
  report: Report,
): Metadata {
  const { name } = object.metadata;
  const labels = texts(object.metadata.labels);
  const annotations = texts(object.metadata.annotations);
  for (const key of Object.keys(annotations).filter(isForeign)) {
    report.lost(titleOf(object), `metadata.annotations[${key}]`, 'has no equal');
  }
  const own = Object.entries(annotations).filter(([key]) => !isForeign(key) && key !== lastApplied);
  return {
    name,
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(own.length === 0 ? {} : { annotations: Object.fromEntries(own) }),
  };
}

/** Every place with annotations: the object's own, and those of its pod template (also a CronJob's, and a virtual machine's). */
export function annotationSites(object: KubeObject): readonly AnnotationSite[] {
  const kind = object.kind === 'Pod' || object.kind === 'Namespace' ? object.kind : 'other';
  const own: AnnotationSite = {
    path: 'metadata.annotations',
    kind,
    annotations: texts(object.metadata.annotations),
  };
  const templates = templatePaths.flatMap((path): AnnotationSite[] => {
    const template = path.reduce<unknown>((at, key) => (isRecord(at) ? at[key] : undefined), object);
    if (!isRecord(template)) return [];
    const metadata = isRecord(template['metadata']) ? template['metadata'] : {};
    return [
      {
        path: `${path.join('.')}.metadata.annotations`,
        kind: 'template',
        annotations: texts(metadata['annotations']),
      },
    ];
  });
  return [own, ...templates];
}

/** The object with other annotations at a site. */
export function withAnnotations(
  object: KubeObject,
  path: string,
  annotations: Readonly<Record<string, string>>,
): KubeObject {
  const replace = (at: unknown, keys: readonly string[]): unknown => {
    const [key, ...rest] = keys;
    if (key === undefined) return annotations;
    const record = isRecord(at) ? at : {};
    if (rest.length === 0 && Object.keys(annotations).length === 0) {
      return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
    }
    return { ...record, [key]: replace(record[key], rest) };
  };
  return replace(object, path.split('.')) as KubeObject;
}

const templatePaths: readonly (readonly string[])[] = [
  ['spec', 'template'],
  ['spec', 'jobTemplate', 'spec', 'template'],
];

function texts(value: unknown): Readonly<Record<string, string>> {
  if (!isRecord(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
