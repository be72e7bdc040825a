/** Tells whoever waits that something changed. */

export type Signal = {
  /** Counts the changes. */
  readonly revision: number;
  notify(): void;
  /** Resolves at the next change after `revision` (at once if there was one), or after so many milliseconds. */
  wait(revision: number, milliseconds: number): Promise<void>;
};

export function createSignal(): Signal {
  let revision = 1;
  const waiting = new Set<() => void>();
  return {
    get revision() {
      return revision;
    },
    notify() {
      revision++;
      for (const wake of waiting) wake();
    },
    wait(seen, milliseconds) {
      if (seen !== revision || milliseconds <= 0) return Promise.resolve();
      return new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer);
          waiting.delete(wake);
          resolve();
        };
        const timer = setTimeout(wake, milliseconds);
        waiting.add(wake);
      });
    },
  };
}

/** Runs work of one key one after the other, of different keys side by side. */
export function createSerializer(): <T>(key: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (key, work) => {
    const before = last.get(key) ?? Promise.resolve();
    const result = before.then(work, work);
    const settled = result.then(
      () => {},
      () => {},
    );
    last.set(key, settled);
    void settled.then(() => {
      if (last.get(key) === settled) last.delete(key);
    });
    return result;
  };
}
