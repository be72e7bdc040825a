/** Headers of requests on the way in, and of answers on the way out. */
import type { GatewayHeaderChange } from '../../../src/intent/gateway.ts';
import { changeHeaders } from '../main.ts';
import { answer } from './answer.ts';
import { C, currentRequest, requestKey } from './request.ts';
import { shapeAnswer, shapeBody } from './shape-answer.ts';
import { toAnswer, toRequest } from './sinks.ts';
import { visitOf } from './visits.ts';

export function changeRequest(change: GatewayHeaderChange): void {
  changeHeaders(change, toRequest);
}

/** What a proxy must not take away because a client says so: all that backends are told by us, and what a body is read by. */
const kept = ['host', 'content-length', 'transfer-encoding', 'authorization', 'cookie', 'x-forwarded-for'];

/** Bytes of a Connection: each name in it is looked for among all headers, and a stranger could say thousands. */
const longestConnection = 512;

/** Headers that the client's Connection names are about its connection (RFC 9110 §7.6.1), and go no further. */
export function dropNominated(pointer: FFIPointer, connection: string): void {
  if (connection.length > longestConnection) answer(pointer, 400);
  for (const part of connection.split(',')) {
    const name = part.trim().toLowerCase();
    if (name !== 'keep-alive' && name !== 'close' && name !== 'upgrade' && !kept.includes(name))
      toRequest.remove(name);
  }
}

/** header_filter_by_lua of locations that answers may be changed in. */
export function changeAnswer(): void {
  const pointer = currentRequest();
  const visit = visitOf(requestKey(pointer));
  if (visit === undefined) return;
  if (visit.shape !== undefined) shapeAnswer(pointer, visit.shape);
  const changed = visit.answer;
  if (changed === undefined) return;
  for (const change of changed.changes) changeHeaders(change, toAnswer);
  const status = C.ngx_http_lua_ffi_get_resp_status(pointer);
  for (const { name, value, append, statuses } of changed.judged) {
    if (statuses !== undefined && !statuses.includes(status)) continue;
    if (append) toAnswer.add(name, value);
    else toAnswer.set(name, value);
  }
  for (const { name, value } of changed.headers) {
    if (name === 'Set-Cookie' || name === 'Vary') toAnswer.add(name, value);
    else toAnswer.set(name, value);
  }
}

/** body_filter_by_lua of locations with a time limit, or where another body may be: -1 ends the connection, since the answer has begun. */
export function limitAnswer(): number {
  const visit = visitOf(requestKey(currentRequest()));
  if (visit !== undefined && visit.shape !== undefined) shapeBody(visit.shape);
  if (visit === undefined || visit.deadline === 0 || ngx.now() <= visit.deadline) return 0;
  return -1;
}
