/** The scale subresource: autoscaling/v1 Scale read from and written into an object by its kind's paths. */
import type { KubeObject, LabelSelector } from '#api/object.ts';
import { badRequest } from './errors.ts';
import { jsonPath } from './jsonpath.ts';
import type { ScalePaths, ServedKind } from './types.ts';

/** The Scale of an object. */
export function scaleOf(object: KubeObject, paths: ScalePaths): KubeObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = numberAt(object, paths.specReplicasPath) ?? 0;
  const selector = selectorText(object, paths);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, ...clean({ namespace, uid, resourceVersion, creationTimestamp }) },
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: numberAt(object, paths.statusReplicasPath) ?? 0,
      ...(selector === undefined ? {} : { selector }),
    },
  };
}

/** The object with the replicas of a Scale. Throws a 400 for a Scale that has no valid count. */
export function withScale(object: KubeObject, scale: Record<string, unknown>, paths: ScalePaths): KubeObject {
  const spec = (scale['spec'] ?? {}) as { readonly replicas?: unknown };
  const replicas = spec.replicas ?? 0;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0) {
    throw badRequest('spec.replicas: must be an integer greater than or equal to 0');
  }
  const metadata = (scale['metadata'] ?? {}) as { readonly resourceVersion?: string };
  const changed = put(object, paths.specReplicasPath.split('.').filter(Boolean), replicas) as KubeObject;
  if (metadata.resourceVersion === undefined) return changed;
  return { ...changed, metadata: { ...changed.metadata, resourceVersion: metadata.resourceVersion } };
}

function numberAt(object: KubeObject, path: string): number | undefined {
  const [value] = jsonPath(path, object);
  return typeof value === 'number' ? value : undefined;
}

/** CRDs name a field that holds the selector as text; built-in kinds have a LabelSelector. */
function selectorText(object: KubeObject, paths: ScalePaths): string | undefined {
  if (paths.labelSelectorPath !== undefined) {
    const [text] = jsonPath(paths.labelSelectorPath, object);
    return typeof text === 'string' ? text : undefined;
  }
  const [selector] = jsonPath('.spec.selector', object) as readonly LabelSelector[];
  return selector === undefined ? undefined : formatSelector(selector);
}

/** A LabelSelector in the form that `labelSelector=` takes. */
export function formatSelector(selector: LabelSelector): string {
  const pairs = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${values.toSorted().join(',')})`;
  });
  return [...pairs, ...expressions].join(',');
}

function put(target: unknown, path: readonly string[], value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const fields = (target ?? {}) as Record<string, unknown>;
  return { ...fields, [step]: put(fields[step], rest, value) };
}

function clean(fields: Record<string, string | undefined>): Record<string, string> {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as Record<string, string>;
}

/** Scale as a kind that patches can be applied to; it is never stored. */
export const scaleKind: ServedKind = {
  group: 'autoscaling',
  version: 'v1',
  kind: 'Scale',
  plural: 'scales',
  namespaced: true,
  singular: 'scale',
  listKind: 'ScaleList',
  shortNames: [],
  categories: [],
  storageVersion: 'v1',
  schema: { type: 'object', properties: { spec: { type: 'object' } } },
  hasStatus: false,
  columns: [],
  fromCrd: false,
};
