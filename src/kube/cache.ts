/** The objects of one kind as last heard, with indexes; no sockets, no clock. */
import type { KubeObject } from '#api/object.ts';

/** `old` alone: gone. `next` alone: new. Both: changed. A recreated object is two changes: gone, then new. */
export type Change<T> = { readonly key: string; readonly old?: T; readonly new?: T };

export type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

/** What the cache keeps of an object beside its value. */
export type Entry<T> = {
  readonly key: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly value: T;
};

export type Cache<T> = {
  get(key: string): T | undefined;
  entry(key: string): Entry<T> | undefined;
  values(): readonly T[];
  keys(): Iterable<string>;
  size(): number;
  byIndex(index: string, value: string): readonly T[];
  /** The changes that this entry makes: none when it is older than, or the same as, what is held. */
  put(entry: Entry<T>): readonly Change<T>[];
  /** None when the key is unknown, or what is held is younger than this deletion. */
  remove(key: string, uid: string, resourceVersion: string): readonly Change<T>[];
  /** A list of this version is about to be adopted: it alone is true, and no event up to it is news. */
  reset(resourceVersion: string): void;
  /** Puts what a list said, also when its version is lower (a server restored from a backup). */
  adopt(entry: Entry<T>): readonly Change<T>[];
  /** Takes out what a list no longer has. */
  discard(key: string): readonly Change<T>[];
};

/** `namespace/name`, or `name` when the object has no namespace. */
export function keyOf(namespace: string | undefined, name: string): string {
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

export function entryKey(object: KubeObject): string {
  return keyOf(object.metadata.namespace, object.metadata.name);
}

/** Whether version `a` is before `b`. Versions are increasing integers (KEP-5504); anything else has no order. */
export function isOlder(a: string, b: string): boolean {
  if (!decimal.test(a) || !decimal.test(b)) return false;
  return a.length === b.length ? a < b : a.length < b.length;
}

const decimal = /^(?:0|[1-9][0-9]*)$/;
/** Deletions remembered against late repeats of older events. */
const maxTombstones = 1024;

export function createCache<T>(
  indexers: Indexers<T>,
  equal: (a: T, b: T) => boolean = () => false,
  onIndexerError: (index: string, key: string, error: unknown) => void = () => {},
): Cache<T> {
  const entries = new Map<string, Entry<T>>();
  const indexes = new Map<string, Map<string, Set<string>>>();
  for (const index of Object.keys(indexers)) indexes.set(index, new Map());
  /** Version of the deletion by key, in the order in which they came. */
  const tombstones = new Map<string, string>();
  /** Events up to here are repeats, whatever they are about. */
  let floor = '0';

  const termsOf = (index: string, entry: Entry<T>): readonly string[] => {
    try {
      return indexers[index]?.(entry.value) ?? [];
    } catch (error) {
      onIndexerError(index, entry.key, error);
      return [];
    }
  };
  const unindex = (entry: Entry<T>): void => {
    for (const [index, terms] of indexes) {
      for (const term of termsOf(index, entry)) {
        const keys = terms.get(term);
        keys?.delete(entry.key);
        if (keys?.size === 0) terms.delete(term);
      }
    }
  };
  const index = (entry: Entry<T>): void => {
    for (const [name, terms] of indexes) {
      for (const term of termsOf(name, entry)) {
        const keys = terms.get(term);
        if (keys === undefined) terms.set(term, new Set([entry.key]));
        else keys.add(entry.key);
      }
    }
  };
  const isStale = (version: string): boolean => decimal.test(version) && !isOlder(floor, version);
  const drop = (entry: Entry<T>): Change<T> => {
    unindex(entry);
    entries.delete(entry.key);
    return { key: entry.key, old: entry.value };
  };
  const add = (entry: Entry<T>): Change<T> => {
    entries.set(entry.key, entry);
    index(entry);
    return { key: entry.key, new: entry.value };
  };
  const adopt = (entry: Entry<T>): readonly Change<T>[] => {
    const held = entries.get(entry.key);
    if (held === undefined) return [add(entry)];
    if (held.uid !== entry.uid) return [drop(held), add(entry)];
    if (held.resourceVersion === entry.resourceVersion && decimal.test(held.resourceVersion)) return [];
    if (equal(held.value, entry.value)) {
      entries.set(entry.key, { ...entry, value: held.value });
      return [];
    }
    unindex(held);
    add(entry);
    return [{ key: entry.key, old: held.value, new: entry.value }];
  };

  return {
    get: (key) => entries.get(key)?.value,
    entry: (key) => entries.get(key),
    values: () => Array.from(entries.values(), (entry) => entry.value),
    keys: () => entries.keys(),
    size: () => entries.size,
    byIndex(name, value) {
      const terms = indexes.get(name);
      if (terms === undefined) throw new Error(`no index ${JSON.stringify(name)}`);
      return Array.from(terms.get(value) ?? [], (key) => (entries.get(key) as Entry<T>).value);
    },
    put(entry) {
      if (isStale(entry.resourceVersion)) return [];
      const held = entries.get(entry.key);
      if (held !== undefined && isOlder(entry.resourceVersion, held.resourceVersion)) return [];
      const buried = tombstones.get(entry.key);
      // Nothing up to the deletion says anything about the key any more. (The same uid may come back: an object that
      // leaves a selector is reported as deleted, and added when it matches again.)
      if (buried !== undefined && !isOlder(buried, entry.resourceVersion) && decimal.test(buried)) return [];
      return adopt(entry);
    },
    remove(key, uid, resourceVersion) {
      if (isStale(resourceVersion)) return [];
      const held = entries.get(key);
      if (held !== undefined && isOlder(resourceVersion, held.resourceVersion)) return [];
      if (held !== undefined && held.uid !== uid && !isOlder(held.resourceVersion, resourceVersion))
        return [];
      const buried = tombstones.get(key);
      if (buried === undefined || isOlder(buried, resourceVersion)) {
        tombstones.delete(key);
        tombstones.set(key, resourceVersion);
        if (tombstones.size > maxTombstones) {
          const [oldest, version] = tombstones.entries().next().value as [string, string];
          tombstones.delete(oldest);
          if (isOlder(floor, version)) floor = version;
        }
      }
      return held === undefined ? [] : [drop(held)];
    },
    reset(resourceVersion) {
      tombstones.clear();
      floor = decimal.test(resourceVersion) ? resourceVersion : '0';
    },
    adopt,
    discard(key) {
      const held = entries.get(key);
      return held === undefined ? [] : [drop(held)];
    },
  };
}
