/** Node lifecycle: taints of nodes that aren't ready, eviction from lost ones, and pods of nodes that are no more. */
import { nodeType, podType } from '#api/core.ts';
import { isNotFound } from '#kube/client.ts';
import { timestamp } from '#kube/conditions.ts';
import type { LabNode, Taint } from '../objects/node.ts';
import type { Pod, PodCondition } from '../objects/pod.ts';
import {
  type Controller,
  type ControllerContext,
  eventFor,
  keyOfObject,
  startController,
} from './controller.ts';
import type { Informers } from './informers.ts';
import { tolerates } from './nodematch.ts';
import { isTerminating } from './pods.ts';
import { removePod } from './podwrites.ts';
import { withConditions, writeStatus } from './status.ts';

const notReady = 'node.kubernetes.io/not-ready';
const unreachable = 'node.kubernetes.io/unreachable';

/** The two taints that this controller owns, and the one of cordoned nodes; other taints stay as they are. */
export function wantedTaints(node: LabNode, now: string): readonly Taint[] {
  const ready = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';
  const own: readonly Taint[] = [
    ...(ready === 'False' ? both(notReady) : []),
    ...(ready === 'Unknown' ? both(unreachable) : []),
    ...(node.spec?.unschedulable === true
      ? [{ key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' } as const]
      : []),
  ];
  const before = node.spec?.taints ?? [];
  const kept = before.filter(
    ({ key }) => key !== notReady && key !== unreachable && key !== 'node.kubernetes.io/unschedulable',
  );
  const put = own.map((taint) => {
    const old = before.find(({ key, effect }) => key === taint.key && effect === taint.effect);
    return old ?? { ...taint, timeAdded: now };
  });
  return [...kept, ...put];
}

function both(key: string): readonly Taint[] {
  return [
    { key, effect: 'NoSchedule' },
    { key, effect: 'NoExecute' },
  ];
}

/** As the admission plugin of a real server gives every pod: five minutes on a lost node. */
const defaultTolerationSeconds = 300;

/** Milliseconds until a pod must leave a node with these taints, 0: now; undefined: it may stay. */
export function evictionDelay(pod: Pod, taints: readonly Taint[], now: number): number | undefined {
  const tolerations = pod.spec.tolerations ?? [];
  let delay: number | undefined;
  for (const taint of taints.filter(({ effect }) => effect === 'NoExecute')) {
    const matching = tolerations.filter((toleration) => tolerates([toleration], taint));
    const temporary = taint.key === notReady || taint.key === unreachable;
    const seconds =
      matching.length === 0
        ? temporary
          ? defaultTolerationSeconds
          : 0
        : Math.min(...matching.map(({ tolerationSeconds }) => tolerationSeconds ?? Number.POSITIVE_INFINITY));
    if (seconds === Number.POSITIVE_INFINITY) continue;
    const since = taint.timeAdded === undefined ? now : Date.parse(taint.timeAdded);
    const left = Math.max(0, since + seconds * 1000 - now);
    delay = delay === undefined ? left : Math.min(delay, left);
  }
  return delay;
}

export function nodeLifecycleController(context: ControllerContext, informers: Informers): Controller {
  const { client } = context;
  const { nodes, leases, pods } = informers;
  /** When each node's lease was last seen to change, by our own clock. */
  const renewed = new Map<string, number>();

  const reconcile = async (name: string) => {
    const node = nodes.get(undefined, name);
    if (node === undefined) {
      renewed.delete(name);
      return removeOrphans(name);
    }
    const silent = silence(name);
    if (silent !== undefined && silent <= 0) await lose(node);
    await taint(nodes.get(undefined, name) ?? node);
    const next = await evict(name);
    const waits = [silent !== undefined && silent > 0 ? silent : undefined, next].filter(
      (wait) => wait !== undefined,
    );
    return waits.length === 0 ? undefined : { requeueAfter: Math.max(50, Math.min(...waits)) };
  };
  /** Milliseconds until a node that stays silent is lost; 0 or less: it is. Undefined: it never had a lease. */
  const silence = (name: string): number | undefined => {
    const lease = leases.get('kube-node-lease', name);
    if (lease === undefined) return undefined;
    const seen = renewed.get(name) ?? performance.now();
    renewed.set(name, seen);
    return seen + (lease.spec?.leaseDurationSeconds ?? 40) * 1000 - performance.now();
  };
  const lose = async (node: LabNode): Promise<void> => {
    const before = node.status?.conditions ?? [];
    if (before.find(({ type }) => type === 'Ready')?.status !== 'Unknown') {
      const now = timestamp(new Date());
      const lost = ['MemoryPressure', 'DiskPressure', 'PIDPressure', 'Ready'].map((type) => ({
        type,
        status: 'Unknown' as const,
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
        lastHeartbeatTime: now,
      }));
      await writeStatus(context, nodeType, node, { conditions: withConditions(before, lost, new Date()) });
      eventFor(
        context,
        node,
        'Normal',
        'NodeNotReady',
        `Node ${node.metadata.name} status is now: NodeNotReady`,
      );
      const conditions = lost.map((condition) => ({ ...condition }));
      await taint({ ...node, status: { ...node.status, conditions } });
    }
    for (const pod of pods.byIndex('node', node.metadata.name)) await markUnready(pod);
  };
  const markUnready = async (pod: Pod): Promise<void> => {
    const before = pod.status?.conditions ?? [];
    const ready = before.find(({ type }) => type === 'Ready');
    if (ready?.status !== 'True') return;
    const condition: PodCondition = {
      type: 'Ready',
      status: 'False',
      reason: 'NodeNotReady',
      message: 'the node of the pod was lost',
    };
    await writeStatus(context, podType, pod, { conditions: withConditions(before, [condition], new Date()) });
  };
  const taint = async (node: LabNode): Promise<void> => {
    const before = node.spec?.taints ?? [];
    const wanted = wantedTaints(node, timestamp(new Date()));
    const text = (taints: readonly Taint[]): string =>
      JSON.stringify(taints.map(({ key, value, effect }) => `${key}=${value}:${effect}`).toSorted(byText));
    if (text(before) === text(wanted)) return;
    const { name, uid, resourceVersion } = node.metadata;
    const body = { metadata: { uid, resourceVersion }, spec: { taints: wanted } };
    await client.patch(nodeType, { name }, { kind: 'merge', body });
  };
  /** Milliseconds until the next pod must go. */
  const evict = async (name: string): Promise<number | undefined> => {
    const taints = nodes.get(undefined, name)?.spec?.taints ?? [];
    if (!taints.some(({ effect }) => effect === 'NoExecute')) return undefined;
    let next: number | undefined;
    for (const pod of pods.byIndex('node', name)) {
      if (isTerminating(pod)) continue;
      const delay = evictionDelay(pod, taints, Date.now());
      if (delay === undefined) continue;
      if (delay > 0) next = next === undefined ? delay : Math.min(next, delay);
      else {
        eventFor(
          context,
          pod,
          'Normal',
          'TaintManagerEviction',
          `Marking for deletion Pod ${keyOfObject(pod)}`,
        );
        await removePod(context, informers, pod);
      }
    }
    return next;
  };
  /** Nobody will ever end the pods of a node that is no more; asked once more of the server, which knows best. */
  const removeOrphans = async (name: string): Promise<void> => {
    const left = pods.byIndex('node', name);
    if (left.length === 0) return;
    try {
      await client.get(nodeType, name);
      return;
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    for (const { metadata } of left) {
      try {
        const { namespace, uid } = metadata;
        await client.delete(podType, metadata.name, { namespace, uid, gracePeriodSeconds: 0 });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  };

  void leases.synced.then(
    () => {
      leases.onChange(({ old, new: lease }) => {
        const name = lease?.metadata.name;
        if (name !== undefined && old?.spec?.renewTime !== lease?.spec?.renewTime)
          renewed.set(name, performance.now());
      });
    },
    () => {},
  );
  return startController(context, {
    name: 'nodelife',
    sources: [
      { informer: nodes, keys: ({ metadata }) => [metadata.name] },
      {
        informer: leases,
        // A renewal of a node that is well is no news: it is looked at when it has been silent for long enough.
        keys: ({ metadata }) => (isKnownLost(nodes.get(undefined, metadata.name)) ? [metadata.name] : []),
      },
      {
        informer: pods,
        keys: ({ spec }) =>
          spec.nodeName === undefined || !needsCare(nodes.get(undefined, spec.nodeName))
            ? []
            : [spec.nodeName],
      },
    ],
    reconcile,
  });
}

function isKnownLost(node: LabNode | undefined): boolean {
  return node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'Unknown';
}

/** A node that is gone or has taints that drive pods away. */
function needsCare(node: LabNode | undefined): boolean {
  return node === undefined || (node.spec?.taints ?? []).some(({ effect }) => effect === 'NoExecute');
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
