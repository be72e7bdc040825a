/** Runs work for keys soon after they are added, each key once however often it was added, a few per turn of the event loop. */

export type Queue = {
  add(key: string): void;
  close(): void;
};

const perTurn = 64;

/** `work` is synchronous and idempotent; what it throws is logged and the key is dropped until it is added again. */
export function queue(name: string, work: (key: string) => void): Queue {
  const keys = new Set<string>();
  let scheduled = false;
  let closed = false;
  const drain = (): void => {
    scheduled = false;
    let left = perTurn;
    for (const key of keys) {
      if (closed || left-- === 0) break;
      keys.delete(key);
      try {
        work(key);
      } catch (error) {
        console.error(`${name} ${key}:`, error);
      }
    }
    schedule();
  };
  const schedule = (): void => {
    if (scheduled || closed || keys.size === 0) return;
    scheduled = true;
    setImmediate(drain);
  };
  return {
    add: (key) => {
      keys.add(key);
      schedule();
    },
    close: () => {
      closed = true;
      keys.clear();
    },
  };
}
