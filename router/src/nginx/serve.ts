/**
 * Where a request begins: who listens, which rule takes it, where it goes. What most requests need is done here, without a loop, an
 * allocation or a call that LuaJIT can't compile; all else in steps.ts.
 */
import {
  chooseBackend,
  findListener,
  findRule,
  hashValue,
  isQuick,
  longestName,
  normaliseHost,
  normalisePath,
  type RouterAction,
  type RouterBackend,
  type RouterListener,
  type RouterRule,
  type RouterTable,
  targetPath,
  targetQuery,
  wayOf,
} from '../main.ts';
import { answer } from './answer.ts';
import { portOf } from './came-in.ts';
import { isClosing } from './closing.ts';
import { hashedText } from './hashed.ts';
import { dropNominated } from './headers.ts';
import { identify } from './identity.ts';
import { takeFirst } from './places.ts';
import { type NginxRequest, reader } from './reader.ts';
import { serveRelayed } from './relay.ts';
import { C, currentRequest, methodOf, requestKey, setVariable } from './request.ts';
import type { Serving } from './serving.ts';
import { shapeOf } from './shape.ts';
import { proxyLocation, serveInSteps } from './steps.ts';
import { isMisdirected } from './tls.ts';
import { hasNumbered, numberedLength, numberedText, numberedVariable, requestTarget } from './variables.ts';
import { beginVisit, type Visit } from './visits.ts';
import { currentTable, knowsNothing } from './worker.ts';

const request: NginxRequest = {
  pointer: undefined as unknown as FFIPointer,
  target: '',
  host: '',
  path: '',
  method: '',
};

const hostHeader = numberedVariable('http_host');
const connectionHeader = numberedVariable('http_connection');
const upgradeHeader = numberedVariable('http_upgrade');
const acceptHeader = numberedVariable('http_accept');
const eventStream = 'text/event-stream';

/** rewrite_by_lua of the one location that clients reach. */
export function serve(): void {
  if (isClosing()) ngx.exec('@closing');
  serveLast();
}

/** What it does, whatever becomes of the connection. */
export function serveLast(): void {
  const pointer = currentRequest();
  const table = currentTable();
  const visit = beginVisit(requestKey(pointer));
  request.pointer = pointer;
  const target = requestTarget(pointer);
  request.target = target === undefined ? '/' : target;
  const cameIn = portOf(pointer);
  const socket = socketOf(cameIn);
  const port = socket === undefined ? undefined : table.slots[socket];
  if (port === undefined && cameIn === 0) serveRelayed(pointer, visit, request.target);
  if (port === undefined) answer(pointer, knowsNothing() ? 503 : 404);
  // These sockets are there whether anybody asks for them or not: no pod may say that it is somebody else by a PROXY header.
  if (cameIn >= firstBehindProxy && !asksForProxy(table, port)) answer(pointer, 400);
  const host = hostOf(pointer);
  if (host === undefined) answer(pointer, 400);
  request.host = host;
  const listener = findListener(table, port, host);
  visit.listener = listener;
  if (listener === undefined) answer(pointer, 404);
  if (isTls(socket!) && isMisdirected(table, port, pointer, listener!, host)) answer(pointer, 421);
  const plain = isPlain(request.target);
  const written = plain ? request.target : targetPath(request.target);
  const path = plain ? written : normalisePath(spans(written, pathBytes) ? written : escaped(written));
  if (path === undefined) answer(pointer, 400);
  request.path = path;
  request.method = methodOf(pointer);
  const rule = findRule(listener, request, reader);
  if (rule === undefined) answer(pointer, 404);
  const way = wayOf(table, rule);
  const action = way.action;
  // Nothing: the name is somebody else's than whose rules would come next.
  if (action === undefined) answer(pointer, rule.action === '' ? 404 : 500);
  visit.action = action;
  visit.way = way;
  identify(pointer, visit, table, port);
  if (numberedLength(pointer, connectionHeader) > 0) {
    const said = numberedText(pointer, connectionHeader)!;
    // What there is to say, mostly.
    if (said !== 'keep-alive' && said !== 'close' && said !== 'Keep-Alive' && said !== 'Upgrade')
      dropNominated(pointer, said);
  }
  const backend = way.backend;
  if (
    path === written &&
    (backend !== undefined || isQuick(action)) &&
    // Only these few need to be told what their connection becomes.
    !hasNumbered(pointer, upgradeHeader) &&
    !(isTls(socket!) && asksForEvents(pointer))
  ) {
    if (backend === undefined) drawAndSend(pointer, table, action, visit);
    else sendOn(backend, visit);
  } else {
    serveInSteps(serving(pointer, table, listener, port, rule, action, visit, written));
  }
}

/** What may stand in a path as it is (RFC 3986 §3.3); nginx lets more through. */
const plainBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._~!$&'()*+,;=:@-";
const pathBytes = `${plainBytes}%`;

/**
 * Routes can only say `/caf%C3%A9`, and to backends it is the same as what it stands for: whoever writes that mustn't get by. What is refused
 * (`#`, `\`) stays.
 */
function escaped(path: string): string {
  const [text] = string.gsub(path, "[^%w/._~!$&'()*+,;=:@%%#\\-]", (byte: string) =>
    string.format('%%%02X', byte.charCodeAt(0)),
  );
  return text;
}

/** Over TLS the common way gathers what has neither chunks nor a length that is reached soon, and holds headers until something follows. */
function asksForEvents(pointer: FFIPointer): boolean {
  if (numberedLength(pointer, acceptHeader) < eventStream.length) return false;
  const accept = numberedText(pointer, acceptHeader);
  return accept !== undefined && accept.indexOf(eventStream) !== -1;
}

function sendOn(backend: RouterBackend, visit: Visit): void {
  visit.backend = backend;
  visit.moreTries = backend.endpoints.length > 1 ? 1 : 0;
}

/** To one of several backends, as the request is. */
function drawAndSend(pointer: FFIPointer, table: RouterTable, action: RouterAction, visit: Visit): void {
  const choice = chooseBackend(action, action.backends.length > 1 ? math.random() : 0);
  const key = choice === undefined ? undefined : choice.backend;
  const backend = key === undefined ? undefined : table.backends[key];
  if (backend === undefined)
    answer(pointer, action.intent.refused === undefined ? 500 : action.intent.refused);
  if (backend.endpoints.length === 0) answer(pointer, 503);
  sendOn(backend, visit);
  if (backend.spread !== undefined) sendWithCare(pointer, backend, visit);
  if (backend.intent.protocol === 'h2c') ngx.exec(proxyLocation(true, 0, false));
}

/** To one of its endpoints that a policy of it allows. */
function sendWithCare(pointer: FFIPointer, backend: RouterBackend, visit: Visit): never {
  const hash = backend.spread!.hash;
  const text = hash === undefined ? undefined : hashedText(pointer, request.target, request.path, hash);
  if (text !== undefined) shapeOf(visit).wanted = hashValue(text);
  if (takeFirst(visit, backend, undefined) === undefined) answer(pointer, 503);
  const query = targetQuery(request.target);
  setVariable(pointer, 'netloom_uri', query === undefined ? request.path : `${request.path}?${query}`);
  ngx.exec(proxyLocation(backend.intent.protocol === 'h2c', 0, false));
}

/** A path that is its own normal form, without a query: what others are known by is looked for at once. */
function isPlain(target: string): boolean {
  return (
    target.charCodeAt(0) === slash &&
    spans(target, plainBytes) &&
    target.indexOf('/.') === -1 &&
    target.indexOf('//') === -1
  );
}

/** Whether there is nothing else in a text. */
function spans(text: string, bytes: string): boolean {
  return tonumber(C.strspn(text, bytes) as unknown as string) === text.length;
}

function serving(
  pointer: FFIPointer,
  table: RouterTable,
  listener: RouterListener,
  port: string,
  rule: RouterRule,
  action: RouterAction,
  visit: Visit,
  written: string,
): Serving {
  const { target, host, path, method } = request;
  return { pointer, table, listener, port, rule, action, visit, written, target, host, path, method };
}

const slash = 47;
/** Of the sockets that take PROXY headers. */
const firstBehindProxy = 11_000;

function asksForProxy(table: RouterTable, port: string): boolean {
  const intent = table.ports[port];
  return intent !== undefined && intent.proxyProtocol === true;
}

/** `KIND/SLOT` by the port that a connection came in at. */
const sockets: Record<number, string | undefined> = {};

function socketOf(port: number): string | undefined {
  const known = sockets[port];
  if (known !== undefined) return known;
  const made = nameSocket(port);
  sockets[port] = made;
  return made;
}

/** Ports of listening sockets, as in the registry. */
function nameSocket(port: number): string | undefined {
  const slot = port >= firstBehindProxy ? port - 1_000 : port;
  if (slot < 10_000 || slot >= 10_300) return undefined;
  if (slot < 10_100) return `http/${slot - 10_000}`;
  return slot < 10_200 ? `https/${slot - 10_100}` : `tls/${slot - 10_200}`;
}

/** Hosts as routes write them, by what clients write. */
let hosts: Record<string, string | undefined> = {};
let hostCount = 0;
const hostLimit = 10_000;
/** A name of DNS, its last dot and a port. */
const longestKept = longestName + 7;

/** `undefined`: it isn't a name or an address with or without a port. */
function hostOf(pointer: FFIPointer): string | undefined {
  const written = numberedText(pointer, hostHeader);
  if (written === undefined) return '';
  const known = hosts[written];
  if (known !== undefined) return known;
  if (!isHost(written)) return undefined;
  const host = normaliseHost(written);
  // What is longer than a name isn't kept: with sixteen kilobytes each a stranger could fill a worker's memory.
  if (written.length > longestKept) return host;
  if (hostCount >= hostLimit) {
    hosts = {};
    hostCount = 0;
  }
  hosts[written] = host;
  hostCount += 1;
  return host;
}

/** What nginx lets through besides may be another host to a backend that makes an address of it: `shop.test:80@evil`, `evil#.shop.test`. */
function isHost(written: string): boolean {
  const [name] = string.find(written, '^[%w._-]*:?%d*$');
  if (name !== undefined) return true;
  const [literal] = string.find(written, '^%[[%x:.]+%]:?%d*$');
  return literal !== undefined;
}

/** `https/…` and `tls/…`. */
function isTls(socket: string): boolean {
  return socket.charCodeAt(4) === 115 || socket.charCodeAt(0) === 116;
}
