/** A work queue of keys: each key at most once waiting and once in work, with delays and growing retries. */
import { type Log, silentLog } from '#telemetry/log.ts';
import type { Registry } from '#telemetry/metrics.ts';
import { type BackoffOptions, backoffDelay } from './backoff.ts';
import { createQueueMetrics } from './queuemetrics.ts';

export type WorkQueueOptions = {
  /** Label of the queue's metrics. */
  readonly name?: string | undefined;
  readonly registry?: Registry | undefined;
  /** Of one key's failures in a row; default 5 ms … 300 s, halves at random. */
  readonly backoff?: BackoffOptions | undefined;
};

export type WorkQueue<K> = {
  /** Waits its turn; one already waiting is the same; one in work runs once more after `done`. */
  add(key: K): void;
  /** The earliest wins when a key is delayed more than once. `add` goes before any delay. */
  addAfter(key: K, milliseconds: number): void;
  /** Delayed by the key's failures, which this counts. */
  addRateLimited(key: K): void;
  /** Its failures count no more. */
  forget(key: K): void;
  failures(key: K): number;
  /** The next key, now in work until `done`; undefined after `stop`. */
  next(): Promise<K | undefined>;
  done(key: K): void;
  /** Keys waiting, without those delayed or in work. */
  length(): number;
  /** Nothing waits any more; keys in work may end. */
  stop(): void;
};

export function createWorkQueue<K>(options: WorkQueueOptions = {}): WorkQueue<K> {
  const backoff = { baseMilliseconds: 5, maxMilliseconds: 300_000, ...options.backoff };
  const waiting = new Set<K>();
  const working = new Set<K>();
  /** In work and asked for again. */
  const again = new Set<K>();
  const delayed = new Map<K, { readonly due: number; readonly timer: NodeJS.Timeout }>();
  const failed = new Map<K, number>();
  const idle: ((key: K | undefined) => void)[] = [];
  const metrics = createQueueMetrics<K>(options.registry, options.name, () => waiting.size);
  let stopped = false;

  const undelay = (key: K): void => {
    clearTimeout(delayed.get(key)?.timer);
    delayed.delete(key);
  };
  const start = (key: K): K => {
    waiting.delete(key);
    working.add(key);
    metrics.started(key);
    return key;
  };
  const add = (key: K): void => {
    if (stopped) return;
    undelay(key);
    if (working.has(key)) {
      if (!again.has(key)) metrics.added(key);
      again.add(key);
      return;
    }
    if (waiting.has(key)) return;
    waiting.add(key);
    metrics.added(key);
    const worker = idle.shift();
    if (worker !== undefined) worker(start(key));
  };
  const addAfter = (key: K, milliseconds: number): void => {
    if (stopped) return;
    if (!(milliseconds > 0)) {
      add(key);
      return;
    }
    if (waiting.has(key) || again.has(key)) return;
    const due = performance.now() + milliseconds;
    const held = delayed.get(key);
    if (held !== undefined && held.due <= due) return;
    undelay(key);
    // A timer holds 2^31 - 1 ms at most; a longer delay is asked for again when it fires.
    const timer = setTimeout(
      () => {
        delayed.delete(key);
        const left = due - performance.now();
        if (left > 1) addAfter(key, left);
        else add(key);
      },
      Math.min(milliseconds, 0x7fff_ffff),
    );
    delayed.set(key, { due, timer });
  };

  return {
    add,
    addAfter,
    addRateLimited(key) {
      const failures = failed.get(key) ?? 0;
      failed.set(key, failures + 1);
      metrics.retried();
      addAfter(key, backoffDelay(failures, backoff));
    },
    forget: (key) => void failed.delete(key),
    failures: (key) => failed.get(key) ?? 0,
    async next() {
      if (stopped) return undefined;
      const [key] = waiting;
      if (waiting.size > 0) return start(key as K);
      return new Promise((resolve) => idle.push(resolve));
    },
    done(key) {
      if (!working.delete(key)) return;
      metrics.finished(key);
      if (again.delete(key) && !stopped) {
        waiting.add(key);
        const worker = idle.shift();
        if (worker !== undefined) worker(start(key));
      }
    },
    length: () => waiting.size,
    stop() {
      stopped = true;
      waiting.clear();
      again.clear();
      for (const { timer } of delayed.values()) clearTimeout(timer);
      delayed.clear();
      for (const worker of idle.splice(0)) worker(undefined);
    },
  };
}

/** `requeueAfter`: milliseconds until the key is looked at again without a change. */
export type ReconcileResult = { readonly requeueAfter?: number | undefined } | undefined;

export type Workers = {
  /** Stops the queue, tells running reconciles by their signal, resolves when all have ended. */
  stop(): Promise<void>;
};

/**
 * Takes keys to `reconcile`, `concurrency` at a time, never one key twice at once. A reconcile that throws is logged
 * and tried again, ever later; one that returns starts anew with its failures.
 */
export function runWorkers<K>(
  queue: WorkQueue<K>,
  concurrency: number,
  // biome-ignore lint/suspicious/noConfusingVoidType: a reconcile without a wish returns nothing.
  reconcile: (key: K, signal: AbortSignal) => Promise<ReconcileResult | void>,
  { log = silentLog }: { readonly log?: Log | undefined } = {},
): Workers {
  const ending = new AbortController();
  const work = async (): Promise<void> => {
    for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
      try {
        const result = await reconcile(key, ending.signal);
        queue.forget(key);
        if (result?.requeueAfter !== undefined) queue.addAfter(key, result.requeueAfter);
      } catch (error) {
        if (!ending.signal.aborted) {
          log.warn('a reconcile failed and will be tried again', {
            key,
            failures: queue.failures(key) + 1,
            error,
          });
        }
        queue.addRateLimited(key);
      } finally {
        queue.done(key);
      }
    }
  };
  const workers = Array.from({ length: concurrency }, work);
  return {
    async stop() {
      queue.stop();
      ending.abort();
      await Promise.all(workers);
    },
  };
}
