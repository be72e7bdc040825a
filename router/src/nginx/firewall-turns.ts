/**
 * Whose request the firewall looks at next. A worker has one thread for it, and a request takes a millisecond or some: tenants take turns, so that
 * whoever sends many, or dear ones, waits for itself.
 */
import type { Visit } from './visits.ts';

/** Of a visit, from when it asks for a turn until that is over. */
export type Turn = {
  readonly tenant: string;
  readonly bell: Semaphore;
  state: 'waits' | 'has' | 'over';
};

const semaphores = require('ngx.semaphore') as { readonly new: (this: void, count: number) => Semaphore };

/** One that the thread looks at, and one that it finds when it is done. */
const mostAtOnce = 2;
/** Of one tenant in a worker; they hold memory. */
const mostWaiting = 1_000;
/** Seconds. */
const longestWait = 30;

let atOnce = 0;
/** Who waits, by tenant and in order of arrival; those that have given up are left out when their turn comes. */
const queues: Record<string, Turn[] | undefined> = {};
/** Tenants of whom some wait, in the order of their turns. */
const order: string[] = [];

/** Waits for its turn; false: it can't have one. `leaveTurn` ends it, which the request's log phase calls, too, if nobody else did. */
export function takeTurn(visit: Visit, tenant: string): boolean {
  if (atOnce < mostAtOnce && order.length === 0) {
    atOnce += 1;
    visit.turn = { tenant, bell: semaphores.new(0), state: 'has' };
    return true;
  }
  let queue = queues[tenant];
  if (queue !== undefined && queue.length >= mostWaiting) return false;
  if (queue === undefined) {
    queue = [];
    queues[tenant] = queue;
    order.push(tenant);
  }
  const turn: Turn = { tenant, bell: semaphores.new(0), state: 'waits' };
  queue.push(turn);
  visit.turn = turn;
  turn.bell.wait(longestWait);
  // Said by whoever left: here it is only read.
  const { state } = visit.turn;
  if (state === 'has') return true;
  leaveTurn(visit);
  return false;
}

export function leaveTurn(visit: Visit): void {
  const { turn } = visit;
  if (turn === undefined) return;
  visit.turn = undefined;
  const had = turn.state === 'has';
  turn.state = 'over';
  if (!had) return;
  atOnce -= 1;
  while (atOnce < mostAtOnce && order.length > 0) admitNext();
}

/** One of the tenant whose turn it is, which is last of all then. */
function admitNext(): void {
  const tenant = order.shift()!;
  const queue = queues[tenant]!;
  let turn = queue.shift();
  while (turn !== undefined && turn.state !== 'waits') turn = queue.shift();
  if (queue.length > 0) order.push(tenant);
  else delete queues[tenant];
  if (turn === undefined) return;
  turn.state = 'has';
  atOnce += 1;
  turn.bell.post(1);
}
