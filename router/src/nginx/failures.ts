/**
 * Endpoints that fail: how often in a row, and until when they are left out. In memory that all workers share, so that what one learns all know,
 * and no worker has to learn it by itself; a number says whether there is anything new to read.
 *
 *     netloom_failures   `f⇥BACKEND⇥ENDPOINT` failures in a row · `o⇥…` out until · `n⇥…` how often in a row
 *                        `e⇥BACKEND` how often in all · `v⇥BACKEND` counts what is written of it · `version` of any
 */
import {
  mayLeaveOut,
  type RouterBackend,
  type RouterEndpoint,
  type RouterSpread,
  secondsOut,
} from '../main.ts';
import { sharedNumber } from './request.ts';

const failures = ngx.shared['netloom_failures']!;

/** Made before workers are: all see the same. */
const version = sharedNumber(undefined).cell;

/** Seconds after which a failure that nobody adds to is forgotten. */
const memory = 600;

/** Brings up to date what this worker knows of a backend's endpoints. */
export function readFailures(backend: RouterBackend, spread: RouterSpread): void {
  const current = version[0]!;
  if (spread.seen === current) return;
  spread.seen = current;
  // One tenant's failures must not have all others read theirs again.
  const own = numberAt(`v\t${backend.key}`);
  if (own === spread.seenOwn) return;
  spread.seenOwn = own;
  for (const endpoint of backend.endpoints) {
    const key = keyOf(backend, endpoint);
    endpoint.failures = numberAt(`f\t${key}`);
    endpoint.out = numberAt(`o\t${key}`);
  }
}

/** What became of one try. */
export function noteTry(
  backend: RouterBackend,
  breaker: NonNullable<RouterSpread['breaker']>,
  endpoint: RouterEndpoint,
  failed: boolean,
): void {
  const key = keyOf(backend, endpoint);
  if (!failed) {
    if (endpoint.failures === 0) return;
    endpoint.failures = 0;
    failures.delete(`f\t${key}`);
    say(backend);
    return;
  }
  const [times] = failures.incr(`f\t${key}`, 1, 0, memory);
  endpoint.failures = times === undefined ? endpoint.failures + 1 : times;
  const now = ngx.now();
  // Tries that began before it was left out count no more.
  if (endpoint.failures >= breaker.failures && endpoint.out <= now && mayLeaveOut(backend, endpoint, now)) {
    const before = numberAt(`n\t${key}`);
    const seconds = secondsOut(breaker.seconds, before + 1);
    endpoint.out = now + seconds;
    endpoint.failures = 0;
    failures.set(`o\t${key}`, endpoint.out, seconds);
    // Who fails again soon after it came back is left out for longer.
    failures.set(`n\t${key}`, before + 1, seconds + 10 * breaker.seconds);
    failures.delete(`f\t${key}`);
    failures.incr(`e\t${backend.key}`, 1, 0);
  }
  say(backend);
}

/** For metrics: how often endpoints were left out, by backend, and how many are now. */
export function failuresByBackend(): { readonly backend: string; ejections: number; out: number }[] {
  const found: Record<string, { readonly backend: string; ejections: number; out: number }> = {};
  const list: { readonly backend: string; ejections: number; out: number }[] = [];
  for (const key of failures.get_keys(0)) {
    const kind = key.slice(0, 1);
    if (kind === 'e' || kind === 'o') {
      const second = key.indexOf('\t', 2);
      const backend = second === -1 ? key.slice(2) : key.slice(2, second);
      let one = found[backend];
      if (one === undefined) {
        one = { backend, ejections: 0, out: 0 };
        found[backend] = one;
        list.push(one);
      }
      const value = numberAt(key);
      if (kind === 'e') one.ejections = value;
      else if (value > ngx.now()) one.out += 1;
    }
  }
  return list;
}

/** Every value is another one, whichever worker writes last. */
function say(backend: RouterBackend): void {
  failures.incr(`v\t${backend.key}`, 1, 0);
  const [next] = failures.incr('version', 1, 0);
  if (next !== undefined) version[0] = next;
}

function keyOf(backend: RouterBackend, endpoint: RouterEndpoint): string {
  return `${backend.key}\t${endpoint.name}`;
}

function numberAt(key: string): number {
  const [value] = failures.get(key);
  return value === undefined ? 0 : (value as number);
}
