/**
 * Which Services the allocating process may be writing to at this moment, in a Lease that only one process at a time can write.
 * This, and not the election, is why no two of them give one address to two Services: see the README.
 */
import { leaseType, serviceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { isOlder } from '#kube/cache.ts';
import { type Client, isAlreadyExists, isConflict, isNotFound } from '#kube/client.ts';
import { microTimestamp } from '#kube/conditions.ts';
import { systemNamespace } from '../../node-lease.ts';

export const journalName = 'netloom-load-balancers';
const writingAnnotation = 'netloom.dev/writing';
/** On a Service that a process which is gone may have been writing to: by this its write comes too late. */
export const passedOverAnnotation = 'netloom.dev/allocation-passed-over';

/** Another process allocates now; nothing may be written any more that was decided before. */
export class Superseded extends Error {}

/** `namespace/name` and the version that is about to be replaced. */
export type Writing = ReadonlyMap<string, string>;

export type Journal = {
  /** Says what is written next, beside what may still be under way. Throws Superseded. */
  begin(writing: Writing): Promise<void>;
  /** The outcome of a write is known; with the version that it made, if it succeeded. */
  ended(key: string, resourceVersion?: string): void;
};

type Entries = { readonly position: string; readonly writing: readonly (readonly [string, string])[] };

export type Takeover = {
  readonly journal: Journal;
  /** Of the caches of Services: before this version is told to them, nothing may be decided. */
  readonly position: string;
};

/**
 * From its return on, no earlier process can begin to write. What it may have begun is either done, and no younger than `position`, or
 * can't succeed any more. `versionOf`: of a Service as the cache has it.
 */
export async function takeOver(
  client: Client,
  identity: string,
  versionOf: (key: string) => string | undefined,
  signal: AbortSignal,
): Promise<Takeover> {
  let lease = await firstLease(client, identity, signal);
  const before = entriesOf(lease);
  let position = before.position;
  const reached = (version: string): void => {
    if (position === '' || isOlder(position, version)) position = version;
  };
  const open = new Map(before.writing);
  const write = async (writing: Writing): Promise<void> => {
    const text = JSON.stringify({ position, writing: [...writing] } satisfies Entries);
    const annotations = { ...lease.metadata.annotations, [writingAnnotation]: text };
    const spec = {
      ...(lease['spec'] as object),
      holderIdentity: identity,
      renewTime: microTimestamp(new Date()),
    };
    try {
      lease = await client.update(
        leaseType,
        { ...lease, metadata: { ...lease.metadata, annotations }, spec },
        { signal },
      );
    } catch (error) {
      if (isConflict(error) || isNotFound(error))
        throw new Superseded('another process allocates addresses', { cause: error });
      throw error;
    }
  };
  await write(open);
  for (const [key, version] of open) {
    const seen = versionOf(key);
    if (seen === undefined || !isOlder(version, seen)) {
      const now = await passOver(client, key, version, identity, signal);
      if (now !== undefined) reached(now);
    }
    open.delete(key);
  }
  return {
    position,
    journal: {
      async begin(writing) {
        for (const [key, version] of open) {
          const seen = versionOf(key);
          if (seen !== undefined && !isOlder(version, seen)) continue;
          if (seen !== undefined) reached(seen);
          open.delete(key);
        }
        for (const [key, version] of writing) open.set(key, version);
        await write(open);
      },
      ended(key, resourceVersion) {
        open.delete(key);
        if (resourceVersion !== undefined) reached(resourceVersion);
      },
    },
  };
}

/** Makes a write that replaces `version` impossible. Gives the Service's version; undefined when it is gone. */
async function passOver(
  client: Client,
  key: string,
  version: string,
  identity: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const [namespace = '', name = ''] = key.split('/');
  const annotations = { [passedOverAnnotation]: `${identity} ${microTimestamp(new Date())}` };
  const body = { metadata: { resourceVersion: version, annotations } };
  try {
    const after = await client.patch<KubeObject>(
      serviceType,
      { name, namespace },
      { kind: 'merge', body },
      { signal },
    );
    return after.metadata.resourceVersion;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    if (!isConflict(error)) throw error;
  }
  try {
    return (await client.get<KubeObject>(serviceType, name, namespace, { signal })).metadata.resourceVersion;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function firstLease(client: Client, identity: string, signal: AbortSignal): Promise<KubeObject> {
  const read = () => client.get<KubeObject>(leaseType, journalName, systemNamespace, { signal });
  try {
    return await read();
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  const lease: KubeObject = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: journalName, namespace: systemNamespace },
    spec: { holderIdentity: identity },
  };
  try {
    return await client.create<KubeObject>(leaseType, lease, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return read();
  }
}

/** A journal that nobody can read says nothing: it was written by hand. */
function entriesOf(lease: KubeObject): Entries {
  try {
    const { position, writing } = JSON.parse(
      lease.metadata.annotations?.[writingAnnotation] ?? '{}',
    ) as Partial<Entries>;
    const pairs = Array.isArray(writing) ? writing : [];
    const isPair = (each: unknown): each is readonly [string, string] =>
      Array.isArray(each) && each.every((part) => typeof part === 'string');
    return { position: typeof position === 'string' ? position : '', writing: pairs.filter(isPair) };
  } catch {
    return { position: '', writing: [] };
  }
}
