/**
 * How soon those are told so who ask for more than they may. An answer at once invites the next question at once: a client on a few connections
 * that is refused at full speed keeps a worker as busy as if it were served, and others wait behind it. So of a tenant's refusals some are told
 * at once, and those beyond take turns: its clients wait for themselves.
 */
import { leaveAll } from './limits.ts';
import type { Serving } from './serving.ts';

/** Of each tenant in a worker: so many a second, as many at once. */
const perSecond = 100;
/** Seconds. Less than what `Retry-After` asks for; more would hold too many connections. */
const longest = 1;
const mostKnown = 4_096;
/** So many begin to wait within a second, so twice as many wait: half of what a worker has of connections (nginx.conf). Others are told at once. */
const mostBegun = 4_096;

/** When the next one would be told if none was told at once, by tenant: seconds since the epoch. */
let due: Record<string, number | undefined> = {};
let known = 0;
let second = 0;
let begun = 0;

/** Returns when the request may be told. It holds no place meanwhile. */
export function waitToRefuse({ action, visit }: Serving): void {
  const { namespace } = action.intent.origin;
  const wait = waitOf(namespace === undefined ? '' : namespace, ngx.now());
  if (wait <= 0) return;
  if (ngx.time() !== second) {
    second = ngx.time();
    begun = 0;
  }
  if (begun >= mostBegun) return;
  begun += 1;
  leaveAll(visit);
  ngx.sleep(wait);
}

function waitOf(tenant: string, now: number): number {
  let next = due[tenant];
  if (next === undefined) {
    if (known >= mostKnown) {
      due = {};
      known = 0;
    }
    known += 1;
  }
  if (next === undefined || next < now) next = now;
  const wait = math.min(longest, next - now - 1);
  // Nobody is told later than that, so nobody's turn is later.
  due[tenant] = math.min(next + 1 / perSecond, now + 1 + longest);
  return wait;
}
