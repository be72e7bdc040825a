/** What the hooks of TLS use of lua-resty-core, and of OpenSSL, which nginx is linked with. */

/** Parsed certificates, the server's own first; freed with the garbage. */
declare type SslChain = { readonly __chain: never };
declare type SslPrivateKey = { readonly __privateKey: never };

/** `ngx.ssl`. @noSelf */
declare interface NgxSsl {
  clear_certs(): LuaMultiReturn<[boolean | undefined, string?]>;
  parse_pem_cert(pem: string): LuaMultiReturn<[SslChain | undefined, string?]>;
  parse_pem_priv_key(pem: string): LuaMultiReturn<[SslPrivateKey | undefined, string?]>;
  set_cert(chain: SslChain): LuaMultiReturn<[boolean | undefined, string?]>;
  set_priv_key(key: SslPrivateKey): LuaMultiReturn<[boolean | undefined, string?]>;
  /** `nil` without error: the client named none. */
  server_name(): LuaMultiReturn<[string | undefined, string?]>;
  /** Fails on a unix socket. */
  server_port(): LuaMultiReturn<[number | undefined, string?]>;
  raw_server_addr(): LuaMultiReturn<[string | undefined, string?, string?]>;
  /** Asks for a certificate; whatever comes is let through. */
  verify_client(authorities: SslChain, depth?: number): LuaMultiReturn<[boolean | undefined, string?]>;
  get_req_ssl_pointer(): LuaMultiReturn<[FFIPointer | undefined, string?]>;
}

/** `ngx.ssl.clienthello`. @noSelf */
declare interface NgxClientHello {
  get_client_hello_server_name(): LuaMultiReturn<[string | undefined, string?]>;
  set_protocols(protocols: readonly string[]): LuaMultiReturn<[boolean | undefined, string?]>;
}

/** @noSelf */
declare interface OpenSSL {
  SSL_ctrl(ssl: FFIPointer, command: number, argument: number, parameter: FFIPointer): number;
  SSL_set_session_id_context(ssl: FFIPointer, context: string, length: number): number;
  SSL_get_session(ssl: FFIPointer): FFIPointer | undefined;
  SSL_SESSION_get0_id_context(session: FFIPointer, length: FFICells<number>): FFIPointer;
  SSL_set_cipher_list(ssl: FFIPointer, names: string): number;
  SSL_set_verify(ssl: FFIPointer, mode: number, callback: FFIPointer): void;
  SSL_add_client_CA(ssl: FFIPointer, certificate: FFIPointer): number;
  SSL_get_wbio(ssl: FFIPointer): FFIPointer;
  BIO_write(bio: FFIPointer, data: string, length: number): number;
  BIO_ctrl(bio: FFIPointer, command: number, argument: number, parameter: undefined): number;
  X509_STORE_new(): FFIPointer;
  X509_STORE_free(this: void, store: FFIPointer): void;
  X509_STORE_add_cert(store: FFIPointer, certificate: FFIPointer): number;
  X509_STORE_set_flags(store: FFIPointer, flags: number): number;
  OPENSSL_sk_num(stack: SslChain): number;
  OPENSSL_sk_value(stack: SslChain, index: number): FFIPointer;
  /** Of the C library. */
  abs(this: void, number: number): number;
}

/** @noSelf */
declare interface FFI {
  gc(value: FFIPointer, free: unknown): FFIPointer;
}

declare interface Ngx {
  /** For `exit` in a hook of a handshake: it is refused. */
  readonly ERROR: number;
}
