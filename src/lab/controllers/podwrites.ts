/** Makes and deletes pods for their owners; the cache shows it before the next decision is made. */
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { isAlreadyExists, isNotFound } from '#kube/client.ts';
import type { Pod } from '../objects/pod.ts';
import { type ControllerContext, eventFor, untilSeen } from './controller.ts';
import type { Informers } from './informers.ts';
import { isTerminating } from './pods.ts';

/** Throws what the server refused, after an event about it on the owner. */
export async function createPod(
  context: ControllerContext,
  { pods }: Informers,
  owner: KubeObject,
  pod: Pod,
): Promise<void> {
  try {
    const { namespace, name, uid, resourceVersion } = (await context.client.create(podType, pod)).metadata;
    await untilSeen(pods, () => pods.get(namespace, name)?.metadata.uid === uid, resourceVersion);
  } catch (error) {
    const note =
      isAlreadyExists(error) && pod.metadata.name !== ''
        ? `pod ${pod.metadata.name} exists and belongs to another owner`
        : `Error creating: ${(error as Error).message}`;
    eventFor(context, owner, 'Warning', 'FailedCreate', note);
    throw error;
  }
}

/** Deletes a pod as a user would, and waits until the cache shows it. */
export async function removePod({ client }: ControllerContext, { pods }: Informers, pod: Pod): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  try {
    await client.delete(podType, name, { namespace, uid });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  await untilSeen(pods, () => {
    const now = pods.get(namespace, name);
    return now === undefined || now.metadata.uid !== uid || isTerminating(now);
  });
}
