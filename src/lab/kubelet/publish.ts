/** Writing a pod's status to the server, only where it changed. */
import { isDeepStrictEqual } from 'node:util';
import { podType } from '#api/core.ts';
import type { Client } from '#kube/client.ts';
import { isConflict, isNotFound } from '#kube/client.ts';
import type { Pod, PodStatus } from '../objects/pod.ts';
import { type PodObservation, podStatus } from './status.ts';

export type Publisher = { publish(pod: Pod, seen: PodObservation): Promise<void> };

export function createPublisher(client: Client): Publisher {
  /** What we wrote last: the cache may be behind it. */
  let published: PodStatus | undefined;
  return {
    async publish(pod, seen) {
      // Another may have said of the pod that it isn't ready (its node was lost); we know better.
      const disputed = readyOf(published) !== readyOf(pod.status);
      const before = (disputed ? undefined : published) ?? pod.status ?? {};
      const own = new Set((published?.conditions ?? []).map(({ type }) => type));
      const foreign = (pod.status?.conditions ?? []).filter(({ type }) => !own.has(type));
      const conditions = [...(published?.conditions ?? []), ...foreign];
      const status = podStatus({ ...pod, status: { ...pod.status, conditions } }, seen);
      if (isDeepStrictEqual(status, before)) return;
      // A merge patch takes a field away by null.
      const removed = Object.keys(before).filter((key) => !(key in status));
      const body = {
        metadata: { uid: pod.metadata.uid },
        status: { ...Object.fromEntries(removed.map((key) => [key, null])), ...status },
      };
      const { namespace, name } = pod.metadata;
      try {
        await client.patch(podType, { name, namespace, subresource: 'status' }, { kind: 'merge', body });
        published = status;
      } catch (error) {
        // Gone, or another pod of that name by now.
        if (!isNotFound(error) && !isConflict(error)) throw error;
      }
    },
  };
}

function readyOf(status: PodStatus | undefined): string | undefined {
  return (status?.conditions ?? []).find(({ type }) => type === 'Ready')?.status;
}
