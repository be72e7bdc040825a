/** External authorization for an Ingress, as ingress-nginx asks and hears: one target for all requests, and clients that get 401 sent to sign in. */
import type { GatewayExternalAuth } from '../../../src/intent/gateway.ts';
import { normalisePath, targetPath, targetQuery } from '../main.ts';
import { answer } from './answer.ts';
import { C, variable } from './request.ts';
import { mayChange, toRequest } from './sinks.ts';

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

/** Returns when the request may pass. `target`: what was matched, and will be sent. */
export function hearAsIngress(
  pointer: FFIPointer,
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
    return;
  }
  if (said.status === 401 && own.signIn !== undefined) {
    const here = `${textOf(variable(pointer, 'scheme'))}://${textOf(variable(pointer, 'http_host'))}`;
    const { url, parameter } = own.signIn;
    const mark = url.indexOf('?') === -1 ? '?' : '&';
    const to = url.charCodeAt(0) === 47 ? `${here}${url}` : url;
    ngx.header['Location'] = `${to}${mark}${parameter}=${escaped(`${here}${target}`)}`;
    ngx.exit(302);
  }
  if (said.status === 401) {
    for (const [name, value] of pairs(said.header)) {
      if (name.toLowerCase() === 'www-authenticate') ngx.header[name] = value;
    }
  }
  answer(pointer, said.status === 401 || said.status === 403 ? said.status : 500);
}

/** rewrite_by_lua of the location that asks: the request's own headers, and what it is about. */
export function tellAsIngress(pointer: FFIPointer): void {
  for (const name of notTold) ngx.req.clear_header(name);
  const written = textOf(variable(pointer, 'request_uri'));
  const path = normalisePath(targetPath(written));
  const query = targetQuery(written);
  const target = `${path === undefined ? '/' : path}${query === undefined ? '' : `?${query}`}`;
  const here = `${textOf(variable(pointer, 'scheme'))}://${textOf(variable(pointer, 'http_host'))}`;
  ngx.req.set_header('X-Original-URL', `${here}${target}`);
  ngx.req.set_header('X-Original-URI', target);
  ngx.req.set_header('X-Original-Method', textOf(variable(pointer, 'request_method')));
  ngx.req.set_header('X-Auth-Request-Redirect', target);
}

function escaped(text: string): string {
  const [safe] = string.gsub(text, '[^%w%-._~]', (byte: string) =>
    string.format('%%%02X', byte.charCodeAt(0)),
  );
  return safe;
}

function textOf(text: string | undefined): string {
  return text === undefined ? '' : text;
}

function isIn(this: void, names: readonly string[], lower: string): boolean {
  for (const name of names) if (name.toLowerCase() === lower) return true;
  return false;
}
