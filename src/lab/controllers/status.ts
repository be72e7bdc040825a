/** Writing an object's status only where it changed. */
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { isNotFound } from '#kube/client.ts';
import { timestamp } from '#kube/conditions.ts';
import type { PodCondition } from '../objects/pod.ts';
import type { ControllerContext } from './controller.ts';

/** Fields of `status` that are undefined are taken away. An object that is gone is no error. */
export async function writeStatus(
  { client }: ControllerContext,
  type: ResourceType,
  object: KubeObject,
  status: Readonly<Record<string, unknown>>,
): Promise<void> {
  const before = (object.status ?? {}) as Readonly<Record<string, unknown>>;
  const changed = Object.entries(status).filter(([field, value]) => !isDeepStrictEqual(before[field], value));
  if (changed.length === 0) return;
  const body = {
    metadata: { uid: object.metadata.uid },
    status: Object.fromEntries(changed.map(([field, value]) => [field, value ?? null])),
  };
  const { name, namespace } = object.metadata;
  try {
    await client.patch(type, { name, namespace, subresource: 'status' }, { kind: 'merge', body });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** The old conditions with these put in; times change only with the status. */
export function withConditions(
  before: readonly PodCondition[],
  next: readonly PodCondition[],
  now: Date,
): readonly PodCondition[] {
  const kept = before.filter(({ type }) => !next.some((condition) => condition.type === type));
  const put = next.map((condition) => {
    const old = before.find(({ type }) => type === condition.type);
    const since = old?.status === condition.status ? old.lastTransitionTime : undefined;
    return { ...condition, lastTransitionTime: since ?? timestamp(now) };
  });
  return [...put, ...kept];
}
