/** Lets work wait for "something changed" without missing for long what nobody rang for. */

export type Bell = {
  ring(): void;
  /** Resolves at the next ring, at `deadline` (Unix ms), or after a second: files are the truth, and a notice of them may be missed. */
  next(deadline: number): Promise<void>;
};

export function createBell(): Bell {
  let waiters: (() => void)[] = [];
  return {
    ring() {
      const woken = waiters;
      waiters = [];
      for (const resolve of woken) resolve();
    },
    async next(deadline) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.max(1, Math.min(1000, deadline - Date.now())));
      waiters.push(resolve);
      await promise;
      clearTimeout(timer);
    },
  };
}
