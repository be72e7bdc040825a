/**
 * Bodies that must be whole before they are sent on (retries, mirrors, buffering) lie on disk once they are longer than nginx's memory for
 * them. All of a pod's together are bounded, and one tenant's to half of it, so that nobody fills the disk or takes the room of all others.
 *
 *     netloom_spool   `all` bytes · `t⇥TENANT` those of a tenant · `w⇥WORKER⇥TENANT` those of a worker, given back when it died
 */
import { hasVariable, variable } from './request.ts';
import { type Shape, shapeOf } from './shape.ts';
import type { Visit } from './visits.ts';

const spool = ngx.shared['netloom_spool']!;
let worker = '';

/** Bytes of all bodies. */
const most = 1024 * 1024 * 1024;
const mostOfTenant = most / 2;
/** Bytes of one whose length isn't said. */
export const mostUnsaid = 32 * 1024 * 1024;
/** nginx's `client_body_buffer_size`: what is shorter is never on disk. */
const inMemory = 64 * 1024;
/** Bytes on disk that an answer may take: `proxy_max_temp_file_size` of the locations that gather them. */
const mostOfAnswer = 16 * 1024 * 1024;

/** In init_worker_by_lua. */
export function takeOverSpool(): void {
  worker = `w\t${ngx.worker.id()}\t`;
  for (const key of spool.get_keys(0)) {
    if (key.startsWith(worker)) {
      const [count] = spool.get(key);
      spool.delete(key);
      if (count !== undefined) {
        add('all', -(count as number));
        add(`t\t${key.slice(worker.length)}`, -(count as number));
      }
    }
  }
}

/** What `spoolBody` says of a body whose length isn't said: it is to be read in `@spooled` first. */
export const unsaid = 1;

/** Room for the request's body: 0, or else the status that it gets. */
export function spoolBody(pointer: FFIPointer, visit: Visit, tenant: string): number {
  const said = variable(pointer, 'content_length');
  const length = said === undefined || said === '' ? undefined : tonumber(said);
  if (length !== undefined) {
    if (length <= inMemory) return 0;
    if (length > mostOfTenant) return 413;
    return reserve(ownedBy(visit, tenant), length) ? 0 : 503;
  }
  // HTTP/1.1 says so where there is one; over HTTP/2 nobody knows until it is read.
  if (!hasVariable(pointer, 'http_transfer_encoding') && variable(pointer, 'server_protocol') !== 'HTTP/2.0')
    return 0;
  return reserve(ownedBy(visit, tenant), mostUnsaid) ? unsaid : 503;
}

/** Room for a body that is read for its own sake, of so many bytes at the most; `bodyIsRead` says what became of it. False: there is none. */
export function spoolUpTo(visit: Visit, bytes: number): boolean {
  return bytes <= inMemory || reserve(shapeOf(visit), bytes);
}

/** It was read, and is in this file; undefined: in nginx's memory. */
export function bodyIsRead(shape: Shape, path: string | undefined): void {
  shrink(shape, path === undefined ? 0 : sizeOf(path));
}

/** Room for an answer; false: there is none, and it is given as it comes. */
export function spoolAnswer(visit: Visit): boolean {
  const shape = shapeOf(visit);
  shape.buffered = reserve(shape, mostOfAnswer);
  return shape.buffered;
}

/** Its length is known: what nginx's memory holds takes no room. */
export function answerIsSmall(shape: Shape, length: number): void {
  // Once: of a page in its place there is nothing left to give back.
  shape.buffered = false;
  const needed = length <= inMemory ? 0 : math.min(length, mostOfAnswer);
  shrink(shape, shape.spooled - mostOfAnswer + needed);
}

/** The request is over. */
export function giveBack(shape: Shape): void {
  shape.buffered = false;
  shrink(shape, 0);
}

function ownedBy(visit: Visit, tenant: string): Shape {
  const shape = shapeOf(visit);
  shape.tenant = tenant;
  return shape;
}

function reserve(shape: Shape, bytes: number): boolean {
  const key = `t\t${shape.tenant}`;
  const all = add('all', bytes);
  const own = add(key, bytes);
  if (all > most || own > mostOfTenant) {
    add('all', -bytes);
    add(key, -bytes);
    return false;
  }
  add(`${worker}${shape.tenant}`, bytes);
  shape.spooled += bytes;
  return true;
}

function shrink(shape: Shape, to: number): void {
  const less = shape.spooled - to;
  if (less <= 0) return;
  add('all', -less);
  add(`t\t${shape.tenant}`, -less);
  add(`${worker}${shape.tenant}`, -less);
  shape.spooled = to;
}

/** Without memory for the number nobody is refused. */
function add(key: string, bytes: number): number {
  const [sum] = spool.incr(key, bytes, 0);
  return sum === undefined ? 0 : sum;
}

function sizeOf(path: string): number {
  const [file] = io.open(path, 'r');
  if (file === undefined) return mostUnsaid;
  const [size] = file.seek('end');
  file.close();
  return size === undefined ? mostUnsaid : size;
}
