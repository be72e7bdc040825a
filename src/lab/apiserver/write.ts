/** Creates and updates objects: every rule between a decoded object and the store, without a socket in sight. */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { apiVersionOf, type KubeObject } from '#api/object.ts';
import { admitObject } from './admission.ts';
import { type Context, timestamp, unstored, type WriteOptions, withMetadata } from './context.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  forbidden,
  invalid,
  methodNotAllowed,
  modified,
  notFound,
} from './errors.ts';
import { tableOf, toStorage, toVersion } from './kinds.ts';
import { recordManager } from './managed.ts';
import { checkMetadataTypes, cleanMetadata, generatedName } from './metadata.ts';
import type { Version } from './storage/table.ts';
import { strategyOf } from './strategies/index.ts';
import type { Strategy, Writing } from './strategies/strategy.ts';
import type { ServedKind } from './types.ts';

/** Checks apiVersion, kind and namespace against the URL, filling what is absent. Throws a 400. */
export function fitToPath(kind: ServedKind, value: Record<string, unknown>, namespace: string): KubeObject {
  const apiVersion = apiVersionOf(kind);
  for (const [field, wanted] of [
    ['apiVersion', apiVersion],
    ['kind', kind.kind],
  ] as const) {
    const given = value[field];
    if (given !== undefined && given !== wanted) {
      throw badRequest(
        `the ${field} in the data (${JSON.stringify(given)}) does not match the expected ${field} (${JSON.stringify(wanted)})`,
      );
    }
  }
  checkMetadataTypes(value['metadata']);
  const object = cleanMetadata({ ...value, apiVersion, kind: kind.kind } as KubeObject);
  const given = object.metadata.namespace;
  if (given !== undefined && given !== namespace) {
    throw badRequest(
      kind.namespaced
        ? `the namespace of the provided object does not match the namespace sent on the request (${JSON.stringify(given)} and ${JSON.stringify(namespace)})`
        : `${kind.kind} is cluster-scoped: metadata.namespace must not be set`,
    );
  }
  const metadata = { ...object.metadata, ...(kind.namespaced ? { namespace } : {}) };
  // Envelope first: every object reads the same way on the wire.
  const envelope = { apiVersion, kind: kind.kind, metadata };
  return { ...envelope, ...object, metadata };
}

/** Stores a new object. Throws StatusError: 400, 403, 404 (namespace), 409, 422. */
export function create(
  context: Context,
  kind: ServedKind,
  namespace: string,
  value: Record<string, unknown>,
  options: WriteOptions,
): Version {
  const strategy = strategyOf(kind);
  let object = fitToPath(kind, value, namespace);
  if (object.metadata.resourceVersion !== undefined) {
    throw badRequest('resourceVersion should not be set on objects to be created');
  }
  const { generateName } = object.metadata;
  const name = object.metadata.name ?? (generateName === undefined ? undefined : generatedName(generateName));
  if (name === undefined) {
    const message = 'Required value: name or generateName is required';
    throw invalid(kind, '', [{ reason: 'FieldValueRequired', field: 'metadata.name', message }]);
  }
  checkCreatable(context, kind, namespace, name);
  object = withMetadata(object, {
    name,
    uid: randomUUID(),
    creationTimestamp: timestamp(),
    generation: strategy.generation === true ? 1 : undefined,
    deletionTimestamp: undefined,
    deletionGracePeriodSeconds: undefined,
  });
  if (kind.hasStatus && strategy.keepsStatusOnCreate !== true) object = withoutStatus(object);
  const writing = { context, kind, old: undefined, options };
  object = strategy.prepare?.(object, writing) ?? object;
  object = admitted(object, writing, strategy.complete);
  if (options.managed !== true) object = recordManager(kind, object, undefined, options);
  const table = context.store.table(tableOf(kind));
  if (table.get(namespace, name) !== undefined) throw alreadyExists(kind, name);
  warn(kind, options);
  const stored = toStorage(kind, object);
  if (options.dryRun) return unstored(stored, 0);
  return context.store.put(table.name, stored);
}

function checkCreatable(context: Context, kind: ServedKind, namespace: string, name: string): void {
  if (kind.terminating === true) {
    throw methodNotAllowed(`create not allowed while custom resource definition is terminating`);
  }
  if (!kind.namespaced) return;
  const home = context.store.table('/namespaces').get('', namespace);
  if (home === undefined) throw notFound({ group: '', plural: 'namespaces' }, namespace);
  if (home.object.metadata.deletionTimestamp !== undefined) {
    throw forbidden(
      kind,
      name,
      `unable to create new content in namespace ${namespace} because it is being terminated`,
      [
        {
          reason: 'NamespaceTerminating',
          message: `namespace ${namespace} is being terminated`,
          field: 'metadata.namespace',
        },
      ],
    );
  }
}

export type Update = {
  /** The new object, made from the live one; in the kind's version. */
  readonly change: (live: KubeObject) => Record<string, unknown>;
  readonly subresource?: 'status';
  /** The subresource that managedFields name, where it is not `subresource`. */
  readonly managerScope?: string;
};

/** Replaces an object, or its status. Throws StatusError: 400, 404, 409, 422. An update that changes nothing writes nothing. */
export function update(
  context: Context,
  kind: ServedKind,
  namespace: string,
  name: string,
  request: Update,
  options: WriteOptions,
): Version {
  const strategy = strategyOf(kind);
  const table = context.store.table(tableOf(kind));
  const live = table.get(namespace, name);
  if (live === undefined) throw notFound(kind, name);
  const old = toVersion(kind, live.object);
  const writing = { context, kind, old, options };
  const proposed = fitToPath(kind, request.change(old), namespace);
  checkIdentity(kind, proposed, old);
  let object = withMetadata(proposed, {
    name,
    uid: old.metadata.uid,
    creationTimestamp: old.metadata.creationTimestamp,
    deletionTimestamp: old.metadata.deletionTimestamp,
    deletionGracePeriodSeconds: old.metadata.deletionGracePeriodSeconds,
    generateName: old.metadata.generateName,
    resourceVersion: old.metadata.resourceVersion,
    generation: old.metadata.generation,
  });
  if (request.subresource === 'status') {
    const { managedFields, labels, annotations } = object.metadata;
    // The core group's status writes take labels and annotations along: kubelets annotate their Nodes so.
    const taken = kind.group === '' && !kind.fromCrd ? { labels, annotations } : {};
    const { metadata } = withMetadata(old, { managedFields, ...taken });
    const status = object['status'];
    object = { ...withoutStatus(old), metadata, ...(status === undefined ? {} : { status }) };
  } else {
    if (kind.hasStatus)
      object = { ...withoutStatus(object), ...('status' in old ? { status: old['status'] } : {}) };
    object = strategy.prepare?.(object, writing) ?? object;
  }
  object = admitted(object, writing, request.subresource === undefined ? strategy.complete : undefined);
  if (strategy.generation === true && !sameSpec(object, old)) {
    object = withMetadata(object, { generation: (old.metadata.generation ?? 0) + 1 });
  }
  if (options.managed !== true)
    object = recordManager(kind, object, old, options, request.subresource ?? request.managerScope);
  warn(kind, options);
  if (sameButTimes(object, old)) return live;
  const stored = toStorage(kind, object);
  if (options.dryRun) return unstored(stored, live.revision);
  return settle(context, table.name, stored);
}

/** Stores an object, or removes it when it was only waiting for its last finalizer. */
export function settle(context: Context, tableName: string, object: KubeObject): Version {
  const version = context.store.put(tableName, object);
  if (!isFinished(tableName, object)) return version;
  return context.store.remove(tableName, version.namespace, version.name) ?? version;
}

function isFinished(tableName: string, object: KubeObject): boolean {
  const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = object.metadata;
  if (deletionTimestamp === undefined || finalizers.length > 0) return false;
  if (tableName === '/namespaces') {
    const spec = object['spec'] as { readonly finalizers?: readonly string[] } | undefined;
    return (spec?.finalizers ?? []).length === 0;
  }
  return deletionGracePeriodSeconds === 0;
}

function checkIdentity(kind: ServedKind, proposed: KubeObject, old: KubeObject): void {
  const { name, uid, resourceVersion } = proposed.metadata;
  if (name !== undefined && name !== old.metadata.name) {
    throw badRequest(
      `the name of the object (${name}) does not match the name on the URL (${old.metadata.name})`,
    );
  }
  if (uid !== undefined && uid !== old.metadata.uid) {
    throw conflict(
      kind,
      old.metadata.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
    );
  }
  if (
    resourceVersion !== undefined &&
    resourceVersion !== '0' &&
    resourceVersion !== old.metadata.resourceVersion
  ) {
    throw modified(kind, old.metadata.name);
  }
}

/** Schema, metadata and the kind's own rules; throws 400 or 422. */
function admitted(object: KubeObject, writing: Writing, complete: Strategy['complete']): KubeObject {
  const { kind, old, options } = writing;
  const { value, problems, warnings } = admitObject(kind, object, old, options.fieldValidation);
  for (const warning of warnings) options.warnings.add(warning);
  if (problems.length > 0) throw invalid(kind, value.metadata.name, problems);
  if (complete === undefined) return value;
  const completed = complete(value, writing);
  if (completed.problems.length > 0) throw invalid(kind, value.metadata.name, completed.problems);
  return completed.value;
}

function withoutStatus(object: KubeObject): KubeObject {
  const { status: _, ...rest } = object;
  return rest as KubeObject;
}

function sameSpec(a: KubeObject, b: KubeObject): boolean {
  const specOf = ({ apiVersion: _a, kind: _k, metadata: _m, status: _s, ...rest }: KubeObject): object =>
    rest;
  return isDeepStrictEqual(specOf(a), specOf(b));
}

/** Whether two objects differ in nothing but the times in managedFields. */
function sameButTimes(a: KubeObject, b: KubeObject): boolean {
  const { managedFields: fieldsA = [], ...metadataA } = a.metadata;
  const { managedFields: fieldsB = [], ...metadataB } = b.metadata;
  const timeless = (fields: typeof fieldsA): object => fields.map((entry) => ({ ...entry, time: '' }));
  return (
    isDeepStrictEqual(metadataA, metadataB) &&
    isDeepStrictEqual({ ...a, metadata: 0 }, { ...b, metadata: 0 }) &&
    isDeepStrictEqual(timeless(fieldsA), timeless(fieldsB))
  );
}

function warn(kind: ServedKind, options: WriteOptions): void {
  if (kind.warning !== undefined) options.warnings.add(kind.warning);
}
