/** Namespaces: what each one gets when it begins, and how its content goes before it does. */
import type { Condition, KubeObject } from '#api/object.ts';
import { ownWrite } from '../bootstrap.ts';
import { type Context, timestamp } from '../context.ts';
import { remove } from '../delete.ts';
import { create, settle } from '../write.ts';
import { type Queue, queue } from './queue.ts';

/** Starts the controller; looks at every namespace once. */
export function startNamespaces(context: Context): Queue {
  const { store } = context;
  const work = queue('namespace', (name) => reconcile(context, name));
  for (const { name } of store.table('/namespaces').list()) work.add(name);
  store.onChange((table, { type, version }) => {
    if (table === '/namespaces') {
      if (type !== 'DELETED') work.add(version.name);
    } else if (type === 'DELETED' && version.namespace !== '') work.add(version.namespace);
  });
  return work;
}

function reconcile(context: Context, name: string): void {
  const namespace = context.store.table('/namespaces').get('', name)?.object;
  if (namespace === undefined) return;
  if (namespace.metadata.deletionTimestamp === undefined) furnish(context, name);
  else empty(context, namespace);
}

/** The default service account and the cluster's CA, made again when somebody deletes them. */
function furnish(context: Context, namespace: string): void {
  const { store, kinds, pki } = context;
  if (store.table('/serviceaccounts').get(namespace, 'default') === undefined) {
    create(
      context,
      kinds.byKind('v1', 'ServiceAccount')!,
      namespace,
      { metadata: { name: 'default' } },
      ownWrite(),
    );
  }
  const data = { 'ca.crt': pki.authority.certificate };
  if (store.table('/configmaps').get(namespace, 'kube-root-ca.crt') === undefined) {
    const annotations = {
      'kubernetes.io/description':
        "The cluster's certificate authority, by which clients know this API server.",
    };
    const object = { metadata: { name: 'kube-root-ca.crt', annotations }, data };
    create(context, kinds.byKind('v1', 'ConfigMap')!, namespace, object, ownWrite());
  }
}

/** Deletes all objects of a namespace; when none is left, lets it go. */
function empty(context: Context, namespace: KubeObject): void {
  const { name } = namespace.metadata;
  const { store, kinds } = context;
  for (const table of store.tables) {
    if (table.count(name) === 0) continue;
    const kind = kinds.byTable(table.name);
    for (const version of table.list(name)) {
      if (kind === undefined) store.remove(table.name, version.namespace, version.name);
      else if (version.object.metadata.deletionTimestamp === undefined) {
        remove(context, kind, name, version.name, { propagationPolicy: 'Background', dryRun: false });
      }
    }
  }
  const live = store.table('/namespaces').get('', name)?.object;
  if (live === undefined) return;
  const left = remaining(context, name);
  if (left.objects.length > 0) {
    const status = live['status'] as { readonly conditions?: readonly Condition[] } | undefined;
    const conditions = contentConditions(left, status?.conditions ?? []);
    if (JSON.stringify(conditions) === JSON.stringify(status?.conditions)) return;
    store.put('/namespaces', { ...live, status: { ...status, phase: 'Terminating', conditions } });
    return;
  }
  const spec = (live['spec'] ?? {}) as { readonly finalizers?: readonly string[] };
  const finalizers = (spec.finalizers ?? []).filter((finalizer) => finalizer !== 'kubernetes');
  if (finalizers.length === spec.finalizers?.length) return;
  settle(context, '/namespaces', { ...live, spec: { ...spec, finalizers } });
}

type Remaining = { readonly objects: readonly string[]; readonly finalizers: readonly string[] };

function remaining({ store }: Context, namespace: string): Remaining {
  const objects: string[] = [];
  const counts = new Map<string, number>();
  for (const table of store.tables) {
    const count = table.count(namespace);
    if (count === 0) continue;
    const [group, plural] = table.name.split('/');
    objects.push(`${group === '' ? plural : `${plural}.${group}`} has ${count} resource instances`);
    for (const { object } of table.list(namespace)) {
      for (const each of object.metadata.finalizers ?? []) counts.set(each, (counts.get(each) ?? 0) + 1);
    }
  }
  return {
    objects,
    finalizers: [...counts].map(([finalizer, count]) => `${finalizer} in ${count} resource instances`),
  };
}

/** The conditions by which users find out why a namespace does not go. */
function contentConditions(left: Remaining, before: readonly Condition[]): Condition[] {
  const make = (type: string, texts: readonly string[], reason: string, words: string): Condition => {
    const status = texts.length > 0 ? 'True' : 'False';
    const message = texts.length > 0 ? `${words}: ${texts.join(', ')}` : 'none';
    const old = before.find((condition) => condition.type === type);
    const lastTransitionTime = old?.status === status ? old.lastTransitionTime : timestamp();
    return {
      type,
      status,
      reason: texts.length > 0 ? reason : 'ContentRemoved',
      message,
      lastTransitionTime,
    };
  };
  return [
    make('NamespaceContentRemaining', left.objects, 'SomeResourcesRemain', 'Some resources are remaining'),
    make(
      'NamespaceFinalizersRemaining',
      left.finalizers,
      'SomeFinalizersRemain',
      'Some content in the namespace has finalizers remaining',
    ),
  ];
}
