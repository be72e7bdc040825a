/**
 * What is read of a request in nginx, and written. Calls nginx's functions itself: `ngx.var` and `ngx.req` keep LuaJIT from compiling whoever
 * calls them, or look the request up anew each time.
 */

const ffi = require('ffi') as FFI;
const base = require('resty.core.base') as {
  readonly get_request: (this: void) => FFIPointer | undefined;
};
// Declares the functions that are called here.
require('resty.core');
require('ngx.balancer');

export const C = ffi.C;
/** nginx's words where a function fails. */
export const message = ffi.new<FFIPointer>('char *[1]');

const value = ffi.new<FFIPointer>('unsigned char *[1]');
const size = ffi.new<number>('size_t[1]');
const lowCase = ffi.new<number>('char[4096]');
const lowCaseBytes = ffi.cast('unsigned char *', lowCase) as unknown as FFICells<number>;
const errors = ffi.new<number>('unsigned char[256]');

ffi.cdef(`
extern unsigned long *ngx_stat_accepted;
extern struct { size_t ctx_index; } ngx_http_core_module;
extern size_t ngx_http_max_module;
int chmod(const char *path, unsigned int mode);
size_t strspn(const char *text, const char *characters);
void *mmap(void *address, size_t length, int protection, int flags, int fd, long offset);
`);

/** nginx lets everybody write to its sockets. */
export function closeToOthers(path: string): void {
  C.chmod(path, 384);
}

/** A number that this process and all that it forks from now on see, by its address. Lasts as long as they do. */
export function sharedNumber(address: number | undefined): { cell: FFICells<number>; address: number } {
  // Readable and writable; shared and of no file.
  const memory =
    address === undefined ? C.mmap(undefined, 4096, 3, 0x21, -1, 0) : ffi.cast('void *', address);
  return { cell: ffi.cast('double *', memory) as unknown as FFICells<number>, address: requestKey(memory) };
}

/** Since nginx began, by all workers; no variable tells. */
export function acceptedConnections(): number {
  return tonumber(C.ngx_stat_accepted[0] as unknown as string)!;
}

/** In every phase that has one. */
export function currentRequest(): FFIPointer {
  return base.get_request()!;
}

/** A number that no other request has while this one lasts; also over `ngx.exec`, which ends `ngx.ctx`. */
export function requestKey(request: FFIPointer): number {
  return tonumber(ffi.cast('uintptr_t', request) as unknown as number)!;
}

/** The same as text: Lua's own has fourteen digits, and addresses may have fifteen (all of them do on arm64). */
export function requestName(request: FFIPointer): string {
  return string.format('%.0f', requestKey(request));
}

/** A pointer of those that stand in memory, by its place among them. */
export function pointerAt(memory: FFIPointer, place: number): FFIPointer {
  return (ffi.cast('void **', memory) as unknown as FFICells<FFIPointer>)[place]!;
}

/** One of nginx's variables. `name` is ours or made by `headerVariable`, never a stranger's. */
export function variable(request: FFIPointer, name: string): string | undefined {
  const code = C.ngx_http_lua_ffi_var_get(request, name, name.length, lowCase, 0, value, size, message);
  if (code !== 0) return undefined;
  const text = ffi.string(value[0]!, size[0]!);
  return text;
}

/** Whether there is one, without making a string of it. */
export function hasVariable(pointer: FFIPointer, name: string): boolean {
  return C.ngx_http_lua_ffi_var_get(pointer, name, name.length, lowCase, 0, value, size, message) === 0;
}

/** Bytes of one, without making a string of it; 0: it is empty, or there is none. */
export function variableLength(pointer: FFIPointer, name: string): number {
  return hasVariable(pointer, name) ? tonumber(size[0] as unknown as string)! : 0;
}

/** One of at most five digits, without making a string of it; 0: there is none. */
export function numericVariable(pointer: FFIPointer, name: string): number {
  if (!hasVariable(pointer, name)) return 0;
  const length = tonumber(size[0] as unknown as string)!;
  const digits = value[0] as unknown as FFICells<number>;
  let number = 0;
  if (length > 0) number = digits[0]! - 48;
  if (length > 1) number = number * 10 + digits[1]! - 48;
  if (length > 2) number = number * 10 + digits[2]! - 48;
  if (length > 3) number = number * 10 + digits[3]! - 48;
  if (length > 4) number = number * 10 + digits[4]! - 48;
  return number;
}

/** Sets one to the first `length` bytes of what stands in C memory. */
export function setBytes(pointer: FFIPointer, name: string, bytes: FFICells<number>, length: number): void {
  size[0] = 256;
  C.ngx_http_lua_ffi_var_set(
    pointer,
    name,
    name.length,
    lowCaseBytes,
    bytes as unknown as string,
    length,
    errors,
    size,
  );
}

/** A variable that nginx.conf has for us. */
export function setVariable(request: FFIPointer, name: string, text: string): void {
  size[0] = 256;
  C.ngx_http_lua_ffi_var_set(request, name, name.length, lowCaseBytes, text, text.length, errors, size);
}

/** By nginx's number of it; the rest is read by name. */
const methods: Record<number, string | undefined> = {
  [2]: 'GET',
  [4]: 'HEAD',
  [8]: 'POST',
  [16]: 'PUT',
  [32]: 'DELETE',
  [512]: 'OPTIONS',
  [16384]: 'PATCH',
};

export function methodOf(request: FFIPointer): string {
  const known = methods[C.ngx_http_lua_ffi_req_get_method(request)];
  if (known !== undefined) return known;
  const text = variable(request, 'request_method');
  return text === undefined ? '' : text;
}

/** Of a header by its name in lower case; `undefined`: a name that nginx lets no client say. */
const headerVariables: Record<string, string | false> = {};

function headerVariable(name: string): string | undefined {
  const known = headerVariables[name];
  if (known !== undefined) return known === false ? undefined : known;
  // Names with other characters are dropped when they come in, and an underscore would stand for a dash.
  const [strange] = string.find(name, '[^a-z0-9-]');
  const made =
    strange === undefined && name !== '' && name.length < 200 ? `http_${name.split('-').join('_')}` : false;
  headerVariables[name] = made;
  return made === false ? undefined : made;
}

/** Of several lines: the values joined by `, `. */
export function headerOf(request: FFIPointer, name: string): string | undefined {
  const known = headerVariables[name];
  const made = known === undefined ? headerVariable(name) : known;
  return made === undefined || made === false ? undefined : variable(request, made);
}
