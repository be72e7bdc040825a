/** What the gateway's TLS hooks use of lua-resty-core and of LuaJIT's FFI. */

/** @noSelf */
declare module 'ngx.ssl' {
  /** Parsed certificates, the server's own first; freed with the garbage. */
  export type Chain = { readonly __chain: never };
  export type PrivateKey = { readonly __privateKey: never };
  export function clear_certs(): LuaMultiReturn<[boolean | undefined, string?]>;
  export function parse_pem_cert(pem: string): LuaMultiReturn<[Chain | undefined, string?]>;
  export function parse_pem_priv_key(pem: string): LuaMultiReturn<[PrivateKey | undefined, string?]>;
  export function set_cert(chain: Chain): LuaMultiReturn<[boolean | undefined, string?]>;
  export function set_priv_key(key: PrivateKey): LuaMultiReturn<[boolean | undefined, string?]>;
  /** `nil` without error: the client named none. */
  export function server_name(): LuaMultiReturn<[string | undefined, string?]>;
  /** Fails on a unix socket. */
  export function server_port(): LuaMultiReturn<[number | undefined, string?]>;
  export function raw_server_addr(): LuaMultiReturn<[string | undefined, string?, string?]>;
  /** Asks for a certificate; whatever comes is let through. */
  export function verify_client(
    authorities?: Chain,
    depth?: number,
  ): LuaMultiReturn<[boolean | undefined, string?]>;
  export function get_req_ssl_pointer(): LuaMultiReturn<[import('ffi').Pointer | undefined, string?]>;
}

/** @noSelf */
declare module 'ngx.ssl.clienthello' {
  export function get_client_hello_server_name(): LuaMultiReturn<[string | undefined, string?]>;
  export function set_protocols(protocols: readonly string[]): LuaMultiReturn<[boolean | undefined, string?]>;
}

/** @noSelf */
declare module 'ffi' {
  export type Pointer = { readonly __pointer: never };
  /** Of OpenSSL, which nginx is linked with. @noSelf */
  interface OpenSSL {
    SSL_ctrl(ssl: Pointer, command: number, argument: number, parameter: Pointer | undefined): number;
    SSL_set_session_id_context(ssl: Pointer, context: string, length: number): number;
    SSL_set_cipher_list(ssl: Pointer, names: string): number;
    SSL_set_verify(ssl: Pointer, mode: number, callback: Pointer): void;
    abs(this: void, number: number): number;
    SSL_add_client_CA(ssl: Pointer, certificate: Pointer): number;
    SSL_get_wbio(ssl: Pointer): Pointer;
    BIO_write(bio: Pointer, data: string, length: number): number;
    BIO_ctrl(bio: Pointer, command: number, argument: number, parameter: undefined): number;
    X509_STORE_new(): Pointer;
    X509_STORE_free(this: void, store: Pointer): void;
    X509_STORE_add_cert(store: Pointer, certificate: Pointer): number;
    X509_STORE_set_flags(store: Pointer, flags: number): number;
    OPENSSL_sk_num(stack: import('ngx.ssl').Chain): number;
    OPENSSL_sk_value(stack: import('ngx.ssl').Chain, index: number): Pointer;
  }
  export function cdef(declarations: string): void;
  export function cast(type: string, value: unknown): Pointer;
  export function gc(value: Pointer, free: unknown): Pointer;
  export const C: OpenSSL;
}

declare interface Ngx {
  /** For `exit` in a hook of a handshake: it is refused. */
  readonly ERROR: number;
}
