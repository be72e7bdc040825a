/** The pods of other nodes as policy sees them: watched while the cluster has a policy, and not at all without one. */
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { isIdle, type PodModel, readPod } from '#model/pod.ts';
import type { Log } from '#telemetry/log.ts';

export type PolicyPods = {
  /** Whether they are needed from now on. They are let go a while after that ended: a policy that is replaced costs no new list. */
  need(needed: boolean): void;
  /** They are needed, and not all of them are known yet. */
  isFilling(): boolean;
  /** Resolves when nothing is filling; rejects only when stopped before. */
  filled(): Promise<void>;
  stop(): void;
};

const lingerMs = 60_000;

/** `set` gets each pod with an address, by `namespace/name`. `onFilled` is told when `isFilling` turns false. */
export function followPolicyPods(
  client: Client,
  node: string,
  log: Log,
  set: (key: string, pod: PodModel | undefined) => void,
  onFilled: () => void,
): PolicyPods {
  let informer: Informer<PodModel> | undefined;
  let isNeeded = false;
  let lingering: NodeJS.Timeout | undefined;

  const start = (): Informer<PodModel> => {
    const started = startInformer<KubeObject, PodModel>(client, podType, {
      log,
      equal: (a, b) => JSON.stringify(a) === JSON.stringify(b),
      transform: (object) => peerOnly(readPod(object), node),
    });
    started.onChange(({ key, new: pod }) => set(key, pod));
    // Rejected only when it is stopped before.
    started.synced.then(onFilled, () => {});
    return started;
  };
  const release = (): void => {
    lingering = undefined;
    for (const { namespace, name } of informer?.list() ?? []) set(`${namespace}/${name}`, undefined);
    informer?.stop();
    informer = undefined;
  };

  const isFilling = (): boolean => isNeeded && informer?.hasSynced() !== true;

  return {
    need(needed) {
      if (needed === isNeeded) return;
      isNeeded = needed;
      clearTimeout(lingering);
      lingering = needed ? undefined : setTimeout(release, lingerMs).unref();
      if (needed) informer ??= start();
    },
    isFilling,
    async filled() {
      while (isFilling()) await informer?.synced;
    },
    stop() {
      clearTimeout(lingering);
      informer?.stop();
    },
  };
}

/** Who can be no peer stays out: a pod without an address of its own, and this node's, which are known by another watch already. */
function peerOnly(pod: PodModel, self: string): PodModel | undefined {
  if (isIdle(pod) || pod.addresses.length === 0 || pod.node === self) return undefined;
  const { statefulSet: _, ...rest } = pod;
  return { ...rest, annotations: {} };
}
