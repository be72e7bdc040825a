/**
 * Makes UDP flows forget what changes made stale, beside the changes and never before one: the kernel looks through its whole table for it,
 * some 10 ms of a CPU that it gives to nobody meanwhile.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Conntrack, StaleFlow, StaleFlows } from './conntrack.ts';

export type Forgetter = {
  /** Backends that are gone at once; frontends that came or went a little later, those of many changes by one look. */
  ask(stale: StaleFlows): void;
  /** As `Conntrack`'s. Resolves when it is done; what fails is told. */
  prune: Conntrack['prune'];
  /** What was asked for is dropped: whoever comes next prunes. Closes `conntrack`, too. */
  close(): Promise<void>;
};

/** Whoever sent to a Service before it was one has waited already, and its answer is no further than the client's next try. */
const laterMs = 250;
/** From one look to the next: at least so many milliseconds, and so many times as long as it took. */
const rest = { ms: 50, times: 4 };

export function createForgetter(conntrack: Conntrack, onError: (error: Error) => void): Forgetter {
  let wanted: StaleFlow[] = [];
  let late: StaleFlow[] = [];
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let looking: Promise<void> = Promise.resolve();
  const ending = new AbortController();

  /** One look at a time. */
  const look = (work: () => Promise<void>): Promise<void> => {
    looking = looking.then(work).catch(onError);
    return looking;
  };
  const run = async (): Promise<void> => {
    while (!ending.signal.aborted && wanted.length > 0) {
      const flows = wanted;
      wanted = [];
      const began = performance.now();
      await look(() => conntrack.forget(flows));
      const pause = Math.max(rest.ms, rest.times * (performance.now() - began));
      await sleep(pause, undefined, { signal: ending.signal }).catch(() => {});
    }
    running = undefined;
  };
  const start = (flows: readonly StaleFlow[]): void => {
    if (flows.length === 0) return;
    wanted.push(...flows);
    running ??= run();
  };

  return {
    ask({ now, later }) {
      if (ending.signal.aborted) return;
      start(now);
      if (later.length === 0) return;
      late.push(...later);
      timer ??= setTimeout(() => {
        timer = undefined;
        const flows = late;
        late = [];
        start(flows);
      }, laterMs).unref();
    },
    prune: (serviceAt) => look(() => conntrack.prune(serviceAt)),
    async close() {
      ending.abort();
      clearTimeout(timer);
      await running;
      await looking;
      conntrack.close();
    },
  };
}
