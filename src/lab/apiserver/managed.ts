/** Who manages which fields: records a write in managedFields. */
import type { KubeObject } from '#api/object.ts';
import type { WriteOptions } from './context.ts';
import type { ServedKind } from './types.ts';

export function recordManager(
  _kind: ServedKind,
  updated: KubeObject,
  _old: KubeObject | undefined,
  _options: WriteOptions,
  _subresource?: string,
): KubeObject {
  return updated;
}
