/** Waiting: exponential delays with jitter, a token bucket, and sleep that a signal ends. */

export type BackoffOptions = {
  readonly baseMilliseconds?: number;
  readonly maxMilliseconds?: number;
  /** 0 … 1, for tests; default Math.random. */
  readonly random?: () => number;
};

/** Delay before attempt `failures` (0 for the first retry): doubles from base to max, then a random half is taken off. */
export function backoffDelay(
  failures: number,
  { baseMilliseconds = 100, maxMilliseconds = 30_000, random = Math.random }: BackoffOptions = {},
): number {
  const whole = Math.min(maxMilliseconds, baseMilliseconds * 2 ** Math.min(failures, 40));
  return whole * (0.5 + random() / 2);
}

/** Resolves after the time or as soon as the signal aborts, whichever is first; never rejects. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener('abort', end, { once: true });
  });
}

export type TokenBucket = {
  /** Takes a token if there is one. */
  tryTake(): boolean;
  /** Takes the next token; callers are served in the order in which they ask. */
  take(signal?: AbortSignal): Promise<void>;
};

/** A bucket of `burst` tokens that refills at `perSecond`. Tokens may be borrowed ahead: that is the waiting line. */
export function createTokenBucket(
  perSecond: number,
  burst: number,
  now: () => number = () => performance.now(),
): TokenBucket {
  let tokens = burst;
  let at = now();
  const refill = (): void => {
    const time = now();
    tokens = Math.min(burst, tokens + ((time - at) / 1000) * perSecond);
    at = time;
  };
  return {
    tryTake() {
      refill();
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
    async take(signal) {
      refill();
      tokens -= 1;
      if (tokens < 0) await sleep((-tokens / perSecond) * 1000, signal);
    },
  };
}
