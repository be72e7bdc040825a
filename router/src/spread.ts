/**
 * Which endpoint of a backend that is spread with care gets a try: by hash, by the fewest requests or by turns, among those that are neither
 * out nor tried nor full. Runs only where a policy asks for it.
 */
import { digest, mixed } from './backends.ts';
import type { RouterBackend, RouterEndpoint, RouterSpread } from './prepared.ts';

/** Below 2^32: what endpoints are weighed against. */
export function hashValue(text: string): number {
  return digest(text, 7, 33);
}

/** A number 0 ≤ dice < 1 that is always the same for a value: by it a backend is drawn, so that a value keeps to one of several, too. */
export function hashDice(wanted: number): number {
  return mixed(wanted, 13) / 67_108_859;
}

/**
 * `wanted`: as hashValue has it, -1 without one; `tried` and `full` are endpoints that are no good, the first only while others are left.
 * `undefined`: all are full, or there is none. `now` and `out` in seconds since the epoch.
 */
export function spreadEndpoint(
  backend: RouterBackend,
  spread: RouterSpread,
  wanted: number,
  dice: number,
  now: number,
  tried: readonly RouterEndpoint[],
  full: readonly RouterEndpoint[],
): RouterEndpoint | undefined {
  const count = backend.endpoints.length;
  if (count === 0) return undefined;
  const start = backend.next === -1 ? Math.floor(dice * count) : backend.next;
  let best = -1;
  let bestClass = 4;
  let bestScore = 0;
  for (let step = 0; step < count; step++) {
    const at = start + step < count ? start + step : start + step - count;
    const endpoint = backend.endpoints[at]!;
    const kind = classOf(endpoint, now, tried, full);
    if (kind <= bestClass && kind < 3) {
      const score = scoreOf(endpoint, spread, wanted);
      if (kind < bestClass || score < bestScore) {
        best = at;
        bestClass = kind;
        bestScore = score;
        // By turns the first good one it is.
        if (kind === 0 && wanted === -1 && !spread.least) break;
      }
    }
  }
  if (best === -1) return undefined;
  backend.next = best + 1 === count ? 0 : best + 1;
  return backend.endpoints[best];
}

/** Whether an endpoint that failed often enough may be left out: another one must be left. */
export function mayLeaveOut(backend: RouterBackend, endpoint: RouterEndpoint, now: number): boolean {
  for (let at = 0; at < backend.endpoints.length; at++) {
    const other = backend.endpoints[at]!;
    if (other !== endpoint && other.out <= now) return true;
  }
  return false;
}

/** Seconds for which it is left out the `times`th time in a row. */
export function secondsOut(seconds: number, times: number): number {
  return seconds * Math.min(times, 10);
}

/** 0: good; 1: was tried already; 2: is out; 3: is full. Of the least those are chosen among. */
function classOf(
  endpoint: RouterEndpoint,
  now: number,
  tried: readonly RouterEndpoint[],
  full: readonly RouterEndpoint[],
): number {
  if (has(full, endpoint)) return 3;
  if (endpoint.out > now) return 2;
  return has(tried, endpoint) ? 1 : 0;
}

/** The least is best; of the same the first whose turn it is. */
function scoreOf(endpoint: RouterEndpoint, spread: RouterSpread, wanted: number): number {
  if (wanted !== -1) {
    if (endpoint.digest === -1) endpoint.digest = digest(endpoint.name, 11, 33);
    return -mixed(wanted, endpoint.digest);
  }
  return spread.least ? endpoint.busy : 0;
}

function has(endpoints: readonly RouterEndpoint[], endpoint: RouterEndpoint): boolean {
  for (let at = 0; at < endpoints.length; at++) if (endpoints[at] === endpoint) return true;
  return false;
}
