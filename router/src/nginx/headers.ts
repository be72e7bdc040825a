/** Headers of requests on the way in, and of answers on the way out. */
import type { GatewayHeaderChange } from '../../../src/intent/gateway.ts';
import { changeHeaders, type HeaderSink } from '../main.ts';
import { currentRequest, requestKey } from './request.ts';
import { visitOf } from './visits.ts';

const requestAdditions = require('ngx.req') as {
  readonly add_header: (this: void, name: string, value: string) => void;
};
const answerAdditions = require('ngx.resp') as {
  readonly add_header: (this: void, name: string, value: string) => void;
};

/** What a body is read by: said otherwise, what follows it would be read as another request. */
const framing = ['content-length', 'transfer-encoding'];

/** A line break in a name or a value would begin another header. Checked when it was read, and once more. */
export function isSafe(this: void, name: string, value: string): boolean {
  const [inName] = string.find(name, "[^%w!#$%%&'*+.^_`|~-]");
  const [inValue] = string.find(value, '[%z\r\n]');
  return inName === undefined && inValue === undefined && name !== '';
}

export function mayChange(this: void, name: string, value: string): boolean {
  return isSafe(name, value) && !framing.includes(name.toLowerCase());
}

export const toRequest: HeaderSink = {
  set: (name, value) => {
    if (mayChange(name, value)) ngx.req.set_header(name, value);
  },
  add: (name, value) => {
    if (mayChange(name, value)) requestAdditions.add_header(name, value);
  },
  remove: (name) => {
    if (mayChange(name, '')) ngx.req.clear_header(name);
  },
};

export const toAnswer: HeaderSink = {
  set: (name, value) => {
    if (mayChange(name, value)) ngx.header[name] = value;
  },
  add: (name, value) => {
    if (mayChange(name, value)) answerAdditions.add_header(name, value);
  },
  remove: (name) => {
    if (mayChange(name, '')) ngx.header[name] = undefined;
  },
};

export function changeRequest(change: GatewayHeaderChange): void {
  changeHeaders(change, toRequest);
}

/** What a proxy must not take away because a client says so: all that backends are told by us, and what a body is read by. */
const kept = ['host', 'content-length', 'transfer-encoding', 'authorization', 'cookie'];

/** Headers that the client's Connection names are about its connection (RFC 9110 §7.6.1), and go no further. */
export function dropNominated(connection: string): void {
  for (const part of connection.split(',')) {
    const name = part.trim().toLowerCase();
    if (name !== 'keep-alive' && name !== 'close' && name !== 'upgrade' && !kept.includes(name))
      toRequest.remove(name);
  }
}

/** header_filter_by_lua of locations that answers may be changed in. */
export function changeAnswer(): void {
  const visit = visitOf(requestKey(currentRequest()));
  const answer = visit === undefined ? undefined : visit.answer;
  if (answer === undefined) return;
  for (const change of answer.changes) changeHeaders(change, toAnswer);
  for (const { name, value, append } of answer.judged) {
    if (append) toAnswer.add(name, value);
    else toAnswer.set(name, value);
  }
  for (const { name, value } of answer.headers) {
    if (name === 'Set-Cookie' || name === 'Vary') toAnswer.add(name, value);
    else toAnswer.set(name, value);
  }
}

/** body_filter_by_lua of locations with a time limit: -1 ends the connection, since the answer has begun. */
export function limitAnswer(): number {
  const visit = visitOf(requestKey(currentRequest()));
  if (visit === undefined || visit.deadline === 0 || ngx.now() <= visit.deadline) return 0;
  return -1;
}
