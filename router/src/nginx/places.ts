/**
 * Where a request that is spread with care goes, and what is counted of it while it is there: requests at once to an endpoint (`mostRequests`)
 * for all workers together, so that the number is never exceeded; those that `leastRequests` compares are this worker's.
 *
 *     netloom_places   `t⇥BACKEND⇥ENDPOINT` requests of all workers · `w⇥WORKER⇥…` those of one, given back when it died
 */
import {
  plainSpread,
  type RouterBackend,
  type RouterEndpoint,
  type RouterSpread,
  spreadEndpoint,
} from '../main.ts';
import { noteTry, readFailures } from './failures.ts';
import { variable } from './request.ts';
import { type Shape, shapeOf } from './shape.ts';
import { giveBack } from './spool.ts';
import type { Visit } from './visits.ts';

const places = ngx.shared['netloom_places']!;
let worker = '';

/** In init_worker_by_lua: what the one before, who had the same number, still counted when it died. */
export function takeOverPlaces(): void {
  worker = `w\t${ngx.worker.id()}\t`;
  for (const key of places.get_keys(0)) {
    if (key.startsWith(worker)) {
      const [count] = places.get(key);
      places.delete(key);
      if (count !== undefined) places.incr(`t\t${key.slice(worker.length)}`, -(count as number));
    }
  }
}

/** The first try's endpoint: `preferred`, if it can be. `undefined`: all are full. */
export function takeFirst(
  visit: Visit,
  backend: RouterBackend,
  preferred: RouterEndpoint | undefined,
): RouterEndpoint | undefined {
  const shape = shapeOf(visit);
  const spread = spreadOf(backend);
  if (spread.breaker !== undefined) readFailures(backend, spread);
  const endpoint =
    preferred !== undefined && preferred.out <= ngx.now() && hold(shape, backend, spread, preferred)
      ? preferred
      : take(shape, backend, spread, []);
  visit.endpoint = endpoint;
  return endpoint;
}

/** It is held elsewhere from now on: nothing more is counted of it here. */
export function leaveFirst(visit: Visit): RouterEndpoint | undefined {
  if (visit.shape !== undefined) leave(visit.shape);
  return visit.endpoint;
}

/** In the balancer: of another try. */
export function takeAnother(shape: Shape, backend: RouterBackend): RouterEndpoint | undefined {
  const spread = spreadOf(backend);
  leave(shape);
  if (spread.breaker !== undefined) readFailures(backend, spread);
  return take(shape, backend, spread, []);
}

/** What became of its tries is learnt from. Before the request ends, or goes elsewhere. */
export function settle(pointer: FFIPointer, backend: RouterBackend | undefined, shape: Shape): void {
  const spread = backend === undefined ? undefined : backend.spread;
  const { tried } = shape;
  shape.tried = [];
  if (shape.settled) return;
  shape.settled = true;
  if (backend === undefined || spread === undefined || spread.breaker === undefined) return;
  const said = variable(pointer, 'upstream_status');
  if (said === undefined) return;
  readFailures(backend, spread);
  let at = 0;
  // One a try, `-` where the client left before it was known.
  for (const [word] of string.gmatch(said, '[%d-]+')) {
    const endpoint = tried[at];
    if (endpoint === undefined) return;
    at += 1;
    const status = tonumber(word);
    if (status !== undefined && !isPause(endpoint)) noteTry(backend, spread.breaker, endpoint, status >= 500);
  }
}

/** When the request ends. */
export function letGo(shape: Shape): void {
  leave(shape);
  giveBack(shape);
}

function spreadOf(backend: RouterBackend): RouterSpread {
  return backend.spread === undefined ? plainSpread : backend.spread;
}

function take(
  shape: Shape,
  backend: RouterBackend,
  spread: RouterSpread,
  full: RouterEndpoint[],
): RouterEndpoint | undefined {
  const dice = backend.next === -1 ? math.random() : 0;
  const endpoint = spreadEndpoint(backend, spread, shape.wanted, dice, ngx.now(), shape.tried, full);
  if (endpoint === undefined || hold(shape, backend, spread, endpoint)) return endpoint;
  full.push(endpoint);
  return take(shape, backend, spread, full);
}

/** False: it is full. */
function hold(shape: Shape, backend: RouterBackend, spread: RouterSpread, endpoint: RouterEndpoint): boolean {
  if (spread.most > 0) {
    const key = `${backend.key}\t${endpoint.name}`;
    const [count] = places.incr(`t\t${key}`, 1, 0);
    if (count !== undefined && count > spread.most) {
      places.incr(`t\t${key}`, -1);
      return false;
    }
    places.incr(`${worker}${key}`, 1, 0);
    shape.held = key;
  }
  endpoint.busy += 1;
  shape.busy = endpoint;
  return true;
}

function leave(shape: Shape): void {
  const { busy, held } = shape;
  if (busy !== undefined) {
    busy.busy -= 1;
    shape.busy = undefined;
  }
  if (held !== undefined) {
    places.incr(`t\t${held}`, -1);
    places.incr(`${worker}${held}`, -1);
    shape.held = undefined;
  }
}

function isPause(endpoint: RouterEndpoint): boolean {
  return endpoint.name.startsWith('unix:/run/netloom-gateway/pause-');
}
