/** Deletes objects: at once, after finalizers, after a pod's grace period, with what they own. */
import type { KubeObject } from '#api/object.ts';
import { type Context, timestamp, unstored, withMetadata } from './context.ts';
import { conflict, forbidden, notFound, type Status, success } from './errors.ts';
import { tableOf } from './kinds.ts';
import type { Version } from './storage/table.ts';
import { crdTable } from './strategies/crd.ts';
import type { ServedKind } from './types.ts';
import { settle } from './write.ts';

export type Propagation = 'Foreground' | 'Background' | 'Orphan';

export type DeleteOptions = {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: Propagation;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun: boolean;
};

/** Finalizers that garbage collection (garbage.ts) takes off again. */
export const orphanFinalizer = 'orphan';
export const foregroundFinalizer = 'foregroundDeletion';
/** Holds a CustomResourceDefinition until its objects are gone (controllers/crds.ts). */
export const crdFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

const permanentNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/** What became of the object: gone (with its last version), or waiting, as its new version shows. */
export type Deleted = { readonly gone: boolean; readonly version: Version };

/** Throws StatusError: 403, 404, 409. */
export function remove(
  context: Context,
  kind: ServedKind,
  namespace: string,
  name: string,
  options: DeleteOptions,
): Deleted {
  const tableName = tableOf(kind);
  const live = context.store.table(tableName).get(namespace, name);
  if (live === undefined) throw notFound(kind, name);
  checkPreconditions(kind, live, options);
  if (tableName === '/namespaces' && permanentNamespaces.includes(name)) {
    throw forbidden(kind, name, 'this namespace may not be deleted');
  }
  const marked = markDeleted(tableName, live.object, options);
  const waits =
    (marked.metadata.finalizers ?? []).length > 0 ||
    (marked.metadata.deletionGracePeriodSeconds ?? 0) > 0 ||
    tableName === '/namespaces';
  if (options.dryRun) return { gone: !waits, version: waits ? unstored(marked, live.revision) : live };
  if (!waits) {
    return { gone: true, version: context.store.remove(tableName, namespace, name)! };
  }
  if (marked === live.object) return { gone: false, version: live };
  const version = settle(context, tableName, marked);
  return { gone: context.store.table(tableName).get(namespace, name) === undefined, version };
}

/** The answer to a delete, as a real server gives it: a Status when the object is gone, else the object. */
export function deletedStatus(kind: ServedKind, version: Version): Status {
  return success(kind, version.name, version.object.metadata.uid);
}

function checkPreconditions(kind: ServedKind, live: Version, options: DeleteOptions): void {
  const { uid, resourceVersion } = live.object.metadata;
  const wanted = options.preconditions;
  if (wanted?.uid !== undefined && wanted.uid !== uid) {
    throw conflict(
      kind,
      live.name,
      `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`,
    );
  }
  if (wanted?.resourceVersion !== undefined && wanted.resourceVersion !== resourceVersion) {
    throw conflict(
      kind,
      live.name,
      `Precondition failed: ResourceVersion in precondition: ${wanted.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`,
    );
  }
}

/** The object with its deletion written into it; itself when a second delete changes nothing. */
function markDeleted(tableName: string, object: KubeObject, options: DeleteOptions): KubeObject {
  const grace = graceSeconds(tableName, object, options);
  const finalizers = finalizersFor(tableName, object, options.propagationPolicy);
  const { deletionTimestamp, deletionGracePeriodSeconds, generation } = object.metadata;
  const sameFinalizers = finalizers.length === (object.metadata.finalizers ?? []).length;
  if (deletionTimestamp !== undefined && grace >= (deletionGracePeriodSeconds ?? 0) && sameFinalizers)
    return object;
  const shortened = deletionTimestamp === undefined || grace < (deletionGracePeriodSeconds ?? 0);
  const marked = withMetadata(object, {
    finalizers: finalizers.length === 0 ? undefined : finalizers,
    ...(shortened
      ? {
          deletionTimestamp: timestamp(Date.now() + grace * 1000),
          deletionGracePeriodSeconds: grace,
          generation: generation === undefined ? undefined : generation + 1,
        }
      : {}),
  });
  if (tableName !== '/namespaces') return marked;
  const status = { ...(object['status'] as object | undefined), phase: 'Terminating' };
  return { ...withMetadata(marked, { deletionGracePeriodSeconds: undefined }), status };
}

/** Only pods that a kubelet runs have a grace period: it kills them and then deletes with 0. */
function graceSeconds(tableName: string, object: KubeObject, options: DeleteOptions): number {
  if (tableName !== '/pods') return 0;
  const spec = (object['spec'] ?? {}) as { nodeName?: string; terminationGracePeriodSeconds?: number };
  const { phase } = (object['status'] ?? {}) as { phase?: string };
  if (!spec.nodeName || phase === 'Succeeded' || phase === 'Failed') return 0;
  return options.gracePeriodSeconds ?? spec.terminationGracePeriodSeconds ?? 30;
}

function finalizersFor(
  tableName: string,
  object: KubeObject,
  policy: Propagation | undefined,
): readonly string[] {
  const given = object.metadata.finalizers ?? [];
  const first = object.metadata.deletionTimestamp === undefined;
  const present = first && tableName === crdTable ? [...new Set([...given, crdFinalizer])] : given;
  if (policy === undefined) return present;
  const others = present.filter((each) => each !== orphanFinalizer && each !== foregroundFinalizer);
  if (policy === 'Orphan') return [...others, orphanFinalizer];
  if (policy === 'Foreground') return [...others, foregroundFinalizer];
  return others;
}
