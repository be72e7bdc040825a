/** Server-side apply: a PATCH that creates or merges by field ownership. */
import { apiVersionOf } from '#api/object.ts';
import { type Context, timestamp, type WriteOptions } from './context.ts';
import { applyConflict, badRequest, notFound } from './errors.ts';
import { tableOf, toVersion } from './kinds.ts';
import { applyServerSide } from './patch/apply.ts';
import type { ResourcePath } from './request.ts';
import type { Version } from './storage/table.ts';
import type { ServedKind } from './types.ts';
import { create, fitToPath, update } from './write.ts';

export type ApplyOptions = WriteOptions & {
  readonly managerGiven: boolean;
  readonly force: boolean;
  readonly subresource?: 'status';
};

/** Throws StatusError: 400, 404 (status of what isn't there), 409 with the managers in conflict, 422. */
export function apply(
  context: Context,
  kind: ServedKind,
  path: ResourcePath,
  value: Record<string, unknown>,
  options: ApplyOptions,
): { readonly version: Version; readonly created: boolean } {
  if (!options.managerGiven) throw badRequest('fieldManager is required for apply patch');
  const applied = fitToPath(kind, value, path.namespace);
  const name = path.name!;
  if (applied.metadata.name !== undefined && applied.metadata.name !== name) {
    throw badRequest(
      `the name of the object (${applied.metadata.name}) does not match the name on the URL (${name})`,
    );
  }
  if ((applied.metadata.managedFields ?? []).length > 0) {
    throw badRequest('metadata.managedFields must be nil');
  }
  const { subresource, manager, force } = options;
  const owned = { ...options, managed: true };
  const live = context.store.table(tableOf(kind)).get(path.namespace, name);
  if (live === undefined && subresource !== undefined) throw notFound(kind, name);
  const result = applyServerSide({
    live: live === undefined ? undefined : toVersion(kind, live.object),
    applied: { ...applied, metadata: { ...applied.metadata, name } },
    schema: kind.schema,
    manager,
    force,
    apiVersion: apiVersionOf(kind),
    subresource,
    time: timestamp(),
    ignored: kind.hasStatus && subresource === undefined ? ['status'] : [],
  });
  if ('conflicts' in result) throw applyConflict(result.conflicts);
  if (live !== undefined) {
    const change = { change: () => result.value, ...(subresource === undefined ? {} : { subresource }) };
    return { version: update(context, kind, path.namespace, name, change, owned), created: false };
  }
  return { version: create(context, kind, path.namespace, result.value, owned), created: true };
}
