/** Keeps one pod of an instance at what it is to hold: one request at a time, changes that wait in between as one. */
import type { GatewayAnswer, GatewayChange } from '#intent/gateway.ts';
import { backoffDelay, sleep } from '#kube/backoff.ts';
import type { FeedClient } from '../../gateway/client.ts';
import { foldChanges } from './fold.ts';

export type PodFeedOptions = {
  readonly client: FeedClient;
  /** The whole as it is now. */
  readonly whole: () => GatewayChange;
  /** It holds and serves this. */
  readonly holds: (answer: GatewayAnswer) => void;
  /** What it holds is unknown from now on; `error` undefined: it said itself that it holds something else. */
  readonly lost: (error: unknown) => void;
  /** Of each request with a change, milliseconds since it was decided on. */
  readonly sent: (kind: 'whole' | 'delta', milliseconds: number) => void;
};

export type PodFeed = {
  /** A change on what was the whole before it. */
  push(change: GatewayChange): void;
  /** Generation that the pod is known to hold. */
  held(): number | undefined;
  /** It may have lost what it holds (a container was started again), or may be there at last. */
  look(): void;
  close(): void;
};

/** A pod that says nothing of itself is asked so often whether it still holds what it did. */
const askEveryMs = 15_000;
const backoff = { baseMilliseconds: 50, maxMilliseconds: 5_000 };

export function startPodFeed(options: PodFeedOptions): PodFeed {
  const { client } = options;
  let held: number | undefined;
  let isSending = false;
  let pending: { change: GatewayChange; since: number } | undefined;
  let failures = 0;
  let isDoubtful = false;
  let isClosed = false;
  let rouse = (): void => {};

  /** Until something is to be done, or the time is over. */
  const rest = async (milliseconds: number): Promise<void> => {
    const waking = new AbortController();
    rouse = () => waking.abort();
    await sleep(milliseconds, waking.signal);
    rouse = () => {};
  };
  const forget = (error: unknown): void => {
    held = undefined;
    pending = undefined;
    options.lost(error);
  };
  const send = async (change: GatewayChange, since: number): Promise<void> => {
    isSending = true;
    try {
      const outcome = await client.change(change);
      if ('refused' in outcome) {
        // A whole follows anything; who refuses it is met by the growing delay.
        if (change.replace) throw new Error(outcome.refused.error);
        forget(undefined);
        return;
      }
      held = outcome.answer.generation;
      failures = 0;
      options.sent(change.replace ? 'whole' : 'delta', performance.now() - since);
      options.holds(outcome.answer);
    } finally {
      isSending = false;
    }
  };
  const ask = async (): Promise<void> => {
    isDoubtful = false;
    const status = await client.status();
    if (status.generation !== held && !isClosed) forget(undefined);
    else if (!isClosed) options.holds(status);
  };
  const step = async (): Promise<void> => {
    if (held === undefined) {
      pending = undefined;
      // A pod that can't be reached for an hour costs a question each time, not the whole in text.
      if (failures > 0) await client.status();
      if (!isClosed) await send(options.whole(), performance.now());
    } else if (pending !== undefined) {
      const { change, since } = pending;
      pending = undefined;
      await send(change, since);
    } else if (isDoubtful) await ask();
    else {
      const before = performance.now();
      await rest(askEveryMs);
      if (performance.now() - before >= askEveryMs) isDoubtful = true;
    }
  };
  const run = async (): Promise<void> => {
    while (!isClosed) {
      try {
        await step();
      } catch (error) {
        if (isClosed) return;
        forget(error);
        await rest(backoffDelay(failures, backoff));
        failures += 1;
      }
    }
  };
  void run();

  return {
    push(change) {
      // What is sent next is the whole, and has it in it.
      if (held === undefined && !isSending) return;
      pending =
        pending === undefined
          ? { change, since: performance.now() }
          : { ...pending, change: foldChanges(pending.change, change) };
      if (!isSending) rouse();
    },
    held: () => held,
    look() {
      failures = 0;
      isDoubtful = true;
      rouse();
    },
    close() {
      isClosed = true;
      rouse();
      client.close();
    },
  };
}
