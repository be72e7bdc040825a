/** A pod's volumes, kept as the objects that they come from. */

import type { Pod } from '../objects/pod.ts';
import { type NodeContext, namespaceObjects } from './context.ts';
import { createPodTokens } from './tokens.ts';
import { prepareInNode, releaseInNode, type VolumePlans, writeVolumes } from './volumefiles.ts';
import { volumePlan } from './volumes.ts';

/** Why a pod can't go on yet. `retryAfter` milliseconds; 0: only a change of an object or of the node can help. */
export type Blocked = { readonly reason: string; readonly message: string; readonly retryAfter: number };

export type PodVolumes = {
  plans(): VolumePlans;
  /** Makes and renews everything; undefined when all is there. A running pod goes on with the files that it has. */
  bring(pod: Pod, podIPs: readonly string[]): Promise<Blocked | undefined>;
  /** Milliseconds until a token must be renewed. */
  due(): number | undefined;
  release(pod: Pod): Promise<void>;
};

export function createPodVolumes({ host, kubelet }: NodeContext): PodVolumes {
  const tokens = createPodTokens(kubelet.client);
  let plans: VolumePlans = {};
  let prepared = false;
  const failed = (error: unknown): Blocked => ({
    reason: 'FailedMount',
    message: `MountVolume.SetUp failed: ${(error as Error).message}`,
    retryAfter: 2000,
  });
  return {
    plans: () => plans,
    due: () => tokens.due(),
    release: (pod) => releaseInNode(host, pod),
    async bring(pod, podIPs) {
      try {
        await tokens.refresh(pod);
      } catch (error) {
        return failed(error);
      }
      const sources = {
        pod,
        podIPs,
        hostIPs: host.addresses,
        ...namespaceObjects(kubelet, pod),
        token: (volume: string, path: string) => tokens.get(volume, path),
      };
      const next: Record<string, VolumePlans[string]> = {};
      for (const volume of pod.spec.volumes ?? []) {
        const plan = volumePlan(pod, volume, sources);
        if ('problem' in plan) {
          const message = `MountVolume.SetUp failed for volume "${volume.name}" : ${plan.problem}`;
          return prepared ? undefined : { reason: 'FailedMount', message, retryAfter: 0 };
        }
        next[volume.name] = plan.value;
      }
      plans = next;
      writeVolumes(host, pod, plans);
      if (prepared) return undefined;
      try {
        await prepareInNode(host, pod, plans);
      } catch (error) {
        return failed(error);
      }
      prepared = true;
      return undefined;
    },
  };
}
