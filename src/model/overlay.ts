/** What the objects of a cluster would be if files were applied to it, or what they name were deleted. */
import type { KubeObject } from '#api/object.ts';
import type { Problem } from './problem.ts';
import { formatWorkload, templatePods, withTemplate, workloadKinds, workloadOf } from './workload.ts';

export type OverlayMode = 'apply' | 'delete';

/** Of a file's objects, what the API server would add before anybody reads them. */
export function defaulted(given: KubeObject): KubeObject {
  const object = withoutNulls(given) as KubeObject;
  const { metadata } = object;
  if (object.kind === 'Namespace') {
    const labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name };
    return { ...object, metadata: { ...metadata, labels } };
  }
  if (metadata.namespace !== undefined || clusterWide.includes(object.kind)) return object;
  return { ...object, metadata: { ...metadata, namespace: 'default' } };
}

/** A field that is null is a field that isn't there. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(fields.map(([key, each]) => [key, withoutNulls(each)]));
}

/** Of the kinds that are read here. */
const clusterWide: readonly string[] = [
  'Node',
  'Subnet',
  'IPPool',
  'BlockClaim',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
  'ClusterNetworkPolicy',
  'GatewayClass',
  'IngressClass',
];

export type Overlaid = {
  readonly value: readonly KubeObject[];
  readonly problems: readonly Problem[];
  /** Where what would be stored isn't what a file says. */
  readonly notes: readonly string[];
};

/**
 * Objects replace what has their kind, namespace and name; what the cluster alone knows of it (status, addresses, node) stays. A
 * workload changes its pods, or stands for those that it has not made yet. Endpoints of what may have changed are left out, to be
 * found anew.
 */
export function overlay(
  cluster: readonly KubeObject[],
  files: readonly KubeObject[],
  mode: OverlayMode,
): Overlaid {
  const notes: string[] = [];
  const objects = new Map(cluster.map((object) => [keyOf(object), object]));
  const problems: Problem[] = [];
  const touched = new Set<string>();
  for (const file of files.map(defaulted)) {
    const key = keyOf(file);
    const { namespace = '' } = file.metadata;
    if (mode === 'delete') objects.delete(key);
    else objects.set(key, merged(objects.get(key), file, notes));
    if (workloadKinds.includes(file.kind)) problems.push(...placePods(objects, file, mode));
    if (['Pod', 'Service', ...workloadKinds].includes(file.kind)) touched.add(namespace);
    if (mode === 'delete' && file.kind === 'Namespace') removeNamespace(objects, file.metadata.name);
  }
  const value = [...objects.values()].filter(
    ({ kind, metadata }) => kind !== 'EndpointSlice' || !touched.has(metadata.namespace ?? ''),
  );
  return { value, problems, notes };
}

function keyOf({ apiVersion, kind, metadata }: KubeObject): string {
  const group = apiVersion.includes('/') ? apiVersion.split('/')[0] : '';
  return `${group} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`;
}

type Allocated = {
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly nodeName?: string;
};

function merged(old: KubeObject | undefined, file: KubeObject, notes: string[]): KubeObject {
  if (old === undefined) return file;
  const { clusterIP, clusterIPs, nodeName } = (old['spec'] ?? {}) as Allocated;
  const allocated = Object.fromEntries(
    Object.entries({ clusterIP, clusterIPs, nodeName }).filter(([, value]) => value !== undefined),
  );
  const { uid, creationTimestamp, ownerReferences } = old.metadata;
  const identity = Object.fromEntries(
    Object.entries({ uid, creationTimestamp, ownerReferences }).filter(([, value]) => value !== undefined),
  );
  return {
    ...file,
    metadata: { ...identity, ...file.metadata, ...keptMaps(old, file) },
    ...(file['spec'] === undefined
      ? {}
      : {
          spec: {
            ...allocated,
            ...(file['spec'] as object),
            ...keptNodePorts(old, file),
            ...keptPolicyTypes(old, file, notes),
          },
        }),
    ...(old['status'] === undefined || file['status'] !== undefined ? {} : { status: old['status'] }),
  };
}

type Ports = {
  readonly ports?: readonly {
    readonly port: number;
    readonly protocol?: string;
    readonly nodePort?: number;
  }[];
};

/** A Service port keeps the node port that it was given. */
function keptNodePorts(old: KubeObject, file: KubeObject): Ports {
  const { ports: given = [] } = (old['spec'] ?? {}) as Ports;
  const { ports } = file['spec'] as Ports;
  if (file.kind !== 'Service' || ports === undefined) return {};
  const same = (a: (typeof given)[number], b: typeof a) =>
    a.port === b.port && (a.protocol ?? 'TCP') === (b.protocol ?? 'TCP');
  return {
    ports: ports.map((port) => {
      const nodePort = given.find((each) => same(each, port))?.nodePort;
      return nodePort === undefined ? port : { nodePort, ...port };
    }),
  };
}

type PolicySpec = { readonly policyTypes?: readonly string[]; readonly egress?: readonly unknown[] };

/**
 * The API server writes `policyTypes` into a NetworkPolicy that has none. `kubectl apply` takes away only what was applied before, so
 * they stay, whatever rules the file has by now.
 */
function keptPolicyTypes(old: KubeObject, file: KubeObject, notes: string[]): PolicySpec {
  const { policyTypes: stored } = (old['spec'] ?? {}) as PolicySpec;
  const { policyTypes: given, egress = [] } = file['spec'] as PolicySpec;
  const isFilledIn = old.metadata.uid !== undefined && lastApplied(old).spec?.policyTypes === undefined;
  if (file.kind !== 'NetworkPolicy' || given !== undefined || stored === undefined || !isFilledIn) return {};
  const meant = egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
  if (meant.length !== stored.length || meant.some((type) => !stored.includes(type))) {
    const { namespace = '', name } = file.metadata;
    notes.push(
      `NetworkPolicy ${namespace}/${name}: spec.policyTypes stays [${stored.join(', ')}], as the API server filled it in: the file has none, and kubectl apply leaves it; write [${meant.join(', ')}] into the file if that is meant`,
    );
  }
  return { policyTypes: stored };
}

type Texts = Readonly<Record<string, string>>;

/**
 * Labels and annotations as `kubectl apply` leaves them: the file's, and those that somebody else put there. What was applied before and
 * is in the file no more goes; an object out of a file was all applied.
 */
function keptMaps(
  old: KubeObject,
  file: KubeObject,
): { readonly labels?: Texts; readonly annotations?: Texts } {
  const applied = old.metadata.uid === undefined ? old.metadata : (lastApplied(old).metadata ?? {});
  const kept = (field: 'labels' | 'annotations'): Texts | undefined => {
    const others = Object.entries(old.metadata[field] ?? {}).filter(
      ([key]) => !Object.hasOwn(applied[field] ?? {}, key),
    );
    const entries = [...others, ...Object.entries(file.metadata[field] ?? {})];
    return entries.length === 0 ? undefined : Object.fromEntries(entries);
  };
  const [labels, annotations] = [kept('labels'), kept('annotations')];
  return {
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

type Applied = { readonly metadata?: Partial<KubeObject['metadata']>; readonly spec?: PolicySpec };

/** kubectl notes it on the object. */
function lastApplied({ metadata }: KubeObject): Applied {
  const text = metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
  try {
    return JSON.parse(text ?? '{}') as Applied;
  } catch {
    return {};
  }
}

function placePods(
  objects: Map<string, KubeObject>,
  file: KubeObject,
  mode: OverlayMode,
): readonly Problem[] {
  const { kind, metadata } = file;
  const workload = formatWorkload({ kind, namespace: metadata.namespace ?? '', name: metadata.name });
  const own = [...objects].filter(
    ([, object]) => object.kind === 'Pod' && formatWorkload(workloadOf(object)) === workload,
  );
  if (mode === 'delete') {
    for (const [key] of own) objects.delete(key);
    return [];
  }
  const { value: pods = [], problems } = templatePods(file);
  const [template] = pods;
  if (template === undefined) return problems;
  for (const [key, pod] of own) objects.set(key, withTemplate(pod, template));
  if (own.length === 0) for (const pod of pods) objects.set(keyOf(pod), pod);
  return problems;
}

function removeNamespace(objects: Map<string, KubeObject>, name: string): void {
  for (const [key, { metadata }] of objects) if (metadata.namespace === name) objects.delete(key);
}
