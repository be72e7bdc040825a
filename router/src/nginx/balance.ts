/** Which endpoint a request is sent to, once for each try. */
import { nextEndpoint } from '../main.ts';
import { takeAnother } from './places.ts';
import { C, currentRequest, message, requestKey } from './request.ts';
import { millisecondsLeft, type Visit, visitOf } from './visits.ts';

/** Milliseconds that an idle connection is kept: many servers close theirs after five seconds, and a request on its way then would be lost. */
const idle = 4_000;
/** Milliseconds until a connection that doesn't come about counts as failed, and that a backend may be silent where nothing else is said. */
const connectTimeout = 5_000;
const silence = 3_600_000;

/** balancer_by_lua. */
export function balance(): void {
  const pointer = currentRequest();
  const visit = visitOf(requestKey(pointer));
  const backend = visit === undefined ? undefined : visit.backend;
  if (visit === undefined || backend === undefined) {
    fail();
    return;
  }
  const pauses = visit.pause !== undefined && visit.tries % 2 === 1;
  let endpoint = pauses ? visit.pause : visit.tries === 0 ? visit.endpoint : undefined;
  const shape = visit.shape;
  if (endpoint === undefined) {
    endpoint =
      shape === undefined
        ? nextEndpoint(backend, backend.next === -1 ? math.random() : 0)
        : takeAnother(shape, backend);
  }
  if (endpoint === undefined) {
    fail();
    return;
  }
  if (visit.tries === 0 && visit.moreTries > 0) {
    C.ngx_http_lua_ffi_balancer_set_more_tries(pointer, visit.moreTries, message);
  }
  // nginx 1.26 numbers the stream of a request that goes over a used connection, and leaves the number when another try has a new one.
  if (visit.tries > 0 && backend.intent.protocol === 'h2c') {
    C.ngx_http_lua_ffi_balancer_recreate_request(pointer, message);
  }
  visit.tries += 1;
  if (shape !== undefined) shape.tried.push(endpoint);
  const limited = visit.deadline > 0 || visit.tryTimeout > 0 || (shape !== undefined && shape.connect > 0);
  if (limited && !setTimeouts(pointer, visit, pauses)) {
    fail();
    return;
  }
  const host = endpoint.host;
  const set = C.ngx_http_lua_ffi_balancer_set_current_peer(
    pointer,
    host,
    host.length,
    endpoint.port,
    undefined,
    0,
    message,
  );
  if (set !== 0) {
    fail();
    return;
  }
  if (!pauses) C.ngx_http_lua_ffi_balancer_enable_keepalive(pointer, idle, 0, message);
}

/** False: there is no time left for another try. */
function setTimeouts(pointer: FFIPointer, visit: Visit, pauses: boolean): boolean {
  let limit = visit.tryTimeout > 0 && !pauses ? visit.tryTimeout : silence;
  if (visit.deadline > 0) {
    const left = millisecondsLeft(visit);
    if (left <= 0) return false;
    if (left < limit) limit = left;
  }
  const own = visit.shape === undefined ? 0 : visit.shape.connect;
  const connect = math.min(limit, own > 0 ? own : connectTimeout);
  C.ngx_http_lua_ffi_balancer_set_timeouts(pointer, connect, limit, limit, message);
  return true;
}

/** The request gets 500, which `failed` turns into what it is. */
function fail(): void {
  ngx.exit(-1);
}
