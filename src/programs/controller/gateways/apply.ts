/** Brings one object of an instance to what is wished of it, and takes over none that is somebody else's. */
import type { KubeObject } from '#api/object.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { covers } from './covers.ts';
import type { InstanceObject } from './instance-objects.ts';

export type Applied =
  | { readonly outcome: 'same' | 'written'; readonly object: KubeObject }
  /** There is one of that name that the Gateway does not own. */
  | { readonly outcome: 'foreign' };

export const fieldManager = 'netloom-gateway';

/** `cached`: as last heard; undefined: not heard of. Throws what the server refused. */
export async function applyInstanceObject(
  client: Client,
  { type, object }: InstanceObject,
  cached: KubeObject | undefined,
  signal: AbortSignal,
): Promise<Applied> {
  const held = cached ?? (await find(client, type, object, signal));
  if (held !== undefined && !ownedBy(held, ownerOf(object))) return { outcome: 'foreign' };
  if (held !== undefined && covers(held, object)) return { outcome: 'same', object: held };
  const { name, namespace } = object.metadata;
  const { uid } = held?.metadata ?? {};
  // With the uid of the one that was looked at: one that took its place meanwhile is a conflict.
  const body = uid === undefined ? object : { ...object, metadata: { ...object.metadata, uid } };
  try {
    const written = await client.patch<KubeObject>(
      type,
      { name, namespace },
      // One that somebody made just now has fields of theirs, which are not taken.
      { kind: 'apply', body, fieldManager, force: held !== undefined },
      { signal },
    );
    return { outcome: 'written', object: written };
  } catch (error) {
    if (cached === undefined || !isConflict(error)) throw error;
    return applyInstanceObject(client, { type, object }, undefined, signal);
  }
}

/** By uid: a Gateway that was deleted and made again owns nothing yet. */
export function ownedBy({ metadata }: KubeObject, uid: string | undefined): boolean {
  return metadata.ownerReferences?.some((owner) => owner.controller === true && owner.uid === uid) === true;
}

function ownerOf({ metadata }: KubeObject): string | undefined {
  return metadata.ownerReferences?.[0]?.uid;
}

async function find(
  client: Client,
  type: InstanceObject['type'],
  { metadata: { name, namespace } }: KubeObject,
  signal: AbortSignal,
): Promise<KubeObject | undefined> {
  try {
    return await client.get(type, name, namespace, { signal });
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
