/** Reads StatefulSets (apps/v1), as far as they say which of their pods are to be. */
import type { KubeObject } from '#api/object.ts';

export type StatefulSetModel = {
  /** `namespace/name`. */
  readonly key: string;
  readonly replicas: number;
  /** The lowest ordinal (`spec.ordinals.start`). */
  readonly start: number;
};

/** Nothing in it can be wrong for us: the API server has checked it. */
export function readStatefulSet(object: KubeObject): StatefulSetModel {
  const { namespace = '', name } = object.metadata;
  const spec = (object['spec'] ?? {}) as { replicas?: number; ordinals?: { start?: number } };
  return { key: `${namespace}/${name}`, replicas: spec.replicas ?? 1, start: spec.ordinals?.start ?? 0 };
}
