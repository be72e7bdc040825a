/** The frame of every small controller: keys from informers, one at a time to a reconcile, retried ever later. */
import type { KubeObject } from '#api/object.ts';
import { isOlder } from '#kube/cache.ts';
import type { Client } from '#kube/client.ts';
import { createRecorder, type Recorder } from '#kube/events.ts';
import type { Informer } from '#kube/informer.ts';
import { createWorkQueue, type ReconcileResult, runWorkers, type WorkQueue } from '#kube/workqueue.ts';
import type { Log } from '#telemetry/log.ts';

export type ControllerContext = { readonly client: Client; readonly log: Log; readonly recorder: Recorder };

export type Controller = { stop(): Promise<void> };

/** Which keys a change of an object asks for. */
export type Source<T> = {
  readonly informer: Informer<T>;
  readonly keys: (object: T) => readonly string[];
};

export type ControllerOptions = {
  readonly name: string;
  // biome-ignore lint/suspicious/noExplicitAny: sources of different kinds stand in one list.
  readonly sources: readonly Source<any>[];
  // biome-ignore lint/suspicious/noConfusingVoidType: a reconcile without a wish returns nothing.
  readonly reconcile: (key: string) => Promise<ReconcileResult | void>;
  /** Default 4. */
  readonly concurrency?: number;
};

/** Starts once every source has synced: before that, what is missing can't be told from what is not there. */
export function startController(
  context: Pick<ControllerContext, 'log'>,
  options: ControllerOptions,
): Controller {
  const log = context.log.child({ controller: options.name });
  const queue: WorkQueue<string> = createWorkQueue({
    backoff: { baseMilliseconds: 20, maxMilliseconds: 30_000 },
  });
  const stops: (() => void)[] = [];
  let stopped = false;
  const begin = async (): Promise<(() => Promise<void>) | undefined> => {
    await Promise.all(options.sources.map(({ informer }) => informer.synced));
    if (stopped) return undefined;
    for (const { informer, keys } of options.sources) {
      const stop = informer.onChange((change) => {
        const asked = [change.old, change.new].flatMap((object) =>
          object === undefined ? [] : keys(object),
        );
        for (const key of new Set(asked)) queue.add(key);
      });
      stops.push(stop);
    }
    const workers = runWorkers(queue, options.concurrency ?? 4, options.reconcile, { log });
    return () => workers.stop();
  };
  const running = begin().catch(() => undefined);
  return {
    async stop() {
      stopped = true;
      for (const stop of stops) stop();
      queue.stop();
      await (await running)?.();
    },
  };
}

export function createContext(client: Client, log: Log): ControllerContext {
  return {
    client,
    log,
    recorder: createRecorder(client, { controller: 'lab-controllers', instance: 'lab', log }),
  };
}

export function eventFor(
  { recorder }: ControllerContext,
  object: KubeObject,
  type: 'Normal' | 'Warning',
  reason: string,
  note: string,
): void {
  const { name, namespace, uid } = object.metadata;
  const { kind, apiVersion } = object;
  recorder.event({
    regarding: { kind, apiVersion, name, namespace, uid },
    type,
    reason,
    action: reason,
    note,
  });
}

/**
 * Waits until the cache shows what was just written, so that the next decision isn't made on what was before it; `version`: of the
 * write. A cache that is past it showed it, whatever became of the object since. Gives up after five seconds: the watch will tell.
 */
export async function untilSeen<T>(
  informer: Pick<Informer<T>, 'position' | 'onChange'>,
  seen: () => boolean,
  version?: string,
): Promise<void> {
  if (seen() || isPast(informer.position(), version)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, 5000);
  const stop = informer.onChange(() => {
    if (seen()) resolve();
  });
  await promise;
  stop();
  clearTimeout(timer);
}

function isPast(position: string | undefined, version: string | undefined): boolean {
  return position !== undefined && version !== undefined && !isOlder(position, version);
}

export function keyOfObject({ metadata }: KubeObject): string {
  return metadata.namespace === undefined ? metadata.name : `${metadata.namespace}/${metadata.name}`;
}

export function splitKey(key: string): readonly [namespace: string, name: string] {
  const at = key.indexOf('/');
  return at < 0 ? ['', key] : [key.slice(0, at), key.slice(at + 1)];
}
