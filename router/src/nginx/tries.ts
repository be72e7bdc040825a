/** How often and for how long a request is tried. */
import type { RouterAction, RouterBackend } from '../main.ts';
import { pauseOf } from './pause.ts';
import { C, variableLength } from './request.ts';
import type { Visit } from './visits.ts';

export function noteTries(
  pointer: FFIPointer,
  action: RouterAction,
  visit: Visit,
  backend: RouterBackend,
): void {
  const { timeouts, retry } = action.intent;
  visit.moreTries = retry === undefined ? (backend.endpoints.length > 1 ? 1 : 0) : retry.attempts;
  if (retry?.backoff !== undefined && retry.backoff > 0) {
    visit.pause = pauseOf(retry.backoff);
    visit.moreTries *= 2;
  }
  // What becomes a WebSocket has no end that could be late; nginx would end one that is silent for as long.
  if (timeouts === undefined || variableLength(pointer, 'netloom_upgrade') > 0) return;
  if (timeouts.request !== undefined && timeouts.request > 0) {
    visit.deadline = C.ngx_http_lua_ffi_req_start_time(pointer) + timeouts.request / 1000;
  }
  if (timeouts.backend !== undefined) visit.tryTimeout = timeouts.backend;
}
