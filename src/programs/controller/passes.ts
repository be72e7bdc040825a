/** Runs passes one after another: soon after a wake, and every so often without one. */

export type Passes = {
  wake(): void;
  /** Resolves when the signal aborted and the pass under way has ended. */
  run(signal: AbortSignal): Promise<void>;
};

/**
 * A pass begins at the first wake, and at least `gatherMs` after the one before: what comes alone is done at once, what comes in
 * thousands is gathered. `pass` must not throw.
 */
export function createPasses(pass: () => Promise<void>, periodMs: number, gatherMs = 50): Passes {
  let due = true;
  let rouse = (): void => {};
  return {
    wake() {
      due = true;
      rouse();
    },
    async run(signal) {
      signal.addEventListener('abort', () => rouse(), { once: true });
      while (!signal.aborted) {
        due = false;
        await pass();
        const passedAt = performance.now();
        if (!due && !signal.aborted) {
          await new Promise<void>((resolve) => {
            const timer = setTimeout(resolve, periodMs);
            rouse = () => {
              clearTimeout(timer);
              resolve();
            };
          });
        }
        const wait = passedAt + gatherMs - performance.now();
        if (wait > 0 && !signal.aborted) await new Promise((resolve) => setTimeout(resolve, wait));
      }
    },
  };
}
