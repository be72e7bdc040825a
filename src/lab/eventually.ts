/** Waits for something to become true. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Calls `attempt` until it doesn't throw and gives its result; after `timeoutMs` (default 15 s) throws what it threw last. */
export async function eventually<T>(
  attempt: () => T | Promise<T>,
  timeoutMs = 15_000,
  pauseMs = 25,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() >= deadline) throw error;
    }
    await sleep(pauseMs);
  }
}
