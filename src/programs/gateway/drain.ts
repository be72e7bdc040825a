/** The end of a pod: when this process may go without anybody missing it. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NginxEngine } from '#engines/nginx/driver.ts';

export type DrainOptions = {
  readonly nginx: Pick<NginxEngine, 'status'>;
  /** Carried to backends now. */
  readonly connections: () => number;
  /** Longest wait. */
  readonly milliseconds: number;
  /** Between two looks. */
  readonly everyMs?: number;
};

/**
 * True once nginx takes no more requests (it no longer answers, several times in a row, since it may just be starting) and no connection of its
 * requests is carried any more; false after the time.
 */
export async function drained(options: DrainOptions): Promise<boolean> {
  const { nginx, connections, milliseconds, everyMs = 250 } = options;
  const deadline = performance.now() + milliseconds;
  let silent = 0;
  while (performance.now() < deadline) {
    silent = (await answers(nginx)) ? 0 : silent + 1;
    if (silent >= 3 && connections() === 0) return true;
    await sleep(everyMs);
  }
  return false;
}

async function answers(nginx: Pick<NginxEngine, 'status'>): Promise<boolean> {
  try {
    await nginx.status();
    return true;
  } catch {
    return false;
  }
}
