/** What is done to pods beside writing them: binding to a node, eviction within disruption budgets. */
import type { Condition, KubeObject, LabelSelector } from '#api/object.ts';
import { type Context, timestamp, type WriteOptions, withMetadata } from './context.ts';
import { type DeleteOptions, remove } from './delete.ts';
import { badRequest, conflict, invalid, notFound, StatusError } from './errors.ts';
import { recordManager } from './managed.ts';
import { matchLabelSelector } from './selectors.ts';

const pods = { group: '', plural: 'pods', kind: 'Pod' };

type PodStatus = { readonly phase?: string; readonly conditions?: readonly Condition[] };

/** Gives a pod its node. Throws StatusError: 400, 404, 409 (it has one), 422. */
export function bindPod(
  context: Context,
  namespace: string,
  name: string,
  binding: Record<string, unknown>,
  options: WriteOptions,
): void {
  const kind = context.kinds.byKind('v1', 'Pod')!;
  const pod = context.store.table('/pods').get(namespace, name)?.object;
  if (pod === undefined) throw notFound(kind, name);
  const target = (binding['target'] ?? {}) as { readonly kind?: string; readonly name?: string };
  if (target.kind !== undefined && target.kind !== '' && target.kind !== 'Node') {
    throw badRequest('target.kind: only Node is supported');
  }
  if (!target.name) {
    const message = 'Required value';
    throw invalid(pods, name, [{ reason: 'FieldValueRequired', field: 'target.name', message }]);
  }
  const { uid } = (binding['metadata'] ?? {}) as { readonly uid?: string };
  if (uid !== undefined && uid !== pod.metadata.uid) {
    throw conflict(
      pods,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`,
    );
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(pods, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const spec = pod['spec'] as { readonly nodeName?: string };
  if (spec.nodeName) throw conflict(pods, name, `pod ${name} is already assigned to node "${spec.nodeName}"`);
  const bound: KubeObject = {
    ...withMetadata(pod, { generation: (pod.metadata.generation ?? 0) + 1 }),
    spec: { ...spec, nodeName: target.name },
    status: scheduled((pod['status'] ?? {}) as PodStatus),
  };
  if (options.dryRun) return;
  context.store.put('/pods', recordManager(kind, bound, pod, options, 'binding'));
}

function scheduled(status: PodStatus): PodStatus {
  const condition = {
    type: 'PodScheduled',
    status: 'True',
    lastTransitionTime: timestamp(),
  } as unknown as Condition;
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  return { ...status, conditions: [...others, condition] };
}

type BudgetSpec = {
  readonly selector?: LabelSelector;
  readonly minAvailable?: number | string;
  readonly maxUnavailable?: number | string;
};

/** Deletes a pod unless a PodDisruptionBudget forbids it. Throws StatusError: 404, 409, 429 with the budget's name. */
export function evictPod(context: Context, namespace: string, name: string, options: DeleteOptions): void {
  const kind = context.kinds.byKind('v1', 'Pod')!;
  const pod = context.store.table('/pods').get(namespace, name)?.object;
  if (pod === undefined) throw notFound(kind, name);
  const { phase } = (pod['status'] ?? {}) as PodStatus;
  const running = phase !== 'Pending' && phase !== 'Succeeded' && phase !== 'Failed';
  if (running && pod.metadata.deletionTimestamp === undefined) checkBudgets(context, pod);
  remove(context, kind, namespace, name, options);
}

function checkBudgets({ store }: Context, pod: KubeObject): void {
  const { namespace = '', labels = {} } = pod.metadata;
  for (const { object: budget } of store.table('policy/poddisruptionbudgets').list(namespace)) {
    const spec = (budget['spec'] ?? {}) as BudgetSpec;
    const matches = matchLabelSelector(spec.selector ?? {});
    if (spec.selector === undefined || !matches(labels)) continue;
    const covered = store
      .table('/pods')
      .list(namespace)
      .filter(({ object }) => matches(object.metadata.labels ?? {}));
    const healthy = covered.filter(({ object }) => isReady(object)).length;
    const wanted =
      spec.minAvailable === undefined
        ? covered.length - portion(spec.maxUnavailable ?? 1, covered.length)
        : portion(spec.minAvailable, covered.length);
    // An unready pod is no loss: evicting it leaves as many healthy ones.
    if (!isReady(pod) || healthy - 1 >= wanted) continue;
    const message = `The disruption budget ${budget.metadata.name} needs ${wanted} healthy pods and has ${healthy} currently`;
    throw new StatusError(
      429,
      'TooManyRequests',
      "Cannot evict pod as it would violate the pod's disruption budget.",
      { causes: [{ reason: 'DisruptionBudget', message }] },
    );
  }
}

/** A number, or a percentage of `total` rounded up. */
function portion(value: number | string, total: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number.parseFloat(value) / 100) * total);
}

function isReady(pod: KubeObject): boolean {
  const { conditions = [] } = (pod['status'] ?? {}) as PodStatus;
  const ready = conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
  return ready && pod.metadata.deletionTimestamp === undefined;
}
