/** Requests that need more than being sent on: what their rule's filters ask for, in the order of the specification, and then where to. */
import type {
  GatewayCORS,
  GatewayFilters,
  GatewayHeaderChange,
  GatewayRedirect,
  GatewayWeightedBackend,
} from '../../../src/intent/gateway.ts';
import {
  type CORSHeader,
  chooseBackend,
  corsHeaders,
  isMirrored,
  isPreflight,
  nextEndpoint,
  preflightHeaders,
  type RouterAction,
  type RouterBackend,
  type RouterTable,
  redirectLocation,
  rewrittenPath,
  targetQuery,
} from '../main.ts';
import { answer } from './answer.ts';
import { authorize } from './authorize.ts';
import { askPassword } from './basic-auth.ts';
import { firewallOf, inspect, inspectWithBody } from './firewall.ts';
import { guard } from './guard.ts';
import { setPath } from './h2c-path.ts';
import { changeRequest } from './headers.ts';
import { pauseOf } from './pause.ts';
import { capturesOf } from './reader.ts';
import { C, headerOf, requestKey, setVariable, variable, variableLength } from './request.ts';
import type { Serving } from './serving.ts';
import { beginSession, sessionOf } from './sessions.ts';
import type { Visit } from './visits.ts';

/** The location of nginx.conf that sends on in such a way. `retries` as retryClass has it. */
export function proxyLocation(h2c: boolean, retries: number, timed: boolean): string {
  if (retries > 0) return h2c ? `@h2c${retries}` : `@http${retries}`;
  if (h2c) return timed ? '@h2c_timed' : '@h2c';
  return timed ? '@http_timed' : '@http';
}

/** Does not return: it ends in an answer or in another location. */
export function serveInSteps(serving: Serving): void {
  const { cors, refused, policy } = serving.action.intent;
  if (refused !== undefined) answer(serving.pointer, refused);
  if (policy !== undefined || serving.action.tenant !== undefined) guard(serving);
  const headers = cors === undefined ? [] : crossOrigin(serving, cors);
  const firewall = policy === undefined ? undefined : firewallOf(serving);
  if (firewall !== undefined) inspect(serving, firewall);
  goOn(serving, headers);
}

/** rewrite_by_lua of the location where bodies are read for the firewall. */
export function serveInspected(): void {
  const serving = inspectWithBody();
  const { cors } = serving.action.intent;
  goOn(serving, cors === undefined ? [] : crossOrigin(serving, cors));
}

function goOn(serving: Serving, ofCORS: readonly CORSHeader[]): void {
  const { pointer, table, action, visit } = serving;
  const intent = action.intent;
  let headers = ofCORS;
  if (intent.policy !== undefined) askPassword(serving, intent.policy);
  if (intent.redirect !== undefined) redirect(serving, intent.redirect, headers);
  if (intent.externalAuth !== undefined) authorize(serving, intent.externalAuth);

  const { persistence } = intent;
  const session = persistence === undefined ? undefined : sessionOf(serving, persistence);
  const choice =
    session === undefined
      ? chooseBackend(action, action.backends.length > 1 ? math.random() : 0)
      : choiceOf(action, session.backend);
  if (choice?.redirect !== undefined) redirect(serving, choice.redirect, headers);
  const backend = session === undefined ? backendOf(table, choice) : session.backend;
  if (choice === undefined || backend === undefined) answer(pointer, 500);
  if (backend.endpoints.length === 0) answer(pointer, 503);
  visit.backend = backend;
  if (persistence !== undefined) {
    visit.endpoint = session === undefined ? nextEndpoint(backend, math.random()) : session.endpoint;
    if (session === undefined)
      headers = [...headers, beginSession(pointer, persistence, backend, visit.endpoint!)];
  }
  noteAnswer(visit, intent.filters, choice.filters, headers);
  noteTries(serving, backend);

  let path = rewritten(serving, intent.filters, serving.path);
  path = rewritten(serving, choice.filters, path);
  if (intent.filters?.request !== undefined) changeRequest(intent.filters.request);
  if (choice.filters?.request !== undefined) changeRequest(choice.filters.request);
  const h2c = backend.intent.protocol === 'h2c';
  const location = proxyLocation(h2c, action.retryClass, intent.timeouts?.request !== undefined);
  const mirrored = intent.mirrors !== undefined && noteMirrors(serving);
  sendPath(serving, path, h2c, mirrored);
  if (mirrored) {
    visit.next = location;
    ngx.exec('@mirrored');
  }
  ngx.exec(location);
}

/** A cache must not give what an origin that isn't allowed was told, or nobody in particular, to one that is. */
const varies: readonly CORSHeader[] = [{ name: 'Vary', value: 'Origin' }];

/** What is said to the browser beside the backend's answer; a preflight ends here. */
function crossOrigin({ pointer, method }: Serving, cors: GatewayCORS): readonly CORSHeader[] {
  const origin = headerOf(pointer, 'origin');
  if (origin === undefined) return varies;
  const asked = headerOf(pointer, 'access-control-request-method');
  if (!isPreflight(method, origin, asked)) {
    const headers = corsHeaders(cors, origin);
    return headers.length === 0 ? varies : headers;
  }
  say(preflightHeaders(cors, origin, asked, headerOf(pointer, 'access-control-request-headers')));
  ngx.exit(204);
}

function backendOf(
  table: RouterTable,
  choice: GatewayWeightedBackend | undefined,
): RouterBackend | undefined {
  const key = choice?.backend;
  return key === undefined ? undefined : table.backends[key];
}

function choiceOf(action: RouterAction, backend: RouterBackend): GatewayWeightedBackend | undefined {
  for (const choice of action.backends) if (choice.backend === backend.key) return choice;
  return undefined;
}

/** First what the rule asks for, then its backend. */
function noteAnswer(
  visit: Visit,
  outer: GatewayFilters | undefined,
  inner: GatewayFilters | undefined,
  headers: readonly CORSHeader[],
): void {
  const changes: GatewayHeaderChange[] = [];
  if (outer?.response !== undefined) changes.push(outer.response);
  if (inner?.response !== undefined) changes.push(inner.response);
  const judged = visit.judged === undefined ? [] : visit.judged;
  if (changes.length + headers.length + judged.length > 0) visit.answer = { changes, headers, judged };
}

function noteTries({ pointer, action, visit }: Serving, backend: RouterBackend): void {
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

function redirect(serving: Serving, to: GatewayRedirect, headers: readonly CORSHeader[]): void {
  const { pointer, table, port, path, target, rule } = serving;
  const intent = table.ports[port];
  const scheme = variable(pointer, 'https') === 'on' ? 'https' : 'http';
  const written = variable(pointer, 'http_host');
  const location = redirectLocation(
    to,
    {
      scheme,
      host: hostWithoutPort(written === undefined ? '' : written),
      port: intent === undefined ? 80 : intent.port,
      path,
      query: targetQuery(target),
    },
    rule,
    capturesOf,
  );
  say(headers);
  ngx.header['Location'] = safeText(location);
  ngx.exit(to.statusCode);
}

function say(headers: readonly CORSHeader[]): void {
  for (const { name, value } of headers) ngx.header[name] = value;
}

function hostWithoutPort(host: string): string {
  const bracket = host.indexOf(']');
  const colon = host.indexOf(':', bracket === -1 ? 0 : bracket);
  return colon === -1 ? host : host.slice(0, colon);
}

function rewritten(serving: Serving, filters: GatewayFilters | undefined, path: string): string {
  const rewrite = filters?.rewrite;
  if (rewrite === undefined) return path;
  if (rewrite.hostname !== undefined)
    setVariable(serving.pointer, 'netloom_host', safeText(rewrite.hostname));
  if (rewrite.path === undefined) return path;
  return rewrittenPath(rewrite.path, path, serving.rule, serving.path, capturesOf);
}

/** What is matched, or what a filter made of it, is what is sent; the query stays as it came. */
function sendPath(serving: Serving, path: string, h2c: boolean, mirrored: boolean): void {
  const query = targetQuery(serving.target);
  if (!h2c || mirrored) {
    const sent = safeText(path);
    // A path that was put together of what a pattern captured may have a query of its own.
    const mark = sent.indexOf('?') === -1 ? '?' : '&';
    setVariable(serving.pointer, 'netloom_uri', query === undefined ? sent : `${sent}${mark}${query}`);
  }
  // Escapes in small letters are the same to everybody.
  const same = path === serving.path && serving.written.toUpperCase() === path.toUpperCase();
  if (h2c && !same) {
    if (!setPath(path)) answer(serving.pointer, 400);
  }
}

/** Without what can't stand in a request line or a header: a filter's value was checked when it was read, and is once more. */
function safeText(text: string): string {
  const [found] = string.find(text, '[^!-~]');
  if (found === undefined) return text;
  const [safe] = string.gsub(text, '[^!-~]', (byte: string) => string.format('%%%02X', byte.charCodeAt(0)));
  return safe;
}

/** Draws which mirrors get this request; false: none. */
function noteMirrors({ pointer, table, action, visit }: Serving): boolean {
  const keys: string[] = [];
  for (const { backend, share } of action.intent.mirrors!) {
    const known = table.backends[backend];
    if (known !== undefined && known.endpoints.length > 0 && isMirrored(share, math.random()))
      keys.push(backend);
  }
  if (keys.length === 0) return false;
  visit.mirrors = keys;
  setVariable(pointer, 'netloom_visit', tostring(requestKey(pointer)));
  return true;
}
