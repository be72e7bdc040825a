/** How long a container waits for its next start; pure. Milliseconds throughout. */

/** Crash loops wait 1 s, then twice as long each time, to 60 s (KEP-4603's faster decay); ten good minutes end them. */
const base = 1000;
const maximum = 60_000;
const goodRun = 600_000;

/** After a container ended: `attempt` counts its starts so far, less one; the first restart comes at once. */
export function crashBackoff(attempt: number, ran: number): number {
  return attempt === 0 || ran >= goodRun ? 0 : doubled(attempt);
}

/** After it could not even be started, for the `failures`-th time (from 1). */
export function startBackoff(failures: number): number {
  return doubled(failures);
}

function doubled(times: number): number {
  return Math.min(maximum, base * 2 ** (times - 1));
}
