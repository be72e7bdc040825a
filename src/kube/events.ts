/** Records events (events.k8s.io/v1): repeats become a series, floods are cut, and nothing here ever throws. */
import { randomBytes } from 'node:crypto';
import { apiVersionOf, type KubeObject, type ResourceType } from '#api/object.ts';
import { type Log, silentLog } from '#telemetry/log.ts';
import { createTokenBucket, type TokenBucket } from './backoff.ts';
import { type Client, isNotFound } from './client.ts';
import { cut, microTimestamp } from './conditions.ts';

export const eventType: ResourceType = {
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
};

export type Regarding = {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly apiVersion?: string | undefined;
  /** Without it `kubectl describe` does not show the event. */
  readonly uid?: string | undefined;
};

export type EventInput = {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, short, unique: `AddressPoolExhausted`. */
  readonly reason: string;
  /** What was being done: `Reconcile`. */
  readonly action: string;
  readonly note: string;
};

export type RecorderOptions = {
  /** Who reports: `netloom.dev/controller`. */
  readonly controller: string;
  /** Which instance of it: the pod or node name. */
  readonly instance: string;
  /** Repeats of one event are written at most this often. Default 10. */
  readonly seriesSeconds?: number | undefined;
  readonly log?: Log | undefined;
};

export type Recorder = {
  /** Returns at once; the event is written behind the caller's back, or dropped when there are too many. */
  event(input: EventInput): void;
  /** Resolves when everything recorded so far is written or given up, the repeats of a series included. */
  flush(): Promise<void>;
  /** Flushes, and records no more. */
  stop(): Promise<void>;
  dropped(): number;
};

type Series = {
  readonly body: KubeObject;
  /** Repeats since the event was made, and how many of them are written. */
  count: number;
  written: number;
  lastSeen: Date;
  timer: NodeJS.Timeout | undefined;
};

/** A series without a repeat for so long is over: the next one is a new event. */
const seriesEndMilliseconds = 6 * 60_000;
const maxSeries = 1000;
const maxQueue = 1000;

export function createRecorder(client: Client, options: RecorderOptions): Recorder {
  const { seriesSeconds = 10, log = silentLog } = options;
  const series = new Map<string, Series>();
  const objects = new Map<string, TokenBucket>();
  const all = createTokenBucket(10, 100);
  const queue: (() => Promise<void>)[] = [];
  let running: Promise<void> | undefined;
  let stopped = false;
  let dropped = 0;

  const enqueue = (write: () => Promise<void>): void => {
    if (queue.length >= maxQueue) {
      dropped += 1;
      return;
    }
    queue.push(write);
    running ??= drain();
  };
  const drain = async (): Promise<void> => {
    for (let write = queue.shift(); write !== undefined; write = queue.shift()) {
      try {
        await write();
      } catch (error) {
        dropped += 1;
        log.warn('an event could not be written', { error });
      }
    }
    running = undefined;
  };
  const writeSeries = (one: Series): void => {
    clearTimeout(one.timer);
    one.timer = undefined;
    if (one.count === one.written) return;
    enqueue(async () => {
      const { count, lastSeen } = one;
      const { name, namespace } = one.body.metadata;
      // The first event counts as well (client-go: a series starts with two).
      const body = { series: { count: count + 1, lastObservedTime: microTimestamp(lastSeen) } };
      try {
        await client.patch(eventType, { name, namespace }, { kind: 'merge', body }, { timeoutSeconds: 10 });
      } catch (error) {
        // Events expire on the server: then it is made anew.
        if (!isNotFound(error)) throw error;
        await client.create(eventType, { ...one.body, ...body }, { timeoutSeconds: 10 });
      }
      one.written = count;
    });
  };
  /** An object that reports without end is heard 25 times, then once in a while. */
  const mayCreate = (regarding: Regarding): boolean => {
    const key = JSON.stringify([regarding.kind, regarding.namespace, regarding.name, regarding.uid]);
    const bucket = objects.get(key) ?? createTokenBucket(1 / 60, 25);
    objects.delete(key);
    objects.set(key, bucket);
    if (objects.size > maxSeries) objects.delete(objects.keys().next().value as string);
    return bucket.tryTake() && all.tryTake();
  };
  const record = (input: EventInput): void => {
    const now = new Date();
    const { regarding, type, reason, action } = input;
    const key = JSON.stringify([regarding, type, reason, action, input.note]);
    const held = series.get(key);
    if (held !== undefined && now.getTime() - held.lastSeen.getTime() < seriesEndMilliseconds) {
      held.count += 1;
      held.lastSeen = now;
      held.timer ??= setTimeout(() => writeSeries(held), seriesSeconds * 1000).unref();
      return;
    }
    if (!mayCreate(regarding)) {
      dropped += 1;
      return;
    }
    const body = eventBody(input, options, now);
    series.delete(key);
    series.set(key, { body, count: 0, written: 0, lastSeen: now, timer: undefined });
    if (series.size > maxSeries) {
      const [oldest, one] = series.entries().next().value as [string, Series];
      writeSeries(one);
      series.delete(oldest);
    }
    enqueue(async () => void (await client.create(eventType, body, { timeoutSeconds: 10 })));
  };
  const flush = async (): Promise<void> => {
    for (const one of series.values()) writeSeries(one);
    await running;
  };

  return {
    event(input) {
      if (stopped) return;
      try {
        record(input);
      } catch (error) {
        dropped += 1;
        log.warn('an event could not be recorded', { reason: input.reason, error });
      }
    },
    flush,
    async stop() {
      stopped = true;
      await flush();
      for (const one of series.values()) clearTimeout(one.timer);
    },
    dropped: () => dropped,
  };
}

/** Limits are those of the server's validation: note 1024 bytes, the rest 128. */
function eventBody(input: EventInput, options: RecorderOptions, now: Date): KubeObject {
  const { apiVersion, kind, name, namespace, uid } = input.regarding;
  return {
    apiVersion: apiVersionOf(eventType),
    kind: 'Event',
    metadata: {
      // A DNS subdomain of at most 253 characters that no other reporter can hit.
      name: `${name.slice(0, 200).replace(/[^a-z0-9]+$/, '')}.${randomBytes(8).toString('hex')}`,
      namespace: namespace || 'default',
    },
    eventTime: microTimestamp(now),
    regarding: { apiVersion, kind, name, namespace, uid },
    type: input.type,
    reason: cut(input.reason, 128),
    action: cut(input.action, 128),
    note: cutBytes(input.note, 1024),
    reportingController: options.controller,
    reportingInstance: cut(options.instance, 128),
  };
}

/** At most so many bytes of UTF-8, never half a character. */
function cutBytes(text: string, bytes: number): string {
  const whole = Buffer.from(text);
  if (whole.length <= bytes) return text;
  return `${whole.toString('utf8', 0, bytes - 3).replace(/\ufffd+$/, '')}…`;
}
