/** Server-side apply: a PATCH that creates or merges by field ownership. */
import type { Context, WriteOptions } from './context.ts';
import { unsupportedMediaType } from './errors.ts';
import type { ResourcePath } from './request.ts';
import type { Version } from './storage/table.ts';
import type { ServedKind } from './types.ts';

export type ApplyOptions = WriteOptions & {
  readonly managerGiven: boolean;
  readonly force: boolean;
  readonly subresource?: 'status';
};

export function apply(
  _context: Context,
  _kind: ServedKind,
  _path: ResourcePath,
  _applied: Record<string, unknown>,
  _options: ApplyOptions,
): { readonly version: Version; readonly created: boolean } {
  throw unsupportedMediaType('server-side apply is not served yet');
}
