/** What lua-resty-core has no function for: OpenSSL itself, on the connection whose handshake this is. */

const ffi = require('ffi') as FFI;
const ssl = require('ngx.ssl') as NgxSsl;

/** Certificates that a client's must lead to, as OpenSSL wants them. */
export type Authorities = {
  readonly chain: SslChain;
  readonly store: FFIPointer;
};

ffi.cdef(`
long SSL_ctrl(void *ssl, int cmd, long larg, void *parg);
int SSL_set_session_id_context(void *ssl, const char *context, unsigned int length);
int SSL_set_cipher_list(void *ssl, const char *names);
void *SSL_get_session(const void *ssl);
const char *SSL_SESSION_get0_id_context(const void *session, unsigned int *length);
void SSL_set_verify(void *ssl, int mode, void *callback);
int abs(int number);
void *SSL_get_wbio(void *ssl);
int BIO_write(void *bio, const void *data, int length);
long BIO_ctrl(void *bio, int cmd, long larg, void *parg);
int SSL_add_client_CA(void *ssl, void *certificate);
void *X509_STORE_new(void);
void X509_STORE_free(void *store);
int X509_STORE_add_cert(void *store, void *certificate);
int X509_STORE_set_flags(void *store, unsigned long flags);
int OPENSSL_sk_num(const void *stack);
void *OPENSSL_sk_value(const void *stack, int index);
`);
const C = ffi.C as unknown as OpenSSL;

const setVerifyStore = 106;
const verifyPeer = 0x01;
const failWithoutCertificate = 0x02;
/** An intermediate authority is one, too, if the Gateway names it. */
const partialChain = 0x80000;

/**
 * OpenSSL asks a function of (verdict, details) whether to go on, and nginx's own always says 1, to judge the certificate when a request
 * comes. Ours says the verdict, 0 or 1, and so the handshake fails. It must be one of C, since Lua can't be called from there.
 */
const asJudged = ffi.cast('void *', C.abs);

/** `undefined`: it isn't PEM, or has no certificate. */
export function parseAuthorities(pem: string): Authorities | undefined {
  const [chain] = ssl.parse_pem_cert(pem);
  if (chain === undefined) return undefined;
  const store = ffi.gc(C.X509_STORE_new(), C.X509_STORE_free);
  for (let at = 0; at < C.OPENSSL_sk_num(chain); at++) {
    if (C.X509_STORE_add_cert(store, C.OPENSSL_sk_value(chain, at)) !== 1) return undefined;
  }
  C.X509_STORE_set_flags(store, partialChain);
  return { chain, store };
}

/** Without a certificate that leads to one of them, the handshake fails. False: this couldn't be asked for. */
export function requireCertificate(connection: FFIPointer, authorities: Authorities): boolean {
  // 1: OpenSSL holds the store, too.
  if (C.SSL_ctrl(connection, setVerifyStore, 1, authorities.store) !== 1) return false;
  // Told to clients that have several certificates, so that they choose the right one.
  for (let at = 0; at < C.OPENSSL_sk_num(authorities.chain); at++) {
    C.SSL_add_client_CA(connection, C.OPENSSL_sk_value(authorities.chain, at));
  }
  C.SSL_set_verify(connection, verifyPeer + failWithoutCertificate, asJudged);
  return true;
}

/** Sessions go on only where they began: `context` is at most 32 bytes. */
export function bindSessions(connection: FFIPointer, context: string): boolean {
  return C.SSL_set_session_id_context(connection, context, context.length) === 1;
}

const contextLength = ffi.new<number>('unsigned int[1]');

/** What the handshake's session was bound to; '' if it has none. */
export function sessionContext(connection: FFIPointer): string {
  const session = C.SSL_get_session(connection);
  if (session === undefined) return '';
  const context = C.SSL_SESSION_get0_id_context(session, contextLength);
  return ffi.string(context, contextLength[0]!);
}

/** Those of TLS 1.2. */
export function setCiphers(connection: FFIPointer, names: string): boolean {
  return C.SSL_set_cipher_list(connection, names) === 1;
}

/** An alert as TLS writes it: fatal (2), unrecognized_name (112). */
const unrecognizedName = string.char(21, 3, 3, 0, 2, 2, 112);
const flush = 11;

/** Tells the client why its handshake is refused; the alert that OpenSSL sends of itself when a hook fails says `internal_error`. */
export function sayUnrecognizedName(connection: FFIPointer): void {
  const output = C.SSL_get_wbio(connection);
  C.BIO_write(output, unrecognizedName, unrecognizedName.length);
  C.BIO_ctrl(output, flush, 0, undefined);
}
