/** What the router uses of lua-nginx-module and lua-resty-core. Only src/nginx may. Functions called with a dot take no `self`. */

/** @noSelf */
declare interface Ngx {
  /** A phase's table of the request. */
  readonly ctx: Record<string, unknown>;
  /** In a body filter: a piece, and whether it is the last. */
  readonly arg: [string | undefined, boolean];
  readonly var: Record<string, string | undefined>;
  readonly header: Record<string, string | readonly string[] | undefined>;
  readonly shared: Readonly<Record<string, NgxSharedDictionary | undefined>>;
  status: number;
  readonly req: NgxRequest;
  readonly re: NgxRegex;
  readonly resp: {
    get_headers(max?: number, raw?: boolean): LuaMultiReturn<[Record<string, string | string[]>, string?]>;
  };
  readonly worker: { id(): number | undefined; pid(): number; count(): number; exiting(): boolean };
  readonly timer: {
    at(
      delay: number,
      callback: (this: void, premature: boolean) => void,
    ): LuaMultiReturn<[boolean | undefined, string?]>;
    every(
      delay: number,
      callback: (this: void, premature: boolean) => void,
    ): LuaMultiReturn<[boolean | undefined, string?]>;
  };
  readonly ERR: number;
  readonly WARN: number;
  readonly NOTICE: number;
  readonly INFO: number;
  log(level: number, ...parts: readonly (string | number | boolean | undefined)[]): void;
  say(...parts: readonly (string | number)[]): void;
  print(...parts: readonly (string | number)[]): void;
  eof(): void;
  exit(status: number): never;
  exec(location: string, args?: string): never;
  redirect(location: string, status?: number): never;
  now(): number;
  time(): number;
  update_time(): void;
  sleep(seconds: number): void;
  get_phase(): string;
  encode_base64(text: string, padding?: boolean): string;
  decode_base64(text: string): string | undefined;
  escape_uri(text: string, type?: number): string;
  unescape_uri(text: string): string;
  md5(text: string): string;
  crc32_short(text: string): number;
}

/** @noSelf */
declare interface NgxRequest {
  get_method(): string;
  http_version(): number | undefined;
  get_headers(max?: number, raw?: boolean): LuaMultiReturn<[Record<string, string | string[]>, string?]>;
  set_header(name: string, value: string | readonly string[]): void;
  clear_header(name: string): void;
  set_uri(path: string, jump?: boolean): void;
  set_uri_args(args: string): void;
  get_uri_args(
    max?: number,
  ): LuaMultiReturn<[Record<string, string | boolean | readonly (string | boolean)[]>, string?]>;
  read_body(): void;
  discard_body(): void;
  get_body_data(): string | undefined;
  get_body_file(): string | undefined;
  start_time(): number;
  is_internal(): boolean;
}

/** @noSelf */
declare interface NgxRegex {
  /** First and last index (from 1) of the first match; two times nil: none, then the error. */
  find(
    subject: string,
    pattern: string,
    options?: string,
  ): LuaMultiReturn<[number | undefined, number | undefined, string?]>;
}

declare interface NgxSharedDictionary {
  get(key: string): LuaMultiReturn<[string | number | boolean | undefined, (string | number)?]>;
  set(
    key: string,
    value: string | number | boolean | undefined,
    ttl?: number,
  ): LuaMultiReturn<[boolean, string?, boolean?]>;
  safe_set(
    key: string,
    value: string | number | boolean,
    ttl?: number,
  ): LuaMultiReturn<[boolean | undefined, string?]>;
  add(
    key: string,
    value: string | number | boolean,
    ttl?: number,
  ): LuaMultiReturn<[boolean, string?, boolean?]>;
  incr(
    key: string,
    by: number,
    init?: number,
    ttl?: number,
  ): LuaMultiReturn<[number | undefined, string?, boolean?]>;
  delete(key: string): void;
  get_keys(max?: number): readonly string[];
  flush_all(): void;
  free_space(): number;
  capacity(): number;
}

/** @noSelf */
declare interface NgxBalancer {
  set_current_peer(
    host: string,
    port?: number,
    name?: string,
  ): LuaMultiReturn<[boolean | undefined, string?]>;
  set_more_tries(count: number): LuaMultiReturn<[boolean | undefined, string?]>;
  get_last_failure(): LuaMultiReturn<['next' | 'failed' | undefined, number?]>;
  /** Seconds. */
  set_timeouts(
    connect: number | undefined,
    send: number | undefined,
    read: number | undefined,
  ): LuaMultiReturn<[boolean | undefined, string?]>;
  enable_keepalive(idle?: number, requests?: number): LuaMultiReturn<[boolean | undefined, string?]>;
}

/** Of lua-resty-core's ngx.semaphore. */
declare interface Semaphore {
  post(count: number): void;
  /** Seconds. */
  wait(timeout: number): LuaMultiReturn<[boolean | undefined, string?]>;
}

declare const ngx: Ngx;
