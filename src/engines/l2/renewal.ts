/** Whether this node answers at all: as long as it says so again and again, and not after it was away. */
import type { Operation } from './objects.ts';

export type RenewalTimes = {
  /** Milliseconds between two renewals. */
  readonly renewMs: number;
  /** Seconds after which the kernel stops by itself: the process is dead or stopped. */
  readonly timeoutSeconds: number;
  /** Seconds that a planned restart may take. */
  readonly restartSeconds: number;
  /** Milliseconds after the process was away, in which others that took over still answer. */
  readonly returnMs: number;
};

export const renewalTimes: RenewalTimes = {
  renewMs: 1_000,
  timeoutSeconds: 3,
  restartSeconds: 20,
  returnMs: 5_000,
};

export type Renewal = {
  /** `stands`: the kernel answers still, by what the process before this one said last. */
  begin(stands: boolean): void;
  answers(): boolean;
  /** What the kernel is told now. */
  operation(): Operation;
  farewell(): Operation;
  /** Starts or stops the clock, as is needed now. */
  settle(): void;
  stop(): void;
};

/**
 * `isContested`: others may have taken over while this process was away. They notice its return only after a while, and hold what they have
 * until then: two at once would answer. So it waits for as long.
 */
export function createRenewal(options: {
  readonly times: RenewalTimes;
  readonly isNeeded: () => boolean;
  readonly isContested: () => boolean;
  readonly renew: () => Promise<void>;
  /** Answers begin or end. */
  readonly onChange: () => void;
}): Renewal {
  const { times, isNeeded, isContested, renew, onChange } = options;
  let timer: NodeJS.Timeout | undefined;
  let renewedAt = Number.NEGATIVE_INFINITY;
  let silentUntil = Number.NEGATIVE_INFINITY;
  let stopped = false;

  const answers = () => !stopped && (performance.now() >= silentUntil || !isContested());
  const operation = (): Operation => {
    if (!answers()) return { verb: 'silence' };
    renewedAt = performance.now();
    return { verb: 'renew', seconds: times.timeoutSeconds };
  };
  const tick = (): void => {
    const now = performance.now();
    const before = wasAnswering;
    // The kernel fell silent meanwhile, and may have been so for long.
    if (before && now - renewedAt >= times.timeoutSeconds * 1_000) silentUntil = now + times.returnMs;
    wasAnswering = answers();
    renew()
      .then(() => {
        if (wasAnswering !== before) onChange();
      })
      .catch(() => {
        // The next one tells; until then the time runs out.
      });
  };
  let wasAnswering = false;

  return {
    begin(stands) {
      const now = performance.now();
      silentUntil = stands ? Number.NEGATIVE_INFINITY : now + times.returnMs;
      if (stands) renewedAt = now;
    },
    answers,
    operation,
    farewell: () => (answers() ? { verb: 'renew', seconds: times.restartSeconds } : { verb: 'silence' }),
    settle() {
      wasAnswering = answers();
      if (isNeeded() && timer === undefined && !stopped) {
        timer = setInterval(tick, times.renewMs);
        timer.unref();
      } else if (!isNeeded()) {
        clearInterval(timer);
        timer = undefined;
      }
    },
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}
