/** Answers on their way out, where a policy asks for another body: pages for errors, and compression by nginx's gzip filter. */
import { hasMediaType, staysAsItIs } from '../main.ts';
import { replaceAnswer } from './pages.ts';
import { C, variable } from './request.ts';
import type { Shape } from './shape.ts';
import { toAnswer } from './sinks.ts';
import { answerIsSmall } from './spool.ts';

/** Where the other end of relay.sock says where the request went. */
export const upstreamHeader = 'X-Netloom-Upstream';

/** In a header filter. */
export function shapeAnswer(pointer: FFIPointer, shape: Shape): void {
  // Before a text takes the answer's place: the log is to say where it came from.
  if (shape.upstream === '') hearUpstream(shape);
  replaceAnswer(shape, C.ngx_http_lua_ffi_get_resp_status(pointer));
  if (shape.relayed) {
    tellUpstream(pointer);
    return;
  }
  if (shape.buffered) noteLength(shape);
  if (shape.policy?.compression !== undefined) compress(pointer, shape.policy.compression);
}

/** Where the request went, for the log: in place of whatever the backend says by that name. */
function tellUpstream(pointer: FFIPointer): void {
  const address = variable(pointer, 'upstream_addr');
  const status = variable(pointer, 'upstream_status');
  ngx.header[upstreamHeader] =
    address === undefined || status === undefined ? undefined : `${address}|${status}`;
}

/** Whatever becomes of the answer: where pods are is nothing for clients. */
function hearUpstream(shape: Shape): void {
  const told = textOf(ngx.header[upstreamHeader]);
  ngx.header[upstreamHeader] = undefined;
  if (shape.pageStatus === 0) shape.upstream = told;
}

/** In a body filter: the piece that goes on. */
export function shapeBody(shape: Shape): void {
  const body = shape.body;
  if (body === undefined) return;
  ngx.arg[0] = body;
  ngx.arg[1] = true;
  shape.body = '';
}

/**
 * The locations with `gzip on` compress whatever the client takes: what isn't to be is given as if it took nothing. What could be is told
 * apart by Accept-Encoding from then on, also where it isn't compressed this time. nginx makes its ETag a weak one.
 */
function compress(
  pointer: FFIPointer,
  { types, minLength }: { types: readonly string[]; minLength: number },
): void {
  const status = C.ngx_http_lua_ffi_get_resp_status(pointer);
  const type = ngx.header['Content-Type'];
  const length = tonumber(textOf(ngx.header['Content-Length']));
  const fits =
    (status === 200 || status === 403 || status === 404) &&
    type !== undefined &&
    hasMediaType(types, textOf(type)!) &&
    (length === undefined || length >= minLength) &&
    !staysAsItIs(textOf(ngx.header['Cache-Control']), textOf(ngx.header['Content-Encoding']));
  if (!fits) ngx.req.clear_header('Accept-Encoding');
  else if (!saysEncoding(textOf(ngx.header['Vary']))) toAnswer.add('Vary', 'Accept-Encoding');
}

function saysEncoding(vary: string | undefined): boolean {
  return vary !== undefined && vary.toLowerCase().indexOf('accept-encoding') !== -1;
}

function noteLength(shape: Shape): void {
  const length = tonumber(textOf(ngx.header['Content-Length']));
  if (length !== undefined) answerIsSmall(shape, length);
}

function textOf(value: string | readonly string[] | undefined): string | undefined {
  if (value === undefined || typeof value === 'string') return value;
  return value.join(', ');
}
