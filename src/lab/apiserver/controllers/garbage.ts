/** Garbage collection by owner references: background, foreground and orphan (kubernetes.io/docs/concepts/architecture/garbage-collection). */
import type { KubeObject, OwnerReference } from '#api/object.ts';
import { type Context, withMetadata } from '../context.ts';
import { foregroundFinalizer, orphanFinalizer, type Propagation, remove } from '../delete.ts';
import type { Place } from '../owners.ts';
import { settle } from '../write.ts';
import { type Queue, queue } from './queue.ts';

/** Starts collecting; also what a killed server left unfinished. */
export function startGarbageCollection(context: Context): Queue {
  const { store, owners } = context;
  const work = queue('garbage collection of', (uid) => collect(context, uid, work));
  const look = (object: KubeObject): void => {
    const { uid, ownerReferences = [], finalizers = [], deletionTimestamp } = object.metadata;
    if (uid === undefined) return;
    const ends = deletionTimestamp !== undefined && finalizers.some(isCollectors);
    if (ends || ownerReferences.length > 0) work.add(uid);
  };
  for (const table of store.tables) for (const version of table.list()) look(version.object);
  store.onChange((_table, { type, version, previous }) => {
    const { uid = '', ownerReferences = [] } = version.object.metadata;
    if (type !== 'DELETED') {
      // Most writes are status updates: their owners were looked at before.
      const same = previous?.object.metadata.ownerReferences === ownerReferences;
      const marked =
        previous?.object.metadata.deletionTimestamp !== version.object.metadata.deletionTimestamp;
      if (!same || marked) look(version.object);
      return;
    }
    for (const dependent of owners.dependents(uid)) work.add(dependent);
    for (const owner of ownerReferences) if (owners.place(owner.uid) !== undefined) work.add(owner.uid);
  });
  return work;
}

function isCollectors(finalizer: string): boolean {
  return finalizer === orphanFinalizer || finalizer === foregroundFinalizer;
}

function objectAt({ store }: Context, place: Place): KubeObject | undefined {
  return store.table(place.table).get(place.namespace, place.name)?.object;
}

function collect(context: Context, uid: string, work: Queue): void {
  const place = context.owners.place(uid);
  const object = place && objectAt(context, place);
  if (place === undefined || object === undefined) return;
  const { deletionTimestamp, finalizers = [] } = object.metadata;
  if (deletionTimestamp !== undefined) {
    if (finalizers.includes(orphanFinalizer)) orphan(context, uid, place);
    else if (finalizers.includes(foregroundFinalizer)) finishForeground(context, uid, place, work);
    return;
  }
  judge(context, uid, place, object);
}

/** Dependents forget the owner, then the owner goes. */
function orphan(context: Context, uid: string, place: Place): void {
  for (const dependent of context.owners.dependents(uid))
    dropOwners(context, dependent, (owner) => owner.uid === uid);
  dropFinalizer(context, place, orphanFinalizer);
}

/** Dependents first: the owner goes when none of those that block it is left. */
function finishForeground(context: Context, uid: string, place: Place, work: Queue): void {
  const dependents = context.owners.dependents(uid);
  const blocking = dependents.filter((dependent) => {
    const dependentPlace = context.owners.place(dependent);
    const object = dependentPlace && objectAt(context, dependentPlace);
    return object?.metadata.ownerReferences?.some(
      (owner) => owner.uid === uid && owner.blockOwnerDeletion === true,
    );
  });
  for (const dependent of dependents) work.add(dependent);
  if (blocking.length === 0) dropFinalizer(context, place, foregroundFinalizer);
}

type OwnerState = 'living' | 'waiting' | 'gone';

/** Deletes an object whose owners are all gone, or are waiting for it. */
function judge(context: Context, uid: string, place: Place, object: KubeObject): void {
  const owners = object.metadata.ownerReferences ?? [];
  const states = owners.map((owner) => stateOf(context, owner, place.namespace));
  if (owners.length === 0 || states.every((state) => state === 'living')) return;
  if (states.includes('living')) {
    dropOwners(context, uid, (owner) => stateOf(context, owner, place.namespace) !== 'living');
    return;
  }
  const kind = context.kinds.byTable(place.table);
  if (kind === undefined) return;
  const waited = states.includes('waiting') && context.owners.dependents(uid).length > 0;
  const propagationPolicy: Propagation = waited ? 'Foreground' : 'Background';
  remove(context, kind, place.namespace, place.name, {
    propagationPolicy,
    preconditions: { uid },
    dryRun: false,
  });
}

function stateOf(context: Context, owner: OwnerReference, namespace: string): OwnerState {
  // Who owns an object of a kind that is not served can't be judged.
  const kind = context.kinds.byKind(owner.apiVersion, owner.kind);
  const place = context.owners.place(owner.uid);
  if (place === undefined) return kind === undefined && !groupIsServed(context, owner) ? 'living' : 'gone';
  // An owner lives in the same namespace or in none.
  if (place.namespace !== '' && place.namespace !== namespace) return 'gone';
  const metadata = objectAt(context, place)?.metadata;
  const waits =
    metadata?.deletionTimestamp !== undefined && metadata.finalizers?.includes(foregroundFinalizer);
  return waits === true ? 'waiting' : 'living';
}

/** Another version of a served group and kind counts as served. */
function groupIsServed({ kinds }: Context, owner: OwnerReference): boolean {
  const group = owner.apiVersion.includes('/') ? owner.apiVersion.split('/')[0] : '';
  return kinds.all.some((kind) => kind.group === group && kind.kind === owner.kind);
}

function dropOwners(context: Context, uid: string, drop: (owner: OwnerReference) => boolean): void {
  const place = context.owners.place(uid);
  const object = place && objectAt(context, place);
  if (place === undefined || object === undefined) return;
  const kept = (object.metadata.ownerReferences ?? []).filter((owner) => !drop(owner));
  settle(
    context,
    place.table,
    withMetadata(object, { ownerReferences: kept.length === 0 ? undefined : kept }),
  );
}

function dropFinalizer(context: Context, place: Place, finalizer: string): void {
  const object = objectAt(context, place);
  if (object === undefined) return;
  const kept = (object.metadata.finalizers ?? []).filter((each) => each !== finalizer);
  settle(context, place.table, withMetadata(object, { finalizers: kept.length === 0 ? undefined : kept }));
}
