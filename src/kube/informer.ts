/** A watch cache: the objects of a kind, always as the server last said, with indexes and change handlers. */
import { setImmediate } from 'node:timers/promises';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { type Log, silentLog } from '#telemetry/log.ts';
import { type Change, createCache, type Entry, entryKey, type Indexers, keyOf } from './cache.ts';
import type { Client } from './client.ts';
import { type ReflectorOptions, type ReflectorSink, reflect } from './reflector.ts';

export type { Change, Indexers } from './cache.ts';

export type InformerOptions<Raw extends KubeObject, T> = ReflectorOptions & {
  /**
   * What is kept of an object; undefined keeps it out. Default: all but managedFields. Keep only what is read:
   * this decides the memory of the process. The result is frozen.
   */
  readonly transform?: ((object: Raw) => T | undefined) | undefined;
  /** Changes whose kept value is equal are not told (a heartbeat in a field that the transform drops). */
  readonly equal?: ((a: T, b: T) => boolean) | undefined;
  readonly indexers?: Indexers<T> | undefined;
  /** Tells every object again, as unchanged (`old === new`), so often. Default never. */
  readonly resyncSeconds?: number | undefined;
  readonly log?: Log | undefined;
};

export type Informer<T> = {
  /** Resolves when the first list is in the cache and told to the handlers; rejects only when stopped before. */
  readonly synced: Promise<void>;
  hasSynced(): boolean;
  /** `namespace` is '' or undefined for kinds without one. */
  get(namespace: string | undefined, name: string): T | undefined;
  list(): readonly T[];
  byIndex(index: string, value: string): readonly T[];
  /** Every change up to this version was told to the handlers; undefined before the first list, and while the kind is not served. */
  position(): string | undefined;
  /**
   * Tells the handler what is cached already, as new, before it returns; then each change, in order.
   * Folded together, what a handler was told is always what the cache holds. Gives the function that ends it.
   */
  onChange(handler: (change: Change<T>) => void): () => void;
  stop(): void;
};

/** How long handlers may run on before the event loop gets a turn. */
const sliceMilliseconds = 8;

export function startInformer<Raw extends KubeObject, T = Raw>(
  client: Client,
  type: ResourceType,
  options: InformerOptions<Raw, T> = {},
): Informer<T> {
  const log = (options.log ?? silentLog).child({ kind: type.kind });
  const transform = options.transform ?? (withoutManagedFields as unknown as (object: Raw) => T);
  const stop = new AbortController();
  const handlers = new Set<(change: Change<T>) => void>();
  const { promise: synced, resolve, reject } = Promise.withResolvers<void>();
  synced.catch(() => {});
  let isSynced = false;
  const equal = (a: T, b: T): boolean => {
    try {
      return options.equal?.(a, b) ?? false;
    } catch (error) {
      log.error('a comparison failed', { error });
      return false;
    }
  };
  const cache = createCache<T>(options.indexers ?? {}, equal, (index, key, error) =>
    log.error('an indexer failed', { index, key, error }),
  );

  const tellOne = (handler: (change: Change<T>) => void, change: Change<T>): void => {
    try {
      handler(change);
    } catch (error) {
      log.error('a change handler failed', { key: change.key, error });
    }
  };
  const tell = (changes: readonly Change<T>[]): void => {
    if (changes.length === 0) return;
    // Who subscribes while this is told has seen its outcome already.
    const current = Array.from(handlers);
    for (const change of changes) {
      for (const handler of current) if (handlers.has(handler)) tellOne(handler, change);
    }
  };
  /** The object as it is kept; undefined: it stays out. A transform that throws keeps what was there. */
  const prepare = (object: KubeObject): Entry<T> | undefined => {
    const key = entryKey(object);
    try {
      const value = transform(object as Raw);
      if (value === undefined) return undefined;
      const { uid = '', resourceVersion = '' } = object.metadata;
      return { key, uid, resourceVersion, value: deepFreeze(value) };
    } catch (error) {
      log.error('a transform failed', { key, error });
      return cache.entry(key);
    }
  };

  let listed = new Map<string, Entry<T>>();
  let position: string | undefined;
  const inSlices = createSlices();
  const sink: ReflectorSink = {
    begin() {
      listed = new Map();
    },
    async page(items) {
      for (const object of items) {
        const entry = isObject(object) ? prepare(object) : undefined;
        if (entry !== undefined) listed.set(entry.key, entry);
        await inSlices();
      }
    },
    async commit(resourceVersion) {
      const wanted = listed;
      listed = new Map();
      cache.reset(resourceVersion);
      // Gone first: an address that passed from one object to another is never told as held by both.
      for (const key of cache.keys()) {
        if (!wanted.has(key)) tell(cache.discard(key));
        await inSlices();
      }
      for (const entry of wanted.values()) {
        tell(cache.adopt(entry));
        await inSlices();
      }
      if (!isSynced && !stop.signal.aborted) {
        isSynced = true;
        log.debug('synced', { objects: cache.size() });
        resolve();
      }
    },
    put(object) {
      if (!isObject(object)) return;
      const entry = prepare(object);
      tell(entry === undefined ? removal(object) : cache.put(entry));
    },
    remove(object) {
      if (isObject(object)) tell(removal(object));
    },
    reached(resourceVersion) {
      position = resourceVersion;
    },
    async absent() {
      position = undefined;
      listed = new Map();
      await sink.commit('0');
    },
    failed(step, error, retryMilliseconds) {
      const fields = { error, retryMilliseconds: Math.round(retryMilliseconds) };
      log.warn(step === 'list' ? 'a list failed' : 'a watch ended early', fields);
    },
  };
  const removal = (object: KubeObject): readonly Change<T>[] => {
    const { uid = '', resourceVersion = '' } = object.metadata;
    return cache.remove(entryKey(object), uid, resourceVersion);
  };

  const resync = async (): Promise<void> => {
    for (const key of cache.keys()) {
      const value = cache.get(key);
      if (value !== undefined) tell([{ key, old: value, new: value }]);
      await inSlices();
    }
  };
  const timer =
    options.resyncSeconds === undefined
      ? undefined
      : setInterval(() => void resync(), options.resyncSeconds * 1000);
  void reflect(client, type, options, sink, stop.signal);

  return {
    synced,
    hasSynced: () => isSynced,
    get: (namespace, name) => cache.get(keyOf(namespace, name)),
    list: () => cache.values(),
    byIndex: (index, value) => cache.byIndex(index, value),
    position: () => position,
    onChange(handler) {
      // A wrapper of its own: the same function given twice is two handlers.
      const own = (change: Change<T>): void => handler(change);
      for (const key of cache.keys()) tellOne(own, { key, new: cache.get(key) as T });
      handlers.add(own);
      return () => void handlers.delete(own);
    },
    stop() {
      clearInterval(timer);
      stop.abort();
      reject(new Error(`the ${type.kind} informer was stopped`));
    },
  };
}

/** An object as the API serves it, without the bookkeeping of server-side apply. */
export function withoutManagedFields<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** A function to call in a long loop: waits for one turn of the event loop whenever the time slice is used up. */
function createSlices(): () => void | Promise<void> {
  let turn = performance.now();
  return () => {
    if (performance.now() - turn < sliceMilliseconds) return;
    return setImmediate().then(() => {
      turn = performance.now();
    });
  };
}

function isObject(value: unknown): value is KubeObject {
  return typeof (value as KubeObject | undefined)?.metadata?.name === 'string';
}

function deepFreeze<V>(value: V): V {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const inner of Object.values(value)) deepFreeze(inner);
  return Object.freeze(value);
}
