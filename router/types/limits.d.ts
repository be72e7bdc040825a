/** What limits and passwords use beside ngx.d.ts: the C library's locks and processes, nginx's own symbols, hashes, threads. */

/** @noSelf */
declare interface SharedMemoryFunctions {
  pthread_mutexattr_init(attributes: FFICells<number>): number;
  pthread_mutexattr_setpshared(attributes: FFICells<number>, shared: number): number;
  pthread_mutexattr_setrobust(attributes: FFICells<number>, robust: number): number;
  pthread_mutexattr_settype(attributes: FFICells<number>, type: number): number;
  pthread_mutex_init(mutex: FFIPointer, attributes: FFICells<number>): number;
  pthread_mutex_lock(mutex: FFIPointer): number;
  pthread_mutex_consistent(mutex: FFIPointer): number;
  pthread_mutex_unlock(mutex: FFIPointer): number;
  kill(pid: number, signal: number): number;
}

/** @noSelf */
declare interface NginxSymbols {
  readonly ngx_http_core_module: { readonly ctx_index: number };
  readonly ngx_http_max_module: number;
}

/** @noSelf */
declare interface FFI {
  copy(to: FFICells<number> | FFIPointer, from: FFICells<number> | FFIPointer | string, length: number): void;
  load(name: string): unknown;
}

/** @noSelf */
declare interface Ngx {
  md5_bin(text: string): string;
  sha1_bin(text: string): string;
  hmac_sha1(secret: string, text: string): string;
  /** Runs a function of a module in a thread, in a Lua of its own; other requests get their turn meanwhile. */
  run_worker_thread(
    pool: string,
    module: string,
    name: string,
    ...values: readonly (string | object)[]
  ): LuaMultiReturn<[boolean, (string | object | undefined)?]>;
}

/** @noSelf */
declare interface NgxRegex {
  /** The first match: what matched, then what its groups did (false: nothing). */
  match(
    subject: string,
    pattern: string,
    options?: string,
  ): LuaMultiReturn<[LuaTable<number, string | false> | undefined, string?]>;
}
