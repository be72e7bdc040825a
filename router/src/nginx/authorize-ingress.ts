/** External authorization for an Ingress, as ingress-nginx asks and hears: one target for all requests, and clients that get 401 sent to sign in. */
import type { GatewayExternalAuth } from '../../../src/intent/gateway.ts';
import { normalisePath, targetPath, targetQuery } from '../main.ts';
import { answer } from './answer.ts';
import { C, variable } from './request.ts';
import type { Serving } from './serving.ts';
import { mayChange, toAnswer, toRequest } from './sinks.ts';
import type { JudgedHeader } from './visits.ts';

type AsIngress = NonNullable<GatewayExternalAuth['asIngress']>;
/** What nginx's subrequest brought. */
type Said = { readonly status: number; readonly header: Record<string, string | string[]> };

/** nginx's numbers. */
const methods: Readonly<Record<string, number>> = {
  GET: 2,
  HEAD: 4,
  POST: 8,
  PUT: 16,
  DELETE: 32,
  OPTIONS: 512,
  PATCH: 16_384,
};
/** What is about the client's connection, or the body that stays here. */
const notTold = ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'expect', 'te', 'trailer'];

export function questionMethod(pointer: FFIPointer, own: AsIngress): number {
  const named = own.method === undefined ? undefined : methods[own.method];
  return named === undefined ? C.ngx_http_lua_ffi_req_get_method(pointer) : named;
}

/** Statuses that nginx's `add_header` is for. */
const usual = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308];

/** Returns when the request may pass. `target`: what was matched, and will be sent. */
export function hearAsIngress(
  { pointer, visit, host }: Serving,
  auth: GatewayExternalAuth,
  own: AsIngress,
  said: Said,
  target: string,
): void {
  if (said.status >= 200 && said.status < 300) {
    for (const name of auth.allowedResponseHeaders) {
      // What is the service's to say isn't the client's.
      if (mayChange(name, '')) toRequest.remove(name);
    }
    for (const [name, value] of pairs(said.header)) {
      if (isIn(auth.allowedResponseHeaders, name.toLowerCase()) && mayChange(name, ''))
        ngx.req.set_header(name, value);
    }
    const cookies = cookiesOf(said, own.alwaysSetCookie === true ? undefined : usual);
    if (cookies.length > 0) visit.judged = cookies;
    return;
  }
  const signsIn = said.status === 401 && own.signIn !== undefined;
  if (signsIn || own.alwaysSetCookie === true) {
    for (const { name, value } of cookiesOf(said, undefined)) toAnswer.add(name, value);
  }
  if (signsIn) {
    ngx.header['Location'] = signInURL(pointer, own.signIn!, host, target);
    ngx.exit(302);
  }
  if (said.status === 401) {
    for (const [name, value] of pairs(said.header)) {
      if (name.toLowerCase() === 'www-authenticate') ngx.header[name] = value;
    }
  }
  answer(pointer, said.status === 401 || said.status === 403 ? said.status : 500);
}

/** For the client, with answers of these statuses; undefined: of all. */
function cookiesOf(said: Said, statuses: readonly number[] | undefined): JudgedHeader[] {
  const found: JudgedHeader[] = [];
  for (const [name, value] of pairs(said.header)) {
    if (name.toLowerCase() === 'set-cookie') {
      const values = typeof value === 'string' ? [value] : value;
      for (const each of values) found.push({ name: 'Set-Cookie', value: each, append: true, statuses });
    }
  }
  return found;
}

function signInURL(
  pointer: FFIPointer,
  { url, parameter }: NonNullable<AsIngress['signIn']>,
  host: string,
  target: string,
): string {
  const scheme = textOf(variable(pointer, 'netloom_scheme'));
  const written = textOf(variable(pointer, 'http_host'));
  const values: Record<string, string> = {
    ['scheme']: scheme,
    ['pass_access_scheme']: scheme,
    ['host']: host,
    ['http_host']: written,
    ['best_http_host']: written,
    ['request_uri']: target,
    ['escaped_request_uri']: escaped(target),
    ['request_method']: textOf(variable(pointer, 'request_method')),
  };
  const [to] = string.gsub(url, '%$([%w_]+)', values);
  const mark = to.indexOf('?') === -1 ? '?' : '&';
  const whole =
    parameter === undefined ? to : `${to}${mark}${parameter}=${escaped(`${scheme}://${written}${target}`)}`;
  const [safe] = string.gsub(whole, '[^!-~]', escapedByte);
  return safe;
}

/** rewrite_by_lua of the location that asks: the request's own headers, and what it is about. */
export function tellAsIngress(pointer: FFIPointer): void {
  for (const name of notTold) ngx.req.clear_header(name);
  const written = textOf(variable(pointer, 'request_uri'));
  const path = normalisePath(targetPath(written));
  const query = targetQuery(written);
  const target = `${path === undefined ? '/' : path}${query === undefined ? '' : `?${query}`}`;
  const here = `${textOf(variable(pointer, 'netloom_scheme'))}://${textOf(variable(pointer, 'http_host'))}`;
  ngx.req.set_header('X-Original-URL', `${here}${target}`);
  ngx.req.set_header('X-Original-URI', target);
  ngx.req.set_header('X-Original-Method', textOf(variable(pointer, 'request_method')));
  ngx.req.set_header('X-Auth-Request-Redirect', target);
}

function escaped(text: string): string {
  const [safe] = string.gsub(text, '[^%w%-._~]', escapedByte);
  return safe;
}

function escapedByte(this: void, byte: string): string {
  return string.format('%%%02X', byte.charCodeAt(0));
}

function textOf(text: string | undefined): string {
  return text === undefined ? '' : text;
}

function isIn(this: void, names: readonly string[], lower: string): boolean {
  for (const name of names) if (name.toLowerCase() === lower) return true;
  return false;
}
