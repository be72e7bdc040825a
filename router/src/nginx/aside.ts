/**
 * Questions over HTTP/2 on behalf of a request, by way of a socket of nginx's own: where the answer to a request of lua-nginx-module itself
 * (`ngx.location.capture`) has trailers, nginx 1.26 ends by a signal, so what is captured is HTTP/1.1, and a request in its own right goes on.
 */
import { prepareBackend, type RouterBackend } from '../main.ts';
import { currentRequest, headerOf, requestKey } from './request.ts';
import { isSafe } from './sinks.ts';
import { beginVisit, endVisit, visitOf } from './visits.ts';
import { currentTable } from './worker.ts';

/** Never a client's: their requests don't come to that socket, and what it is told here takes the place of what they say. */
const backendHeader = 'X-Netloom-Backend';

const socket = prepareBackend('aside', {
  origin: { kind: 'Gateway', name: 'aside' },
  protocol: 'http',
  endpoints: ['unix:/run/netloom-gateway/aside.sock'],
});

/** The backend that the current request is to be sent to instead. */
export function askOverHTTP2(backend: RouterBackend): RouterBackend {
  if (!isSafe('x', backend.key)) ngx.exit(500);
  ngx.req.set_header(backendHeader, backend.key);
  return socket;
}

/** rewrite_by_lua of that socket's server. */
export function serveAside(): void {
  const pointer = currentRequest();
  const key = headerOf(pointer, 'x-netloom-backend');
  const backend = key === undefined ? undefined : currentTable().backends[key];
  if (backend === undefined || backend.endpoints.length === 0) ngx.exit(503);
  ngx.req.clear_header(backendHeader);
  beginVisit(requestKey(pointer)).backend = backend;
}

/** log_by_lua of it. */
export function endAside(): void {
  const key = requestKey(currentRequest());
  const visit = visitOf(key);
  if (visit !== undefined) endVisit(key, visit);
}
