/** When everybody on the segment is told, unasked, that an address is here. */

/** Milliseconds. Several times after a takeover, since a frame may be lost and some hosts ignore a second one that comes within a second. */
export const sayingTimes = { burst: [0, 1_100, 2_200, 3_300, 4_400, 5_000], every: 30_000 } as const;

export type Gratuitous = {
  /** From now on the address is here: told at once, several times, and then every now and then. Again: begins anew. */
  begin(address: string): void;
  /** As `begin`, for one that everybody knows of already. */
  keep(address: string): void;
  end(address: string): void;
  /** How often each was told of. */
  counts(): ReadonlyMap<string, number>;
  stop(): void;
};

type Due = { at: number; step: number };

/** `say` is told what is due, all that is at once. */
export function createGratuitous(
  say: (addresses: readonly string[]) => void,
  times: { readonly burst: readonly number[]; readonly every: number } = sayingTimes,
): Gratuitous {
  const due = new Map<string, Due>();
  const counts = new Map<string, number>();
  let timer: NodeJS.Timeout | undefined;

  const schedule = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (due.size === 0) return;
    const next = Math.min(...[...due.values()].map(({ at }) => at));
    timer = setTimeout(look, Math.max(0, next - performance.now()));
    timer.unref();
  };
  const look = (): void => {
    const now = performance.now();
    const told: string[] = [];
    for (const [address, each] of due) {
      if (each.at > now) continue;
      told.push(address);
      counts.set(address, (counts.get(address) ?? 0) + 1);
      const [before = 0, after] = [times.burst[each.step], times.burst[each.step + 1]];
      each.at = now + (after === undefined ? times.every : after - before);
      each.step += 1;
    }
    schedule();
    if (told.length > 0) say(told);
  };

  return {
    begin(address) {
      due.set(address, { at: performance.now(), step: 0 });
      // Those that begin in one change are told together.
      clearTimeout(timer);
      timer = setTimeout(look, 0);
    },
    keep(address) {
      if (due.has(address)) return;
      due.set(address, { at: performance.now() + times.every, step: times.burst.length });
      schedule();
    },
    end(address) {
      if (!due.delete(address)) return;
      counts.delete(address);
      schedule();
    },
    counts: () => counts,
    stop() {
      clearTimeout(timer);
      due.clear();
    },
  };
}
