/** Bodies of which nobody knows how long they are: read whole in a location that bounds them, before they go on. */
import { currentRequest, requestKey } from './request.ts';
import { bodyIsRead } from './spool.ts';
import { visitOf } from './visits.ts';

/** content_by_lua of `@spooled`. */
export function readSpooled(): void {
  const visit = visitOf(requestKey(currentRequest()));
  ngx.req.read_body();
  if (visit !== undefined && visit.shape !== undefined) bodyIsRead(visit.shape, ngx.req.get_body_file());
  ngx.exec(visit === undefined || visit.afterSpool === undefined ? '@http' : visit.afterSpool);
}
