/** The scheduler: gives each pod without a node one, or says why none will do. */
import { podType } from '#api/core.ts';
import { isConflict, isNotFound } from '#kube/client.ts';
import { resourcePath } from '#kube/paths.ts';
import type { Pod } from '../objects/pod.ts';
import {
  type Controller,
  type ControllerContext,
  eventFor,
  keyOfObject,
  splitKey,
  startController,
} from './controller.ts';
import type { Informers } from './informers.ts';
import { isTerminating } from './pods.ts';
import { schedule } from './schedule.ts';
import { withConditions, writeStatus } from './status.ts';

export function schedulerController(
  context: ControllerContext,
  { pods, nodes, namespaces }: Informers,
): Controller {
  const { client } = context;
  /** Decided, and not in the cache yet: by pod UID. */
  const assumed = new Map<string, Pod>();

  const reconcile = async (key: string) => {
    const [namespace, name] = splitKey(key);
    const pod = pods.get(namespace, name);
    if (pod === undefined || !isWaiting(pod) || assumed.has(pod.metadata.uid ?? '')) return;
    const inputs = {
      nodes: nodes.list().filter((node) => !isTerminating(node)),
      placed: [...pods.list().filter(({ spec }) => spec.nodeName !== undefined), ...assumed.values()],
      namespaceLabels: (of: string) => namespaces.get(undefined, of)?.metadata.labels ?? {},
    };
    const decision = schedule(pod, inputs);
    if ('reason' in decision) return refuse(pod, decision.reason);
    const uid = pod.metadata.uid ?? '';
    assumed.set(uid, { ...pod, spec: { ...pod.spec, nodeName: decision.node } });
    try {
      await client.request({
        method: 'POST',
        path: resourcePath(podType, { namespace, name, subresource: 'binding' }),
        body: {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: { name, namespace, uid },
          target: { apiVersion: 'v1', kind: 'Node', name: decision.node },
        },
      });
      eventFor(
        context,
        pod,
        'Normal',
        'Scheduled',
        `Successfully assigned ${namespace}/${name} to ${decision.node}`,
      );
    } catch (error) {
      assumed.delete(uid);
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  };
  const refuse = async (pod: Pod, message: string): Promise<void> => {
    const before = pod.status?.conditions ?? [];
    const old = before.find(({ type }) => type === 'PodScheduled');
    if (old?.message === message) return;
    eventFor(context, pod, 'Warning', 'FailedScheduling', message);
    const condition = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message } as const;
    await writeStatus(context, podType, pod, { conditions: withConditions(before, [condition], new Date()) });
  };

  void pods.synced.then(
    () => {
      pods.onChange(({ old, new: pod }) => {
        const uid = (pod ?? old)?.metadata.uid ?? '';
        if (pod === undefined || pod.spec.nodeName !== undefined) assumed.delete(uid);
      });
    },
    () => {},
  );
  return startController(context, {
    name: 'scheduler',
    // One at a time: each decision sees the one before.
    concurrency: 1,
    sources: [
      {
        informer: pods,
        // A pod that has its place, or that went, makes room or company for those that wait.
        keys: (pod) => (isWaiting(pod) ? [keyOfObject(pod)] : isTerminating(pod) ? waiting(pods.list()) : []),
      },
      { informer: nodes, keys: () => waiting(pods.list()) },
      { informer: namespaces, keys: () => [] },
    ],
    reconcile,
  });
}

function isWaiting({ spec, metadata }: Pod): boolean {
  return (
    spec.nodeName === undefined &&
    metadata.deletionTimestamp === undefined &&
    (spec.schedulerName ?? 'default-scheduler') === 'default-scheduler' &&
    (spec.schedulingGates ?? []).length === 0
  );
}

function waiting(pods: readonly Pod[]): readonly string[] {
  return pods.filter(isWaiting).map(keyOfObject);
}
