/**
 * The way by relay.sock, a socket of nginx's own. What nginx can do to answers by location only (asking for a page, compressing, gathering)
 * and what it can do to tries by location only (retries) would need a location for each pair; instead the request is sent to the one, and
 * from there through the other. It carries who it is for in a header, which no client can send there.
 */
import { asksForPages, prepareBackend, type RouterBackend, type RouterEndpoint } from '../main.ts';
import { answer } from './answer.ts';
import { settle, takeFirst } from './places.ts';
import { currentRequest, headerOf, requestKey, setVariable } from './request.ts';
import type { Serving } from './serving.ts';
import { beginShape, createShape, isPlainHTTP, type Shape } from './shape.ts';
import { isSafe } from './sinks.ts';
import { spoolAnswer } from './spool.ts';
import { noteTries } from './tries.ts';
import { endVisit, type Visit, visitOf } from './visits.ts';
import { currentTable } from './worker.ts';

const relayHeader = 'X-Netloom-Relay';
/** In no key. */
const separator = '\t';

const socket = prepareBackend('relay', {
  origin: { kind: 'Gateway', name: 'relay' },
  protocol: 'http',
  endpoints: ['unix:/run/netloom-gateway/relay.sock'],
});

/** How the answer comes, as the location's name has it, and whether the request goes by the socket. */
export type Way = { readonly location: string; readonly relayed: boolean };

/** Undefined: as requests go without a policy. */
export function wayOf(serving: Serving, shape: Shape, h2c: boolean): Way | undefined {
  const { pointer, action, visit } = serving;
  const policy = shape.policy;
  if (policy === undefined || !isPlainHTTP(pointer)) return undefined;
  const encodings = policy.compression === undefined ? undefined : headerOf(pointer, 'accept-encoding');
  const gzip = encodings !== undefined && encodings.toLowerCase().indexOf('gzip') !== -1;
  const gathers = policy.buffering?.answers === true && spoolAnswer(visit);
  const asks = shape.errors !== undefined && asksForPages(shape.errors);
  const kind = `${gzip ? '_gzip' : ''}${gathers ? '_gathered' : ''}`;
  if (asks || (kind !== '' && action.retryClass > 0) || (gathers && h2c))
    return { location: `@relay${kind}`, relayed: true };
  // What is only said in headers, and texts, are made in any location that looks at bodies.
  if (kind === '') return undefined;
  return { location: `${h2c ? '@h2c' : '@http'}${kind}`, relayed: false };
}

/** The request is to be tried at the other end of the socket. `endpoint`: of its session. */
export function beginRelay(
  { action, visit }: Serving,
  shape: Shape,
  backend: RouterBackend,
  endpoint: RouterEndpoint | undefined,
): void {
  const parts = [
    backend.key,
    action.key,
    endpoint === undefined ? '-' : endpoint.name,
    tostring(shape.wanted),
  ];
  const text = parts.join(separator);
  if (!isSafe('x', text)) ngx.exit(500);
  ngx.req.set_header(relayHeader, text);
  visit.backend = socket;
  visit.endpoint = undefined;
  visit.moreTries = 0;
  // Time is looked at where it is tried, and whoever is late is told so from there.
  visit.pause = undefined;
  visit.deadline = 0;
  visit.tryTimeout = 0;
  // The other end says more of it.
  shape.upstream = '';
}

/** rewrite_by_lua at the other end. */
export function serveRelayed(pointer: FFIPointer, visit: Visit, target: string): void {
  const said = headerOf(pointer, 'x-netloom-relay');
  if (said === undefined) ngx.exit(400);
  const [backendKey, actionKey, endpointName, wanted] = said.split(separator) as [
    string,
    string,
    string,
    string,
  ];
  const table = currentTable();
  const backend = table.backends[backendKey];
  const action = table.actions[actionKey];
  if (action === undefined) ngx.exit(503);
  visit.action = action;
  const shape = relayedShape({ pointer, table, action, visit } as unknown as Serving);
  ngx.req.clear_header(relayHeader);
  if (backend === undefined || backend.endpoints.length === 0) answer(pointer, 503);
  shape.wanted = tonumber(wanted)!;
  visit.backend = backend;
  noteTries(pointer, action, visit, backend);
  if (takeFirst(visit, backend, endpointOf(backend, endpointName)) === undefined) answer(pointer, 503);
  setVariable(pointer, 'netloom_uri', target);
  const h2c = backend.intent.protocol === 'h2c';
  const retries = action.retryClass;
  ngx.exec(`${h2c ? '@h2c' : '@http'}${retries > 0 ? retries : '_timed'}`);
}

/** log_by_lua of it. */
export function endRelayed(): void {
  const pointer = currentRequest();
  const key = requestKey(pointer);
  const visit = visitOf(key);
  if (visit === undefined) return;
  if (visit.shape !== undefined) settle(pointer, visit.backend, visit.shape);
  endVisit(key, visit);
}

function relayedShape(serving: Serving): Shape {
  const begun = beginShape(serving);
  const shape = begun === undefined ? createShape(undefined) : begun;
  shape.relayed = true;
  serving.visit.shape = shape;
  return shape;
}

function endpointOf(backend: RouterBackend, name: string): RouterEndpoint | undefined {
  for (const endpoint of backend.endpoints) if (endpoint.name === name) return endpoint;
  return undefined;
}
