/** Lists, then watches, for ever: tells a sink all that happens to a kind, through restarts, cuts, silence and expiry. */
import type { KubeObject, ResourceType } from '#api/object.ts';
import { type BackoffOptions, backoffDelay, sleep } from './backoff.ts';
import { isOlder } from './cache.ts';
import { ApiError, type Client, isGone, isNotFound } from './client.ts';

export type ReflectorOptions = {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Objects a page. Default 100: a page is garbage of ten times its size, and garbage is what a process is measured by. */
  readonly pageSize?: number | undefined;
  /** A connection without a byte for this long counts as dead. Default 120; servers send a bookmark every minute. */
  readonly silenceSeconds?: number | undefined;
  /** Between failures; default 0.1 … 30 s. */
  readonly backoff?: BackoffOptions | undefined;
  /**
   * The server may not serve the kind (nobody installed its CRD): then there are no objects, and it is looked for again, ever more
   * seldom. Of a kind that was served that is believed only when it has lasted: a server that starts may not know its kinds yet,
   * while objects of a kind that is taken away are deleted one by one before.
   */
  readonly mayBeAbsent?: boolean | undefined;
};

/** Calls come one after another. A list is `begin`, `page` …, then `commit`; a list that fails midway begins anew. */
export type ReflectorSink = {
  begin(): void;
  page(items: readonly KubeObject[]): void | Promise<void>;
  /** All pages were given: what they don't hold is gone. */
  commit(resourceVersion: string): Promise<void>;
  put(object: KubeObject): void;
  remove(object: KubeObject): void;
  /** Everything up to here was given. */
  reached(resourceVersion: string): void;
  /** The kind is not served, which counts as an empty list. */
  absent(): Promise<void>;
  /** A step failed and will be tried again. */
  failed(step: 'list' | 'watch', error: unknown, retryMilliseconds: number): void;
};

/** How long a kind that was served must be missing until its objects count as gone. */
const absenceMs = 30_000;
/** At most this long until a kind that isn't served is looked for again: one small answer a minute, whatever the cluster's size. */
const lookAgainMs = 60_000;
/** Once the server answers again, all that wait for it come back within this time, whatever is left of their delays. */
const recoverySpreadMs = 1_000;

/** Runs until the signal aborts; never rejects. */
export async function reflect(
  client: Client,
  type: ResourceType,
  options: ReflectorOptions,
  sink: ReflectorSink,
  signal: AbortSignal,
): Promise<void> {
  /** Every change up to here was given to the sink; undefined: nothing is known, list. */
  let position: string | undefined;
  let failures = 0;
  let wasServed = false;
  let missingSince: number | undefined;

  const watch = async (from: string): Promise<void> => {
    const { namespace, labelSelector, fieldSelector, silenceSeconds } = options;
    const opened = performance.now();
    const stream = client.watch(type, {
      namespace,
      labelSelector,
      fieldSelector,
      resourceVersion: from,
      silenceSeconds,
      // Spread, so that the agents of a cluster don't all come back in the same second.
      timeoutSeconds: Math.round(300 + Math.random() * 300),
      signal,
    });
    try {
      for await (const event of stream) {
        if (signal.aborted) return;
        if (event.type === 'ADDED' || event.type === 'MODIFIED') sink.put(event.object);
        else if (event.type === 'DELETED') sink.remove(event.object);
        const reached = event.object.metadata?.resourceVersion;
        if (reached === undefined) continue;
        // A repeated old event must not take the position back.
        if (position === undefined || !isOlder(reached, position)) position = reached;
        sink.reached(position);
        failures = 0;
      }
    } finally {
      if (performance.now() - opened > 10_000) failures = 0;
    }
  };

  while (!signal.aborted) {
    const step = position === undefined ? 'list' : 'watch';
    try {
      if (position === undefined) {
        position = await listAll(client, type, options, sink, signal);
        if (signal.aborted) return;
        sink.reached(position);
        wasServed = true;
        if (missingSince !== undefined) failures = 0;
        missingSince = undefined;
      }
      await watch(position);
      if (signal.aborted) return;
      // The server ended the watch: usual. A server that ends each at once is met by the growing delay.
      await sleep(backoffDelay(failures, options.backoff), signal);
      failures += 1;
    } catch (error) {
      if (signal.aborted) return;
      if (losesPosition(error)) position = undefined;
      if (step === 'list' && options.mayBeAbsent === true && isNotFound(error)) {
        missingSince ??= performance.now();
        if (!wasServed || performance.now() - missingSince > absenceMs) {
          wasServed = false;
          await sink.absent();
        }
        await sleep(backoffDelay(failures, { maxMilliseconds: lookAgainMs, ...options.backoff }), signal);
        failures += 1;
        continue;
      }
      const wait = Math.max(backoffDelay(failures, options.backoff), askedWait(error));
      failures += 1;
      sink.failed(step, error, wait);
      if (await sleepUntilRecovery(client, wait, signal)) failures = 0;
    }
  }
}

/**
 * The whole time, or until shortly after another call of this client finds that the server is there again; then true. A server that is
 * away for a minute must not leave one cache a half minute behind the others.
 */
async function sleepUntilRecovery(
  client: Client,
  milliseconds: number,
  signal: AbortSignal,
): Promise<boolean> {
  const over = new AbortController();
  const end = (): void => over.abort();
  const stop = client.onRecovery(end);
  signal.addEventListener('abort', end, { once: true });
  await sleep(milliseconds, over.signal);
  signal.removeEventListener('abort', end);
  stop();
  if (!over.signal.aborted || signal.aborted) return false;
  await sleep(Math.random() * recoverySpreadMs, signal);
  return true;
}

/** All pages of one consistent snapshot, and its version. A continue token that expires midway starts a list in one page. */
async function listAll(
  client: Client,
  type: ResourceType,
  { namespace, labelSelector, fieldSelector, pageSize = 100 }: ReflectorOptions,
  sink: ReflectorSink,
  signal: AbortSignal,
): Promise<string> {
  let limit: number | undefined = pageSize;
  let token: string | undefined;
  sink.begin();
  for (;;) {
    try {
      const page = await client.list(type, {
        namespace,
        labelSelector,
        fieldSelector,
        limit,
        continue: token,
        signal,
      });
      await sink.page(page.items);
      token = page.continue;
      if (token !== undefined) continue;
      await sink.commit(page.resourceVersion);
      return page.resourceVersion;
    } catch (error) {
      if (token === undefined || !isGone(error)) throw error;
      token = undefined;
      limit = undefined;
      sink.begin();
    }
  }
}

/** After these a watch can't go on from where it was: expired, the server is behind us (504), the position isn't understood, kind gone. */
function losesPosition(error: unknown): boolean {
  return isGone(error) || (error instanceof ApiError && [400, 404, 504].includes(error.code));
}

function askedWait(error: unknown): number {
  const seconds = error instanceof ApiError ? error.details.retryAfterSeconds : undefined;
  return Math.min(seconds ?? 0, 60) * 1000;
}
