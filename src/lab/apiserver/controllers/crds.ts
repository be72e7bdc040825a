/** CustomResourceDefinitions: starts and stops serving their kinds, and removes their objects before they go. */
import type { Condition, KubeObject } from '#api/object.ts';
import { type Context, timestamp, withMetadata } from '../context.ts';
import { crdFinalizer, remove } from '../delete.ts';
import { crdTable, kindsServedBy, tableOfCrd, withStatus } from '../strategies/crd.ts';
import { settle } from '../write.ts';
import { type Queue, queue } from './queue.ts';

/** Serves the kinds of all stored CRDs before it returns; then follows changes in the write that makes them. */
export function startCrds(context: Context): Queue {
  const { store, kinds } = context;
  const work = queue('custom resource definition', (name) => reconcile(context, name));
  const serve = (crd: KubeObject): void => {
    const [group, plural] = tableOfCrd(crd).split('/');
    kinds.replace(group!, plural!, kindsServedBy(crd));
  };
  const crds = store.table(crdTable);
  for (const { object, name } of crds.list()) {
    serve(object);
    work.add(name);
  }
  const waiting = new Map<string, string>();
  store.onChange((table, { type, version }) => {
    if (table === crdTable) {
      if (type !== 'DELETED') {
        serve(version.object);
        if (version.object.metadata.deletionTimestamp !== undefined) {
          waiting.set(tableOfCrd(version.object), version.name);
        }
        work.add(version.name);
        return;
      }
      const home = tableOfCrd(version.object);
      const [group, plural] = home.split('/');
      kinds.replace(group!, plural!, []);
      waiting.delete(home);
      // Watches of a kind that is gone end when they wake and have told all.
      const wakeAll = (): void => {
        for (const wake of store.table(home).watchers) wake();
      };
      store.settled().then(wakeAll, () => {});
      // Names are free again: somebody may be waiting for them.
      for (const other of crds.list()) work.add(other.name);
    } else if (type === 'DELETED') {
      const name = waiting.get(table);
      if (name !== undefined) work.add(name);
    }
  });
  return work;
}

function reconcile(context: Context, name: string): void {
  const crd = context.store.table(crdTable).get('', name)?.object;
  if (crd === undefined) return;
  if (crd.metadata.deletionTimestamp !== undefined) {
    finish(context, crd);
    return;
  }
  const judged = withStatus(context, crd);
  if (JSON.stringify(judged['status']) !== JSON.stringify(crd['status'])) context.store.put(crdTable, judged);
}

/** Deletes the objects; when none is left, lets the definition go. */
function finish(context: Context, crd: KubeObject): void {
  const { store, kinds } = context;
  if (!crd.metadata.finalizers?.includes(crdFinalizer)) return;
  const table = store.table(tableOfCrd(crd));
  const kind = kinds.byTable(table.name);
  for (const version of table.list()) {
    if (kind === undefined) store.remove(table.name, version.namespace, version.name);
    else if (version.object.metadata.deletionTimestamp === undefined) {
      remove(context, kind, version.namespace, version.name, {
        propagationPolicy: 'Background',
        dryRun: false,
      });
    }
  }
  const live = store.table(crdTable).get('', crd.metadata.name)?.object;
  if (live === undefined) return;
  if (table.count() === 0) {
    const finalizers = (live.metadata.finalizers ?? []).filter((each) => each !== crdFinalizer);
    settle(
      context,
      crdTable,
      withMetadata(live, { finalizers: finalizers.length === 0 ? undefined : finalizers }),
    );
    return;
  }
  const marked = terminating(live, `${table.count()} instances remain`);
  if (marked !== live) store.put(crdTable, marked);
}

function terminating(crd: KubeObject, message: string): KubeObject {
  const status = (crd['status'] ?? {}) as { readonly conditions?: readonly Condition[] };
  const conditions = status.conditions ?? [];
  const old = conditions.find(({ type }) => type === 'Terminating');
  if (old?.message === message) return crd;
  const now: Condition = {
    type: 'Terminating',
    status: 'True',
    reason: 'InstanceDeletionInProgress',
    message,
    lastTransitionTime: old?.lastTransitionTime ?? timestamp(),
  };
  return { ...crd, status: { ...status, conditions: [...conditions.filter((each) => each !== old), now] } };
}
