/** Calls a piece of work whenever it is asked for, never twice at once, and again ever later when it fails. */
import type { Log } from '#telemetry/log.ts';

export type Waker = {
  /** Runs the work now, or once more after the run under way. */
  wake(): void;
  /** The earliest of what was asked for counts; each run asks anew for what it still needs. */
  wakeAfter(milliseconds: number): void;
  stop(): void;
};

export function createWaker(work: () => Promise<void>, log: Log): Waker {
  let timer: NodeJS.Timeout | undefined;
  let due = 0;
  let working = false;
  let again = false;
  let failures = 0;
  let stopped = false;
  const run = async (): Promise<void> => {
    working = true;
    while (again && !stopped) {
      again = false;
      try {
        await work();
        failures = 0;
      } catch (error) {
        failures += 1;
        const milliseconds = Math.min(15_000, 250 * 2 ** (failures - 1));
        log.warn('a step failed and will be tried again', { error, milliseconds });
        self.wakeAfter(milliseconds);
      }
    }
    working = false;
  };
  const self: Waker = {
    wake() {
      if (stopped) return;
      again = true;
      if (!working) void run();
    },
    wakeAfter(milliseconds) {
      const at = Date.now() + milliseconds;
      if (stopped || (timer !== undefined && due <= at)) return;
      clearTimeout(timer);
      due = at;
      timer = setTimeout(
        () => {
          timer = undefined;
          self.wake();
        },
        Math.min(Math.max(1, milliseconds), 0x7fff_ffff),
      );
    },
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
  return self;
}
