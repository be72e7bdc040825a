/** Hands intents to the datapath: in order, one at a time, as small as they can be. */
import type { DatapathStatus, IntentAnswer } from '#intent/handover.ts';
import { type Domain, emptyIntent, type IntentChange, type NodeIntent } from '#intent/node.ts';
import { sleep } from '#kube/backoff.ts';
import type { Log } from '#telemetry/log.ts';
import { createThinned } from '#telemetry/thinned.ts';
import type { DatapathClient } from './datapath-client.ts';

/** Entries to put and keys to remove, by domain. */
export type Delta = {
  readonly put: { readonly [D in Domain]?: NodeIntent[D] };
  readonly remove: { readonly [D in Domain]?: readonly string[] };
};

export type Handover = {
  /** Takes a change in; it goes out with the next message. */
  change(delta: Delta): void;
  /** From now on messages go out. Until then changes only gather, so that the first message is complete. */
  open(): void;
  /**
   * The generation of the message that carried the last change of a domain; a datapath that says so has them all. Undefined while
   * some of it is not sent.
   */
  sent(domain: Domain): number | undefined;
  /** A datapath that holds this generation of ours, or a later one, holds every change that was made up to now. */
  carriedBy(): number;
  /** Told after each message that the datapath took. */
  onAnswer(handler: (answer: IntentAnswer) => void): void;
  /** Told the datapath's status whenever it changes. */
  onStatus(handler: (status: DatapathStatus) => void): void;
  close(): void;
};

/** Between two tries while the datapath is away: doubled up to the second. */
const retry = { firstMs: 200, lastMs: 1_000 } as const;
const lineEveryMs = 10_000;
/** No signal tells when an address of its own claim has rested, and somebody may wait for it. */
const restingPollSeconds = 2;

/**
 * Holds the whole intent and what of it is not sent yet. A datapath that restarted, refused a delta or was out of
 * reach gets the whole, so nothing depends on what an earlier message did.
 */
export function startHandover(client: DatapathClient, log: Log): Handover {
  const whole = new Map<Domain, Map<string, unknown>>();
  let pending = new Map<Domain, Map<string, unknown>>();
  const sentIn = new Map<Domain, number>();
  let generation = 0;
  let instance: string | undefined;
  let sendWhole = true;
  let isOpen = false;
  let closed = false;
  let sending = false;
  let isDue = false;
  const answerHandlers: ((answer: IntentAnswer) => void)[] = [];
  const statusHandlers: ((status: DatapathStatus) => void)[] = [];
  const refusals = createThinned(lineEveryMs);
  const closing = new AbortController();

  const send = async (): Promise<void> => {
    if (sending || !isOpen || closed) return;
    sending = true;
    let wait: number = retry.firstMs;
    while (!closed && (sendWhole || pending.size > 0)) {
      const message = sendWhole ? wholeChange(whole, ++generation) : deltaChange(pending, ++generation);
      for (const domain of sendWhole ? domains : pending.keys()) sentIn.set(domain, generation);
      pending = new Map();
      sendWhole = false;
      try {
        const result = await client.send(message);
        wait = retry.firstMs;
        refusals.over((tries) => log.info('the datapath takes the intent again', { tries }));
        if ('answer' in result) for (const handler of answerHandlers) handler(result.answer);
        else {
          log.info('the datapath asks for the whole intent', { reason: result.refused.error });
          generation = Math.max(generation, result.refused.generation);
          sendWhole = true;
        }
      } catch (error) {
        sendWhole = true;
        if (closed) break;
        refusals.happened((tries) => log.warn('the datapath does not take the intent', { error, tries }));
        await sleep(wait, closing.signal);
        wait = Math.min(2 * wait, retry.lastMs);
      }
    }
    sending = false;
  };

  const follow = async (): Promise<void> => {
    let revision: number | undefined;
    let resting = false;
    let wait: number = retry.firstMs;
    while (!closed) {
      try {
        const seconds = resting ? restingPollSeconds : undefined;
        const status = await client.status(revision, seconds, generation);
        resting = status.strays.length > status.held.length;
        revision = status.revision;
        wait = retry.firstMs;
        if (instance !== undefined && instance !== status.instance) sendWhole = true;
        instance = status.instance;
        void send();
        for (const handler of statusHandlers) handler(status);
      } catch (error) {
        if (closed) return;
        revision = undefined;
        log.debug('no status from the datapath', { error });
        await sleep(wait, closing.signal);
        wait = Math.min(2 * wait, retry.lastMs);
      }
    }
  };
  void follow();

  return {
    change(delta) {
      for (const domain of domains) {
        for (const key of delta.remove[domain] ?? []) {
          inner(whole, domain).delete(key);
          inner(pending, domain).set(key, undefined);
        }
        for (const [key, entry] of Object.entries(delta.put[domain] ?? {})) {
          inner(whole, domain).set(key, entry);
          inner(pending, domain).set(key, entry);
        }
      }
      // What is told in one go is one message: a second one would wait until every engine holds the first.
      if (isDue) return;
      isDue = true;
      queueMicrotask(() => {
        isDue = false;
        void send();
      });
    },
    open() {
      isOpen = true;
      void send();
    },
    sent: (domain) =>
      sendWhole || (pending.get(domain)?.size ?? 0) > 0 ? undefined : (sentIn.get(domain) ?? 0),
    // What is pending goes out with the next number or, after a refusal, as part of the whole with a later one.
    carriedBy: () => (sendWhole || pending.size > 0 ? generation + 1 : generation),
    onAnswer: (handler) => void answerHandlers.push(handler),
    onStatus: (handler) => void statusHandlers.push(handler),
    close() {
      closed = true;
      closing.abort();
      client.close();
    },
  };
}

const domains = Object.keys(emptyIntent) as Domain[];

function wholeChange(
  whole: ReadonlyMap<Domain, ReadonlyMap<string, unknown>>,
  generation: number,
): IntentChange {
  const put = Object.fromEntries(
    [...whole].map(([domain, entries]) => [domain, Object.fromEntries(entries)]),
  );
  return { generation, replace: true, put, remove: {} };
}

function deltaChange(
  pending: ReadonlyMap<Domain, ReadonlyMap<string, unknown>>,
  generation: number,
): IntentChange {
  const put: Record<string, Record<string, unknown>> = {};
  const remove: Record<string, string[]> = {};
  for (const [domain, entries] of pending) {
    put[domain] = Object.fromEntries([...entries].filter(([, entry]) => entry !== undefined));
    remove[domain] = [...entries].filter(([, entry]) => entry === undefined).map(([key]) => key);
  }
  return { generation, replace: false, put, remove } as IntentChange;
}

function inner<T>(outer: Map<Domain, Map<string, T>>, key: Domain): Map<string, T> {
  const map = outer.get(key) ?? new Map<string, T>();
  outer.set(key, map);
  return map;
}
