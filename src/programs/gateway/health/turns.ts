/** Work of several parties, some at once: none takes the places of all others, and those that wait get theirs in turn, party by party. */

export type Turns = {
  /** Runs it when it is this party's turn. */
  run<T>(party: string, work: () => Promise<T>): Promise<T>;
};

/** At most `all` at once, and of one party `own`. */
export function createTurns(all: number, own: number): Turns {
  /** Parties that have something waiting, in the order of their turns. */
  const waiting = new Map<string, (() => void)[]>();
  const busy = new Map<string, number>();
  let total = 0;

  const hasRoom = (party: string): boolean => total < all && (busy.get(party) ?? 0) < own;
  const enter = (party: string): void => {
    total += 1;
    busy.set(party, (busy.get(party) ?? 0) + 1);
  };
  const leave = (party: string): void => {
    total -= 1;
    const left = (busy.get(party) ?? 1) - 1;
    if (left === 0) busy.delete(party);
    else busy.set(party, left);
    for (const [next, queue] of waiting) {
      if (!hasRoom(next)) continue;
      const begin = queue.shift();
      // Behind all others.
      waiting.delete(next);
      if (queue.length > 0) waiting.set(next, queue);
      if (begin === undefined) continue;
      enter(next);
      begin();
      return;
    }
  };

  return {
    async run(party, work) {
      if (hasRoom(party)) enter(party);
      else
        await new Promise<void>((resolve) => {
          const queue = waiting.get(party);
          if (queue === undefined) waiting.set(party, [resolve]);
          else queue.push(resolve);
        });
      try {
        return await work();
      } finally {
        leave(party);
      }
    },
  };
}
