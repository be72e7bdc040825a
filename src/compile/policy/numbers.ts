/** Numbers that stand for something as long as it is there: the lowest free one, and the same for the same. */

export type Numbers = {
  /** `undefined`: all are taken. */
  readonly take: (key: string) => number | undefined;
  /** Gives it back; it may stand for something else from the next `settle` on, never in the same change. */
  readonly release: (key: string) => void;
  readonly settle: () => void;
};

export function createNumbers(first: number, last: number): Numbers {
  const taken = new Map<string, number>();
  const used = new Set<number>();
  const leaving = new Set<number>();
  /** None below it is free. */
  let lowest = first;

  return {
    take(key) {
      const known = taken.get(key);
      if (known !== undefined) return known;
      while (used.has(lowest)) lowest++;
      if (lowest > last) return undefined;
      used.add(lowest);
      taken.set(key, lowest);
      return lowest;
    },
    release(key) {
      const number = taken.get(key);
      if (number === undefined) return;
      taken.delete(key);
      leaving.add(number);
    },
    settle() {
      for (const number of leaving) {
        used.delete(number);
        lowest = Math.min(lowest, number);
      }
      leaving.clear();
    },
  };
}
