/** Who manages which fields: records a write in managedFields. */
import { apiVersionOf, type KubeObject } from '#api/object.ts';
import { timestamp, type WriteOptions } from './context.ts';
import { recordUpdate } from './patch/managed.ts';
import type { ServedKind } from './types.ts';

/** The object with managedFields as they are after this write. */
export function recordManager(
  kind: ServedKind,
  updated: KubeObject,
  old: KubeObject | undefined,
  options: WriteOptions,
  subresource?: string,
): KubeObject {
  return recordUpdate({
    old,
    updated,
    schema: kind.schema,
    manager: options.manager,
    apiVersion: apiVersionOf(kind),
    subresource,
    time: timestamp(),
  });
}
