/** Copies of requests: nginx makes one for each of its mirror locations, and most have nowhere to go. */
import { targetPath, targetQuery } from '../main.ts';
import { setPath } from './h2c-path.ts';
import { currentRequest, requestKey, variable } from './request.ts';
import { beginChild, visitOf } from './visits.ts';
import { currentTable } from './worker.ts';

/** rewrite_by_lua of mirror location number `place`, from 0. */
export function mirror(place: number): void {
  const pointer = currentRequest();
  const key = tonumber(variable(pointer, 'netloom_visit'));
  const parent = key === undefined ? undefined : visitOf(key);
  const name = parent?.mirrors === undefined ? undefined : parent.mirrors[place];
  const backend = name === undefined ? undefined : currentTable().backends[name];
  if (parent === undefined || backend === undefined || backend.endpoints.length === 0) ngx.exit(204);
  beginChild(requestKey(pointer), parent, backend);
  if (backend.intent.protocol === 'h2c') sendAside(pointer);
}

/** On over HTTP/2, in a request on behalf of another one: does not return. */
export function sendAside(pointer: FFIPointer): void {
  const uri = variable(pointer, 'netloom_uri');
  const target = uri === undefined ? '/' : uri;
  const query = targetQuery(target);
  if (!setPath(targetPath(target))) ngx.exit(204);
  ngx.req.set_uri_args(query === undefined ? '' : query);
  ngx.exec('@aside_h2c');
}

/** content_by_lua behind the copies: on to where the request itself goes. */
export function afterMirrors(): void {
  const visit = visitOf(requestKey(currentRequest()));
  ngx.exec(visit?.next === undefined ? '@http' : visit.next);
}
