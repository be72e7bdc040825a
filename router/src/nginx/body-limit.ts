/**
 * How large a body may be whose length isn't said before it comes (chunks, HTTP/2). nginx counts such bodies while they come in, against a
 * number in the configuration of the location; there is no other way to look at a body on its way. So the request gets a copy of its
 * location's configuration with another number, and nginx does the rest: 413, nothing more is sent on, and the connection ends as it should.
 *
 * Where the number stands isn't assumed: nginx.conf says one that nothing else is, and it is looked for. If it isn't found, or nginx isn't
 * built as we know it, bodies without a length are refused where they are limited (411).
 */
import { currentRequest, pointerAt, requestKey, requestName } from './request.ts';
import { type Visit, visitOf } from './visits.ts';

const ffi = require('ffi') as FFI;

const C = ffi.C as unknown as NginxSymbols;

/** `client_max_body_size 4611686018427387847` of nginx.conf, in halves. */
const markLow = 4_294_967_239;
const markHigh = 1_073_741_823;
/** Of a request: behind its signature, connection, contexts, and the configurations of the whole and of the server. */
const configurationAt = 5;
/** More than a location's configuration takes; what is behind it in the same memory is copied, too, and never looked at. */
const copied = 2048;

/** Less than a location's configuration takes: what is found there is in this one, and not in the next in memory. */
const searched = 512;
/** Index of the number in halves, once it was found. */
let place: number | undefined;

/** Two pieces of memory, the second of which points to the first; and what they are a copy of. */
export type ConfigurationCopy = {
  readonly own: FFICells<number>;
  readonly all: FFICells<number>;
  readonly original: FFIPointer;
};

/** By address of the original and by limit. Whoever goes by one holds it, too, until it is over. */
let copies: Record<string, ConfigurationCopy | undefined> = {};
let count = 0;
const mostCopies = 512;
/** Of requests that are over: nginx looks at their configuration once more behind the last hook, so they stay until a timer comes by. */
let retired: ConfigurationCopy[] = [];

/** rewrite_by_lua of locations that bodies are read in: they have a configuration of their own. */
export function limitBodyHere(): void {
  const pointer = currentRequest();
  const visit = visitOf(requestKey(pointer));
  if (visit === undefined || visit.mostBody === 0) return;
  if (!limitBody(pointer, visit)) ngx.exit(411);
}

/** False: it can't be. */
export function limitBody(pointer: FFIPointer, visit: Visit): boolean {
  const slots = ffi.cast('void **', pointer) as unknown as FFICells<FFIPointer>;
  const current = slots[configurationAt]!;
  const last = visit.configurations?.[visit.configurations.length - 1];
  // Limited here once already: a copy of a copy would be kept by an address that another one has later.
  const isCopy = last !== undefined && requestKey(ffi.cast('void *', last.all)) === requestKey(current);
  const original = isCopy ? last.original : current;
  const name = `${requestName(original)} ${visit.mostBody}`;
  let copy = copies[name];
  if (copy === undefined) {
    copy = copyOf(original, visit.mostBody);
    if (copy === undefined) return false;
    if (count >= mostCopies) {
      copies = {};
      count = 0;
    }
    copies[name] = copy;
    count += 1;
  }
  if (visit.configurations === undefined) visit.configurations = [copy];
  else visit.configurations.push(copy);
  slots[configurationAt] = ffi.cast('void *', copy.all);
  return true;
}

/** In log_by_lua. */
export function retireConfigurations(visit: Visit): void {
  if (visit.configurations === undefined) return;
  for (const copy of visit.configurations) retired.push(copy);
  visit.configurations = undefined;
}

/** By a timer: no request is on its way through nginx then. */
export function dropRetired(): void {
  if (retired.length > 0) retired = [];
}

function copyOf(original: FFIPointer, most: number): ConfigurationCopy | undefined {
  const index = tonumber(C.ngx_http_core_module.ctx_index as unknown as string)!;
  const modules = tonumber(C.ngx_http_max_module as unknown as string)!;
  const configuration = pointerAt(original, index);
  const numbers = ffi.cast('uint32_t *', configuration) as unknown as FFICells<number>;
  if (place === undefined) place = findMark(numbers);
  if (place === undefined) return undefined;
  // A location may have a limit of its own.
  const limit = math.min(most, numbers[place + 1]! * 4_294_967_296 + numbers[place]!);
  const own = ffi.new<number>(`char[${copied}]`);
  ffi.copy(own, configuration, copied);
  const halves = ffi.cast('uint32_t *', own) as unknown as FFICells<number>;
  halves[place] = limit % 4_294_967_296;
  halves[place + 1] = math.floor(limit / 4_294_967_296);
  const all = ffi.new<number>(`char[${modules * 8}]`);
  ffi.copy(all, original, modules * 8);
  const pointers = ffi.cast('void **', all) as unknown as FFICells<FFIPointer>;
  pointers[index] = ffi.cast('void *', own);
  return { own, all, original };
}

/** Eight bytes at a time. `undefined`: it isn't there, for example since the location has a limit of its own. */
function findMark(numbers: FFICells<number>): number | undefined {
  for (let at = 0; at < searched / 4; at += 2) {
    if (numbers[at] === markLow && numbers[at + 1] === markHigh) return at;
  }
  return undefined;
}
