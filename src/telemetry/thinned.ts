/** A line that could come a thousand times: the first is written, then one in a while that says how many there were. */

export type Thinned = {
  /** It happened (again). `write` is called with how often it did since it last wrote, or not at all. */
  happened(write: (times: number) => void): void;
  /** It is over; `write` is called with how often it happened in all, if it ever did. The next one is a first one again. */
  over(write?: (times: number) => void): void;
};

/** `everyMs`: between two lines while it goes on. `now`: milliseconds of a monotonic clock. */
export function createThinned(everyMs: number, now: () => number = () => performance.now()): Thinned {
  let written: number | undefined;
  let unwritten = 0;
  let all = 0;
  return {
    happened(write) {
      all += 1;
      unwritten += 1;
      if (written !== undefined && now() - written < everyMs) return;
      written = now();
      write(unwritten);
      unwritten = 0;
    },
    over(write) {
      if (all > 0) write?.(all);
      written = undefined;
      unwritten = 0;
      all = 0;
    },
  };
}
