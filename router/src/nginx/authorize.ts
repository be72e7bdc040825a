/** External authorization: another service is asked whether a request may pass (GEP-1494), before anything is sent on. */
import type { GatewayExternalAuth } from '../../../src/intent/gateway.ts';
import { targetQuery } from '../main.ts';
import { answer } from './answer.ts';
import { askOverHTTP2 } from './aside.ts';
import { checkPath, checkRequest, readVerdict } from './authorize-grpc.ts';
import { hearAsIngress, questionMethod, tellAsIngress } from './authorize-ingress.ts';
import { limitBody } from './body-limit.ts';
import { C, currentRequest, requestKey, requestName, variable } from './request.ts';
import type { Serving } from './serving.ts';
import { shapeOf } from './shape.ts';
import { mayChange, toAnswer, toRequest } from './sinks.ts';
import { bodyIsRead, mostUnsaid, spoolBody, unsaid } from './spool.ts';
import { beginChild, visitOf } from './visits.ts';

/** nginx's number of POST. */
const postMethod = 8;
/** What is always told, beside the method, the path and the length of what is sent along. */
const alwaysAllowed = ['host', 'authorization', 'content-length', 'content-type'];
/** Headers of an answer that are about a connection of the gateway's own. */
const notPassedOn = ['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'upgrade', 'trailer'];
/** Headers of an answer that tell of itself, not of who asks: nothing in the request is to say them. */
const ofAnswer = ['host', 'date', 'server', 'content-type', 'content-encoding', 'set-cookie'];
/** Those of the client stay, unless the service says others. */
const credentials = ['authorization', 'cookie'];

/** Returns when it may pass. */
export function authorize(serving: Serving, auth: GatewayExternalAuth): void {
  const { pointer, table, visit } = serving;
  const backend = auth.backend === undefined ? undefined : table.backends[auth.backend];
  if (backend === undefined) answer(pointer, 500);
  if (backend.endpoints.length === 0) answer(pointer, 503);
  visit.judge = backend;
  if (auth.forwardBody !== undefined) readBody(serving);
  const key = requestName(pointer);
  // What was matched and will be sent, not what was written: who judges must not see another path than the backend.
  const query = targetQuery(serving.target);
  const target = query === undefined ? serving.path : `${serving.path}?${query}`;
  if (auth.protocol === 'grpc') {
    judgeByGRPC(serving, auth, key, target);
    return;
  }
  const own = auth.asIngress;
  const said = ngx.location.capture('netloom-auth', {
    method: own === undefined ? C.ngx_http_lua_ffi_req_get_method(pointer) : questionMethod(pointer, own),
    body: auth.forwardBody === undefined ? '' : bodyStart(auth.forwardBody),
    vars: questionVariables(pointer, key, own === undefined ? `${auth.path}${target}` : auth.path),
  });
  if (own !== undefined) {
    hearAsIngress(serving, auth, own, said, target);
    return;
  }
  if (said.status === 200) {
    // What is the service's to say isn't the client's: else it would be whoever it says, wherever the service says nothing.
    for (const name of auth.allowedResponseHeaders) {
      if (!isIn(credentials, name.toLowerCase())) toRequest.remove(name);
    }
    for (const [name, value] of pairs(said.header)) {
      if (isHeard(auth.allowedResponseHeaders, name.toLowerCase()) && mayChange(name, ''))
        ngx.req.set_header(name, value);
    }
    return;
  }
  for (const [name, value] of pairs(said.header)) {
    if (!isIn(notPassedOn, name.toLowerCase())) ngx.header[name] = value;
  }
  ngx.status = said.status;
  ngx.print(said.body);
  ngx.exit(ngx.status);
}

/** Returns when it may pass. Without a word that can be understood it may not. */
function judgeByGRPC(
  { pointer, method, visit }: Serving,
  auth: GatewayExternalAuth,
  key: string,
  target: string,
): void {
  const [all] = ngx.req.get_headers(0);
  const headers: Record<string, string> = {};
  for (const [name, value] of pairs(all)) {
    const lower = name.toLowerCase();
    // Where none is named, all are told.
    if (auth.allowedHeaders.length === 0 || isIn(auth.allowedHeaders, lower)) {
      headers[lower] = typeof value === 'string' ? value : table.concat(value, ', ');
    }
  }
  const said = ngx.location.capture('netloom-auth', {
    method: postMethod,
    body: checkRequest({
      id: textOf(variable(pointer, 'netloom_request_id')),
      method,
      headers,
      target,
      host: textOf(variable(pointer, 'http_host')),
      scheme: textOf(variable(pointer, 'netloom_scheme')),
      protocol: textOf(variable(pointer, 'server_protocol')),
      body: auth.forwardBody === undefined ? undefined : bodyStart(auth.forwardBody),
      address: textOf(variable(pointer, 'netloom_client')),
    }),
    vars: questionVariables(pointer, key, checkPath),
  });
  const verdict = said.status === 200 ? readVerdict(said.body) : undefined;
  if (verdict === undefined) answer(pointer, 503);
  if (verdict.allowed) {
    for (const { name, value, append } of verdict.headers) {
      if (append) toRequest.add(name, value);
      else toRequest.set(name, value);
    }
    for (const name of verdict.remove) if (name.toLowerCase() !== 'host') toRequest.remove(name);
    if (verdict.answerHeaders.length > 0) visit.judged = verdict.answerHeaders;
    return;
  }
  for (const { name, value, append } of verdict.headers) {
    if (append) toAnswer.add(name, value);
    else toAnswer.set(name, value);
  }
  ngx.status = verdict.status;
  ngx.print(verdict.body);
  ngx.exit(verdict.status);
}

/** Variables of nginx are a question's own: who asks and how is told as it is to the backend. */
function questionVariables(pointer: FFIPointer, visit: string, uri: string): Record<string, string> {
  return {
    netloom_visit: visit,
    netloom_uri: uri,
    netloom_client: textOf(variable(pointer, 'netloom_client')),
    netloom_forwarded: textOf(variable(pointer, 'netloom_forwarded')),
    netloom_scheme: textOf(variable(pointer, 'netloom_scheme')),
    netloom_port: textOf(variable(pointer, 'netloom_port')),
  };
}

function textOf(text: string | undefined): string {
  return text === undefined ? '' : text;
}

/** Whether a header of the answer goes on with the request: those that are allowed; where none is named, all. */
function isHeard(this: void, allowed: readonly string[], lower: string): boolean {
  if (allowed.length > 0) return isIn(allowed, lower);
  return !isIn(notPassedOn, lower) && !isIn(ofAnswer, lower);
}

/** rewrite_by_lua of the location that asks. */
export function prepareQuestion(): void {
  const pointer = currentRequest();
  const key = tonumber(variable(pointer, 'netloom_visit'));
  const parent = key === undefined ? undefined : visitOf(key);
  if (parent === undefined || parent.judge === undefined) ngx.exit(500);
  const auth = parent.action?.intent.externalAuth;
  const byGRPC = auth?.protocol === 'grpc';
  const allowed = auth === undefined ? [] : auth.allowedHeaders;
  if (auth?.asIngress !== undefined) tellAsIngress(pointer);
  else tellWhatIsAllowed(allowed, byGRPC);
  if (byGRPC) ngx.req.set_header('Content-Type', 'application/grpc');
  const judge = parent.judge;
  const overHTTP2 = byGRPC || judge.intent.protocol === 'h2c';
  beginChild(requestKey(pointer), parent, overHTTP2 ? askOverHTTP2(judge) : judge);
}

function tellWhatIsAllowed(allowed: readonly string[], byGRPC: boolean): void {
  const [headers] = ngx.req.get_headers(0, true);
  for (const [name] of pairs(headers)) {
    const lower = name.toLowerCase();
    const told = byGRPC
      ? lower === 'content-length' || lower === 'host'
      : isIn(alwaysAllowed, lower) || isIn(allowed, lower);
    if (!told) ngx.req.clear_header(name);
  }
}

/** Whole, whatever the service is told of it: nginx reads no part of one. So it is counted before, as all that may lie on disk. */
function readBody({ pointer, action, visit }: Serving): void {
  // The firewall looked at it, and it lies there, counted.
  if (visit.serving !== undefined) return;
  const { namespace } = action.intent.origin;
  const refused = spoolBody(pointer, visit, namespace === undefined ? '' : namespace);
  if (refused === unsaid) {
    if (visit.mostBody === 0 || visit.mostBody > mostUnsaid) visit.mostBody = mostUnsaid;
    if (!limitBody(pointer, visit)) answer(pointer, 411);
  } else if (refused > 0) answer(pointer, refused);
  ngx.req.read_body();
  if (refused === unsaid) bodyIsRead(shapeOf(visit), ngx.req.get_body_file());
}

/** At most `limit` bytes of the request's body, which was read. */
function bodyStart(limit: number): string {
  const text = ngx.req.get_body_data();
  if (text !== undefined) return text.slice(0, limit);
  const path = ngx.req.get_body_file();
  if (path === undefined) return '';
  const [file] = io.open(path, 'r');
  if (file === undefined) return '';
  const read = file.read(limit);
  file.close();
  return read === undefined ? '' : read;
}

function isIn(this: void, names: readonly string[], lower: string): boolean {
  for (const name of names) if (name.toLowerCase() === lower) return true;
  return false;
}
