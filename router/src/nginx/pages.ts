/**
 * Pages in place of answers that say that something went wrong. Texts are put in on the way out; a page of a backend is asked for in `@page`,
 * where nginx comes by itself from our own answers, and from those of backends by way of relay.ts.
 */
import type { GatewayErrorPage } from '../../../src/intent/gateway-policy.ts';
import { pageOf, pageStatus } from '../main.ts';
import { askOverHTTP2 } from './aside.ts';
import { letGo, settle } from './places.ts';
import { currentRequest, requestKey, setVariable, variable } from './request.ts';
import type { Shape } from './shape.ts';
import { mayChange } from './sinks.ts';
import { visitOf } from './visits.ts';
import { currentTable } from './worker.ts';

/** Says with which status a page is to be shown, where another one of nginx's own requests asks for it. */
export const codeHeader = 'X-Netloom-Code';

/** In place of an answer of our own; returns where there is none. */
export function showPage(pointer: FFIPointer, status: number): void {
  const visit = visitOf(requestKey(pointer));
  const shape = visit === undefined ? undefined : visit.shape;
  if (shape === undefined || shape.errors === undefined || shape.pageStatus > 0) return;
  const page = pageOf(shape.errors, status);
  if (page === undefined) return;
  if (page.backend === undefined) {
    shape.pageStatus = status;
    sayText(page, status);
  } else if (shape.relayed) {
    ngx.header[codeHeader] = tostring(status);
    shape.marked = true;
    ngx.exit(pageStatus);
  } else {
    shape.pageStatus = status;
    ngx.exec('@page');
  }
}

/** In a header filter: what becomes of a backend's answer. */
export function replaceAnswer(shape: Shape, status: number): void {
  if (shape.pageStatus > 0) {
    // The page's answer.
    ngx.status = shape.pageStatus;
    return;
  }
  // Nobody but us says so.
  if (shape.relayed && status === pageStatus && !shape.marked) ngx.status = 500;
  if (shape.errors === undefined) return;
  const page = pageOf(shape.errors, status);
  if (page === undefined) return;
  if (page.backend === undefined) {
    shape.pageStatus = status;
    describeText(page);
    shape.body = page.body === undefined ? '' : page.body.text;
  } else if (shape.relayed) {
    ngx.header[codeHeader] = tostring(status);
    shape.marked = true;
    ngx.status = pageStatus;
    ngx.header['Content-Length'] = '0';
    shape.body = '';
  }
}

/** rewrite_by_lua of `@page`: what the page's backend is asked. */
export function askForPage(): void {
  const pointer = currentRequest();
  const visit = visitOf(requestKey(pointer));
  const shape = visit === undefined ? undefined : visit.shape;
  if (visit === undefined || shape === undefined || shape.errors === undefined) ngx.exit(500);
  if (shape.pageStatus === 0) takeOver(pointer, shape);
  const page = pageOf(shape.errors, shape.pageStatus);
  const backend = page?.backend === undefined ? undefined : currentTable().backends[page.backend];
  if (backend === undefined || backend.endpoints.length === 0) sayStatus(shape.pageStatus);
  settle(pointer, visit.backend, shape);
  letGo(shape);
  shape.wanted = -1;
  visit.backend = backend.intent.protocol === 'h2c' ? askOverHTTP2(backend) : backend;
  visit.endpoint = undefined;
  visit.tries = 0;
  visit.pause = undefined;
  visit.moreTries = backend.endpoints.length > 1 ? 1 : 0;
  visit.deadline = 0;
  visit.tryTimeout = 5_000;
  setVariable(pointer, 'netloom_code', tostring(shape.pageStatus));
  setVariable(pointer, 'netloom_uri', '/');
}

/** content_by_lua where the page can't be had. */
export function withoutPage(): void {
  const visit = visitOf(requestKey(currentRequest()));
  const shape = visit === undefined ? undefined : visit.shape;
  sayStatus(shape === undefined ? 500 : shape.pageStatus);
}

/** From the answer that came by relay.sock: its status, and headers that belong to it whatever its body is. */
function takeOver(pointer: FFIPointer, shape: Shape): void {
  const code = tonumber(variable(pointer, 'upstream_http_x_netloom_code'));
  shape.pageStatus = code === undefined ? 500 : code;
  const upstream = variable(pointer, 'upstream_http_x_netloom_upstream');
  if (upstream !== undefined) shape.upstream = upstream;
  const challenge = variable(pointer, 'upstream_http_www_authenticate');
  if (challenge !== undefined && mayChange('WWW-Authenticate', challenge))
    ngx.header['WWW-Authenticate'] = challenge;
  const later = variable(pointer, 'upstream_http_retry_after');
  if (later !== undefined && mayChange('Retry-After', later)) ngx.header['Retry-After'] = later;
}

function sayText(page: GatewayErrorPage, status: number): never {
  describeText(page);
  ngx.status = status;
  ngx.print(page.body === undefined ? '' : page.body.text);
  ngx.exit(status);
}

function sayStatus(status: number): never {
  ngx.status = status;
  ngx.header['Content-Type'] = 'text/plain';
  ngx.print(`${status}\n`);
  ngx.exit(status);
}

/** What is said of the body that was there is not said of the text. */
const ofBody = [
  'Content-Encoding',
  'Content-Language',
  'ETag',
  'Last-Modified',
  'Accept-Ranges',
  'Content-MD5',
];

function describeText({ body }: GatewayErrorPage): void {
  for (const name of ofBody) ngx.header[name] = undefined;
  if (body === undefined) return;
  // An answer's body is read by its length, so nothing else may say it.
  ngx.header['Content-Length'] = tostring(body.text.length);
  ngx.header['Content-Type'] = mayChange('Content-Type', body.contentType) ? body.contentType : 'text/plain';
}
