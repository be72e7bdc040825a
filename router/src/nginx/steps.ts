/** Requests that need more than being sent on: what their rule's filters ask for, in the order of the specification, and then where to. */
import type {
  GatewayCORS,
  GatewayFilters,
  GatewayHeaderChange,
  GatewayRedirect,
  GatewayWeightedBackend,
} from '../../../src/intent/gateway.ts';
import type { GatewayHash } from '../../../src/intent/gateway-policy.ts';
import {
  type CORSHeader,
  chooseBackend,
  corsHeaders,
  findCanary,
  hashDice,
  hashValue,
  isMirrored,
  isPreflight,
  nextEndpoint,
  preflightHeaders,
  type RouterAction,
  type RouterBackend,
  type RouterEndpoint,
  type RouterTable,
  redirectLocation,
  rewrittenPath,
  targetQuery,
} from '../main.ts';
import { answer } from './answer.ts';
import { authorize } from './authorize.ts';
import { askPassword } from './basic-auth.ts';
import { atHTTPS } from './ended-tls.ts';
import { firewallOf, inspect, inspectWithBody } from './firewall.ts';
import { guard } from './guard.ts';
import { setPath } from './h2c-path.ts';
import { hashedText } from './hashed.ts';
import { changeRequest } from './headers.ts';
import { leaveFirst, takeFirst } from './places.ts';
import { capturesOf, type NginxRequest, reader } from './reader.ts';
import { beginRelay, wayOf } from './relay.ts';
import { headerOf, numericVariable, requestName, setVariable, variable } from './request.ts';
import type { Serving } from './serving.ts';
import { beginSession, sessionOf } from './sessions.ts';
import { beginShape, isPlainHTTP, type Shape, shapeOf } from './shape.ts';
import { mostUnsaid, spoolBody, unsaid } from './spool.ts';
import { noteTries } from './tries.ts';
import type { Visit } from './visits.ts';

/** The location of nginx.conf that sends on in such a way. `retries` as retryClass has it. */
export function proxyLocation(h2c: boolean, retries: number, timed: boolean): string {
  if (retries > 0) return h2c ? `@h2c${retries}` : `@http${retries}`;
  if (h2c) return timed ? '@h2c_timed' : '@h2c';
  return timed ? '@http_timed' : '@http';
}

/** Does not return: it ends in an answer or in another location. */
export function serveInSteps(asked: Serving): void {
  const serving = atHTTPS(asked);
  const { cors, refused, policy } = serving.action.intent;
  if (refused !== undefined) answer(serving.pointer, refused);
  const shape = beginShape(serving);
  if (policy !== undefined || serving.action.tenant !== undefined) guard(serving);
  const headers = cors === undefined ? [] : crossOrigin(serving, cors);
  const firewall = policy === undefined ? undefined : firewallOf(serving);
  if (firewall !== undefined) inspect(serving, firewall);
  goOn(serving, headers, shape);
}

/** rewrite_by_lua of the location where bodies are read for the firewall. */
export function serveInspected(): void {
  const serving = inspectWithBody();
  const { cors } = serving.action.intent;
  goOn(serving, cors === undefined ? [] : crossOrigin(serving, cors), serving.visit.shape);
}

function goOn(serving: Serving, ofCORS: readonly CORSHeader[], shape: Shape | undefined): void {
  const { pointer, table, action, visit } = serving;
  const intent = action.intent;
  let headers = ofCORS;
  if (intent.policy !== undefined) askPassword(serving, intent.policy);
  if (intent.redirect !== undefined) redirect(serving, intent.redirect, headers);
  if (intent.externalAuth !== undefined) authorize(serving, intent.externalAuth);

  const { persistence } = intent;
  const session = persistence === undefined ? undefined : sessionOf(serving, persistence);
  const choice = session === undefined ? chosen(serving) : choiceOf(action, session.backend);
  if (choice?.redirect !== undefined) redirect(serving, choice.redirect, headers);
  const backend = session === undefined ? backendOf(table, choice) : session.backend;
  if (choice === undefined || backend === undefined) answer(pointer, 500);
  if (backend.endpoints.length === 0) answer(pointer, 503);
  visit.backend = backend;
  const h2c = backend.intent.protocol === 'h2c';
  noteTries(pointer, action, visit, backend);
  const way = shape === undefined ? undefined : wayOf(serving, shape, h2c);
  if (shape !== undefined) shape.backend = backend.key;
  const hash = backend.spread === undefined ? undefined : backend.spread.hash;
  if (hash !== undefined && intent.hash === undefined) noteHash(serving, hash);
  let endpoint = session?.endpoint;
  if (shape !== undefined || backend.spread !== undefined) {
    endpoint = takeFirst(visit, backend, endpoint);
    if (endpoint === undefined) answer(pointer, 503);
  } else if (persistence !== undefined && endpoint === undefined)
    endpoint = nextEndpoint(backend, math.random());
  visit.endpoint = endpoint;
  if (persistence !== undefined && endpoint !== undefined && movesSession(session?.endpoint, endpoint))
    headers = [...headers, beginSession(pointer, persistence, backend, endpoint)];
  noteAnswer(visit, intent.filters, choice.filters, headers);

  let path = rewritten(serving, intent.filters, serving.path);
  path = rewritten(serving, choice.filters, path);
  if (intent.filters?.request !== undefined) changeRequest(intent.filters.request);
  if (choice.filters?.request !== undefined) changeRequest(choice.filters.request);
  const timed = intent.timeouts?.request !== undefined || shape?.errors !== undefined;
  const location = way === undefined ? proxyLocation(h2c, action.retryClass, timed) : way.location;
  const mirrored = intent.mirrors !== undefined && noteMirrors(serving);
  const relayed = way?.relayed === true;
  sendPath(serving, path, h2c && !relayed, mirrored || relayed);
  // What is held at its endpoint is held again at the socket's other end.
  if (relayed) beginRelay(serving, shape!, backend, leaveFirst(visit));
  if (mirrored) visit.next = location;
  // Over HTTP/2 nginx keeps no body for another try, and a call may answer before all was said.
  const whole = mirrored || (action.retryClass > 0 && !h2c);
  sendBody(serving, shape, mirrored ? '@mirrored' : location, whole);
}

/** A body that must be whole is counted before it is read. */
function sendBody(serving: Serving, shape: Shape | undefined, location: string, whole: boolean): never {
  const { pointer, action, visit } = serving;
  const gathers = shape?.policy?.buffering?.requests === true && isPlainHTTP(pointer);
  if (gathers || whole) {
    const { namespace } = action.intent.origin;
    const refused = spoolBody(pointer, visit, namespace === undefined ? '' : namespace);
    if (refused === unsaid) {
      visit.afterSpool = location;
      if (visit.mostBody === 0 || visit.mostBody > mostUnsaid) visit.mostBody = mostUnsaid;
      ngx.exec('@spooled');
    }
    if (refused > 0) answer(pointer, refused);
    if (gathers) ngx.req.read_body();
  }
  ngx.exec(location);
}

/** Who is told that its session is at another endpoint from now on: not for a moment in which its own is only full. */
function movesSession(before: RouterEndpoint | undefined, now: RouterEndpoint): boolean {
  return before === undefined || (before !== now && before.out > ngx.now());
}

/** The backend's own, where the rule has none. */
function noteHash(serving: Serving, hash: GatewayHash): void {
  const text = hashedBy(serving, hash);
  if (text !== undefined) shapeOf(serving.visit).wanted = hashValue(text);
}

function hashedBy(serving: Serving, hash: GatewayHash): string | undefined {
  return hashedText(serving.pointer, serving.target, serving.path, hash);
}

/** One of the canary that takes the request, or else of the rule; the same for the same hash. */
function chosen(serving: Serving): GatewayWeightedBackend | undefined {
  const { action, visit } = serving;
  const canaries = action.canaries;
  const canary =
    canaries === undefined ? undefined : findCanary<NginxRequest>(canaries, serving, reader, math.random());
  const hash = action.intent.hash;
  const value = hash === undefined ? undefined : hashedBy(serving, hash);
  if (value === undefined) return chooseBackend(canary === undefined ? action : canary, math.random());
  const wanted = hashValue(value);
  shapeOf(visit).wanted = wanted;
  return chooseBackend(canary === undefined ? action : canary, hashDice(wanted));
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
  for (const { backends } of action.canaries ?? [])
    for (const choice of backends) if (choice.backend === backend.key) return choice;
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

function redirect(serving: Serving, to: GatewayRedirect, headers: readonly CORSHeader[]): void {
  const { pointer, path, target, rule } = serving;
  const written = variable(pointer, 'http_host');
  const location = redirectLocation(
    to,
    {
      scheme: variable(pointer, 'netloom_scheme') === 'https' ? 'https' : 'http',
      host: hostWithoutPort(written === undefined ? '' : written),
      port: numericVariable(pointer, 'netloom_port'),
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
    const mark = path.indexOf('?');
    if (!setPath(mark === -1 ? path : path.slice(0, mark))) answer(serving.pointer, 400);
    const own = path.slice(mark + 1);
    if (mark !== -1) ngx.req.set_uri_args(safeText(query === undefined ? own : `${own}&${query}`));
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
  setVariable(pointer, 'netloom_visit', requestName(pointer));
  return true;
}
