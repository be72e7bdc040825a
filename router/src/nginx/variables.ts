/**
 * nginx's variables by their number. By name each look costs a hash, a search and a copy of the name's letters: for the few that every request
 * needs more than the router itself takes.
 *
 * Where their list stands isn't assumed: it is looked for in the configuration of the whole, by the size of what it lists. What isn't in it,
 * or all if it isn't found, is read and set by name.
 */
import { hasVariable, pointerAt, setBytes, variable, variableLength } from './request.ts';

const ffi = require('ffi') as FFI;
const bit = require('bit') as { readonly band: (this: void, value: number, mask: number) => number };

ffi.cdef(`
struct netloom_variable { size_t length; unsigned char *name; void *set; void *get; size_t data, flags, index; };
struct netloom_value { uint32_t bits; unsigned char *data; };
struct netloom_value *ngx_http_get_flushed_variable(void *request, size_t number);
struct netloom_value *ngx_http_get_indexed_variable(void *request, size_t number);
`);
const C = ffi.C as unknown as NginxVariables;

/** In `bits`: the length, whether there is a value, whether it was found that there is none. */
const lengthBits = 0x0fff_ffff;
const validBit = 0x1000_0000;
const absentBit = 0x4000_0000;

/** Of a request: behind its signature, connection, contexts. */
const configurationAt = 3;
const variableSize = 56;
/** Words of the configuration that are looked at, fewer than it has; and more variables than there ever are. */
const searched = 32;
const mostVariables = 4096;

export type Numbered = {
  readonly name: string;
  /** -1: by name. */
  at: number;
};

const all: Numbered[] = [];
let numbered = false;

/** One that nginx.conf speaks of: no other has a number. */
export function numberedVariable(name: string): Numbered {
  const made = { name, at: -1 };
  all.push(made);
  return made;
}

/** Each request knows that of the first in its list, whatever it is asked for. */
const anchor = numberedVariable('request_uri');

/** The target as it came. Of all that are read the first: the list of this worker is looked for here. */
export function requestTarget(pointer: FFIPointer): string | undefined {
  if (!numbered) numberAll(pointer);
  return numberedText(pointer, anchor);
}

export function numberedText(pointer: FFIPointer, one: Numbered): string | undefined {
  if (one.at === -1) return variable(pointer, one.name);
  const value = C.ngx_http_get_flushed_variable(pointer, one.at);
  if (value === undefined) return undefined;
  const bits = value[0]!.bits;
  if (bit.band(bits, absentBit) !== 0) return undefined;
  const text = ffi.string(value[0]!.data, bit.band(bits, lengthBits));
  return text;
}

/** Whether there is one. */
export function hasNumbered(pointer: FFIPointer, one: Numbered): boolean {
  if (one.at === -1) return hasVariable(pointer, one.name);
  const value = C.ngx_http_get_flushed_variable(pointer, one.at);
  return value !== undefined && bit.band(value[0]!.bits, absentBit) === 0;
}

/** Bytes of one; 0: it is empty, or there is none. */
export function numberedLength(pointer: FFIPointer, one: Numbered): number {
  if (one.at === -1) return variableLength(pointer, one.name);
  const value = C.ngx_http_get_flushed_variable(pointer, one.at);
  if (value === undefined) return 0;
  const bits = value[0]!.bits;
  return bit.band(bits, absentBit) === 0 ? bit.band(bits, lengthBits) : 0;
}

/** Where the request's values stand, for `pointNumbered`; undefined: they are set by name. */
export function valuesOf(pointer: FFIPointer): FFICells<NginxValue> | undefined {
  // Of one that is known already: to ask for another would make what it is otherwise.
  return anchor.at === -1 ? undefined : C.ngx_http_get_indexed_variable(pointer, anchor.at);
}

/** Sets one to bytes that nobody writes to or frees before the request is over. */
export function pointNumbered(
  pointer: FFIPointer,
  values: FFICells<NginxValue> | undefined,
  one: Numbered,
  bytes: FFICells<number>,
  length: number,
): void {
  if (values === undefined || one.at === -1) {
    setBytes(pointer, one.name, bytes, length);
    return;
  }
  const value = values[one.at - anchor.at]!;
  value.bits = validBit + length;
  value.data = bytes as unknown as FFIPointer;
}

function numberAll(pointer: FFIPointer): void {
  numbered = true;
  const configurations = pointerAt(pointer, configurationAt);
  const index = tonumber(C.ngx_http_core_module.ctx_index as unknown as string)!;
  const own = pointerAt(configurations, index);
  const words = ffi.cast('size_t *', own) as unknown as FFICells<string>;
  for (let at = 0; at < searched; at++) {
    const count = tonumber(words[at + 1]!)!;
    if (tonumber(words[at + 2]!) === variableSize && count > 0 && count < mostVariables) {
      takeNumbers(pointerAt(own, at), count);
      break;
    }
  }
  if (anchor.at === -1)
    ngx.log(ngx.WARN, 'variables are asked for by name, which is slower: their list was not found');
}

function takeNumbers(list: FFIPointer, count: number): void {
  const known = ffi.cast('struct netloom_variable *', list) as unknown as FFICells<NginxVariable>;
  const numbers: Record<string, number> = {};
  for (let at = 0; at < count; at++) {
    const { name, length } = known[at]!;
    numbers[ffi.string(name, tonumber(length as unknown as string)!)] = at;
  }
  // Others are found from it.
  if (numbers[anchor.name] === undefined) return;
  for (const one of all) {
    const at = numbers[one.name];
    if (at !== undefined) one.at = at;
  }
}
