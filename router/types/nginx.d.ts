/** What src/nginx uses beside ngx.d.ts: LuaJIT's FFI with nginx's own functions, JSON, and what Lua's dictionaries hold lists by. */

/** A C array: counted from 0, unlike Lua's tables. */
declare interface FFICells<T> {
  [index: number]: T;
}

/** A request, or any other pointer. */
declare type FFIPointer = { readonly __pointer: never };

/** @noSelf */
declare interface FFI {
  readonly C: NgxFunctions;
  cdef(text: string): void;
  new: <T>(type: string) => FFICells<T>;
  cast(type: string, value: unknown): FFIPointer;
  string(data: FFIPointer | FFICells<number>, length: number): string;
}

/** Functions of lua-nginx-module, as lua-resty-core declares them. @noSelf */
declare interface NgxFunctions {
  mmap(
    address: undefined,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ): FFIPointer;
  chmod(path: string, mode: number): number;
  strspn(text: string, characters: string): number;
  readonly ngx_stat_accepted: FFICells<number>;
  ngx_http_lua_ffi_var_get(
    request: FFIPointer,
    name: string,
    nameLength: number,
    lowCase: FFICells<number>,
    capture: number,
    value: FFICells<FFIPointer>,
    length: FFICells<number>,
    message: FFICells<FFIPointer>,
  ): number;
  ngx_http_lua_ffi_var_set(
    request: FFIPointer,
    name: string,
    nameLength: number,
    lowCase: FFICells<number>,
    value: string,
    valueLength: number,
    message: FFICells<number>,
    messageLength: FFICells<number>,
  ): number;
  poll(descriptors: FFICells<{ fd: number; events: number }>, count: number, timeout: number): number;
  write(descriptor: number, data: string, length: number): number;
  ngx_http_lua_ffi_req_get_method(request: FFIPointer): number;
  ngx_http_lua_ffi_get_resp_status(request: FFIPointer): number;
  ngx_http_lua_ffi_req_start_time(request: FFIPointer): number;
  ngx_http_lua_ffi_now(): number;
  ngx_http_lua_ffi_balancer_set_current_peer(
    request: FFIPointer,
    address: string,
    length: number,
    port: number,
    host: undefined,
    hostLength: number,
    message: FFICells<FFIPointer>,
  ): number;
  ngx_http_lua_ffi_balancer_enable_keepalive(
    request: FFIPointer,
    idle: number,
    requests: number,
    message: FFICells<FFIPointer>,
  ): number;
  ngx_http_lua_ffi_balancer_set_more_tries(
    request: FFIPointer,
    count: number,
    message: FFICells<FFIPointer>,
  ): number;
  ngx_http_lua_ffi_balancer_recreate_request(request: FFIPointer, message: FFICells<FFIPointer>): number;
  ngx_http_lua_ffi_balancer_set_timeouts(
    request: FFIPointer,
    connect: number,
    send: number,
    read: number,
    message: FFICells<FFIPointer>,
  ): number;
}

declare interface NgxSharedDictionary {
  lpush(key: string, value: string | number): LuaMultiReturn<[number | undefined, string?]>;
  lpop(key: string): LuaMultiReturn<[string | number | undefined, string?]>;
}

/** @noSelf */
declare interface Ngx {
  crc32_long(text: string): number;
  /** With `wait` other requests get their turn until it is sent. */
  flush(wait?: boolean): void;
}

/** @noSelf */
declare interface Ngx {
  send_headers(): LuaMultiReturn<[number | undefined, string?]>;
  readonly location: NgxLocation;
  readonly config: NgxConfig;
}

/** @noSelf */
declare interface NgxLocation {
  /** Asks another location, on behalf of the request, and waits for its answer. */
  capture(
    uri: string,
    options: {
      readonly method?: number;
      readonly body?: string;
      readonly vars?: Record<string, string>;
    },
  ): { status: number; header: Record<string, string | string[]>; body: string; truncated: boolean };
}

/** @noSelf */
declare interface NgxConfig {
  prefix(): string;
}

declare interface Scheduling {
  size: number;
  runtime: number;
}

/** @noSelf */
declare interface SchedulingFunctions {
  sched_setattr(pid: number, attributes: FFICells<Scheduling>, flags: number): number;
}

/** Of nginx itself. */
declare type NginxVariable = { readonly length: number; readonly name: FFIPointer };

declare type NginxValue = { bits: number; data: FFIPointer };

/** @noSelf */
declare interface NginxVariables extends NginxSymbols {
  ngx_http_get_flushed_variable(request: FFIPointer, number: number): FFICells<NginxValue> | undefined;
  ngx_http_get_indexed_variable(request: FFIPointer, number: number): FFICells<NginxValue> | undefined;
}
