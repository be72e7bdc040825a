/** What an informer's handler was told, folded and judged; for tests. */
import type { KubeObject } from '#api/object.ts';
import { isOlder } from '../cache.ts';
import type { Change, Informer } from '../informer.ts';

export type Witness = {
  /** What follows from the changes alone. */
  readonly folded: ReadonlyMap<string, KubeObject>;
  /** Everything that a handler must never be told, as sentences; empty when all is well. */
  readonly faults: readonly string[];
  readonly changes: readonly Change<KubeObject>[];
};

/** Subscribes. Each change must follow from the one before: no object out of nothing, none back in time, none mutable. */
export function bearWitness(informer: Informer<KubeObject>): Witness {
  const folded = new Map<string, KubeObject>();
  /** The newest version ever told of a key, also after it was gone. */
  const newest = new Map<string, string>();
  const faults: string[] = [];
  const changes: Change<KubeObject>[] = [];
  informer.onChange((change) => {
    changes.push(change);
    const { key } = change;
    const held = folded.get(key);
    if (change.old !== held) faults.push(`${key}: told an old value that was never told as new`);
    if (change.new === undefined) {
      if (change.old === undefined) faults.push(`${key}: a change of nothing`);
      folded.delete(key);
      return;
    }
    if (!Object.isFrozen(change.new) || !Object.isFrozen(change.new.metadata)) faults.push(`${key}: mutable`);
    const { uid, resourceVersion = '' } = change.new.metadata;
    if (held !== undefined && held.metadata.uid !== uid) faults.push(`${key}: another object, none gone`);
    const before = newest.get(key);
    if (before !== undefined && !isOlder(before, resourceVersion)) {
      faults.push(`${key}: back in time, ${resourceVersion} after ${before}`);
    }
    newest.set(key, resourceVersion);
    folded.set(key, change.new);
  });
  return { folded, faults, changes };
}

/** Objects as `key → uid and version`, to compare a cache, a fold and a server. */
export function versions(objects: Iterable<KubeObject>): Readonly<Record<string, string>> {
  const entries = Array.from(objects, ({ metadata }) => [
    `${metadata.namespace}/${metadata.name}`,
    `${metadata.uid} ${metadata.resourceVersion}`,
  ]);
  return Object.fromEntries(entries.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))) as Record<
    string,
    string
  >;
}

/** Looks again and again until it holds; throws with what was last seen when the deadline passes. */
export async function eventually(
  holds: () => boolean,
  { seconds = 20, describe = () => '' }: { readonly seconds?: number; readonly describe?: () => string } = {},
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${describe()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
