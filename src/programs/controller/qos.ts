/** Writes QoSPolicies' status. Pods are watched in the namespaces that have a policy, and in no other. */
import { podType } from '#api/core.ts';
import { qosPolicyKind } from '#api/kinds/qospolicy.ts';
import type { KubeObject } from '#api/object.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { setCondition } from '#kube/conditions.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { type PodModel, readPod } from '#model/pod.ts';
import type { Log } from '#telemetry/log.ts';
import type { Caches, SeenQoSPolicy } from './caches.ts';
import { createPasses } from './passes.ts';
import { type QosStatus, qosStatuses } from './qos-status.ts';

/** What could not be written is tried again after so long. */
const periodMs = 5_000;
/** A rollout of many pods is a few writes of status, not one a pod. */
const gatherMs = 500;

/** `run` works until the signal aborts. The cache of policies must hold its first list by then. */
export function createQosStatus(
  client: Client,
  policies: Caches['policies'],
  log: Log,
): { run(signal: AbortSignal): Promise<void> } {
  const pods = new Map<string, Informer<PodModel>>();
  const dirty = new Set<string>();

  const touch = (namespace: string): void => {
    dirty.add(namespace);
    passes.wake();
  };
  const follow = (namespace: string): void => {
    const held = policies.byIndex('namespace', namespace).length > 0;
    const informer = pods.get(namespace);
    if (held && informer === undefined) pods.set(namespace, watchPods(client, namespace, log, touch));
    if (!held && informer !== undefined) {
      informer.stop();
      pods.delete(namespace);
    }
  };

  const reconcile = async (namespace: string): Promise<void> => {
    const informer = pods.get(namespace);
    if (informer?.hasSynced() !== true) return;
    const seen = policies.byIndex('namespace', namespace);
    const statuses = qosStatuses(new Map(seen.map((each) => [each.ref.name, each])), informer.list());
    for (const policy of seen) {
      const status = statuses.get(policy.ref.name);
      if (status === undefined) continue;
      try {
        await writeStatus(client, policy, status, new Date());
      } catch (error) {
        if (isNotFound(error)) continue;
        dirty.add(namespace);
        if (isConflict(error)) continue;
        const object = `${namespace}/${policy.ref.name}`;
        log.warn("a QoSPolicy's status can't be written and is tried again", { object, error });
      }
    }
  };
  const passes = createPasses(
    async () => {
      const due = [...dirty];
      dirty.clear();
      for (const namespace of due) await reconcile(namespace);
    },
    periodMs,
    gatherMs,
  );

  return {
    async run(signal) {
      const end = policies.onChange(({ old, new: policy }) => {
        const namespace = (policy ?? old)?.ref.namespace ?? '';
        follow(namespace);
        touch(namespace);
      });
      try {
        await passes.run(signal);
      } finally {
        end();
        for (const informer of pods.values()) informer.stop();
        pods.clear();
        dirty.clear();
      }
    },
  };
}

function watchPods(
  client: Client,
  namespace: string,
  log: Log,
  touch: (namespace: string) => void,
): Informer<PodModel> {
  const informer = startInformer<KubeObject, PodModel>(client, podType, {
    namespace,
    log,
    equal: (a, b) => JSON.stringify(a) === JSON.stringify(b),
    transform: (object) => limitsOnly(readPod(object)),
  });
  informer.onChange(() => touch(namespace));
  // Rejected only when it is stopped before.
  informer.synced.then(
    () => touch(namespace),
    () => {},
  );
  return informer;
}

/** Of the annotations only those that set a limit: this decides the memory of a namespace with many pods. */
function limitsOnly(pod: PodModel): PodModel {
  const limits = Object.entries(pod.annotations).filter(([name]) => name.endsWith('-bandwidth'));
  return { ...pod, annotations: Object.fromEntries(limits) };
}

async function writeStatus(
  client: Client,
  { ref, status: before = {} }: SeenQoSPolicy,
  { ready, selectedPods, limitedPods }: QosStatus,
  now: Date,
): Promise<void> {
  const { name, namespace, generation } = ref;
  const condition = generation === undefined ? ready : { ...ready, observedGeneration: generation };
  const conditions = setCondition(before.conditions, condition, now);
  const same =
    conditions === before.conditions &&
    before.selectedPods === selectedPods &&
    before.limitedPods === limitedPods;
  if (same) return;
  const body = { status: { conditions, selectedPods, limitedPods } };
  await client.patch(qosPolicyKind, { name, namespace, subresource: 'status' }, { kind: 'merge', body });
}
