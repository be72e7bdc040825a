/**
 * TLS that ends in nginx's http part: which listener a handshake is for, what it is shown, what it must show.
 *
 * The listener is the one whose hostname takes the server name; a request whose Host is another listener's gets 421. Sessions are bound to
 * the listener and to what its clients must prove: a session that began elsewhere is as good as none, so nobody gets past a listener that
 * asks for client certificates by way of one that doesn't.
 */
import { createDictionary, type Dictionary } from '../dictionary.ts';
import { findListener } from '../match.ts';
import type { RouterListener, RouterTable } from '../table.ts';
import { variable } from './request.ts';
import { certificatesFor, parsedAuthorities, parsedCertificate } from './tls-certificates.ts';
import {
  bindSessions,
  requireCertificate,
  sayUnrecognizedName,
  sessionContext,
  setCiphers,
} from './tls-openssl.ts';
import { currentTable } from './worker.ts';

const ssl = require('ngx.ssl') as NgxSsl;
const clientHello = require('ngx.ssl.clienthello') as NgxClientHello;

const httpsBase = 10_100;
const proxyOffset = 1000;
let bindings: Dictionary<Binding> = createDictionary<Binding>();
let bindingCount = 0;
/** Listeners come and go: beyond so many, those that are gone are forgotten with the rest. */
const bindingLimit = 4096;

/** What sessions of a listener are bound to, and of what it was made. */
type Binding = {
  readonly intent: RouterListener['intent'];
  readonly authority: RouterTable['authorities'][string] | undefined;
  readonly context: string;
};

/** ssl_client_hello_by_lua. */
export function greet(this: void): void {
  if (!begin(currentTable())) ngx.exit(ngx.ERROR);
}

/** ssl_certificate_by_lua, which doesn't run where a session goes on. */
export function certify(this: void): void {
  if (!prove(currentTable())) ngx.exit(ngx.ERROR);
}

/**
 * Whether a request that came by TLS must be answered with 421: its Host is another listener's than the handshake's name (RFC 9110
 * §15.5.20), or its connection began before its listener asked for the client certificates that it asks for now. `host` is normalised.
 */
export function isMisdirected(
  table: RouterTable,
  port: string,
  pointer: FFIPointer,
  listener: RouterListener,
  host: string,
): boolean {
  // A single listener takes whatever handshake there was.
  if (table.listenersOn[port]!.size > 1) {
    const written = variable(pointer, 'ssl_server_name');
    if (written !== host && findListener(table, port, nameOf(written)) !== listener) return true;
  }
  const validation = listener.intent === undefined ? undefined : listener.intent.clientValidation;
  if (validation === undefined || validation.mode !== 'require') return false;
  if (variable(pointer, 'ssl_client_verify') !== 'SUCCESS') return true;
  const [connection] = ssl.get_req_ssl_pointer();
  return connection === undefined || sessionContext(connection) !== contextOf(table, listener);
}

/** What is decided before anything else: false refuses the handshake. */
function begin(table: RouterTable): boolean {
  const [name] = clientHello.get_client_hello_server_name();
  const listener = listenerFor(table, name);
  const [connection] = ssl.get_req_ssl_pointer();
  if (connection === undefined) return false;
  if (listener === undefined || listener.intent === undefined) {
    sayUnrecognizedName(connection);
    return false;
  }
  if (!bindSessions(connection, contextOf(table, listener))) return false;
  const intent = listener.intent;
  if (intent.minimumTLS === '1.3') {
    const [done] = clientHello.set_protocols(['TLSv1.3']);
    if (done !== true) return false;
  }
  return intent.ciphers === undefined || setCiphers(connection, intent.ciphers);
}

/** What the client is shown, and asked for: false refuses the handshake. */
function prove(table: RouterTable): boolean {
  const [name] = ssl.server_name();
  const listener = listenerFor(table, name);
  if (listener === undefined || listener.intent === undefined) return false;
  ssl.clear_certs();
  // Of two of the same kind the later call counts, and the listener's first is to.
  const keys = certificatesFor(table, listener, nameOf(name));
  let shown = 0;
  for (let at = keys.length - 1; at >= 0; at--) {
    const parsed = parsedCertificate(table, keys[at]!);
    if (parsed !== undefined) {
      const [certificate] = ssl.set_cert(parsed.chain);
      const [key] = ssl.set_priv_key(parsed.key);
      if (certificate === true && key === true) shown += 1;
    }
  }
  if (shown === 0) return false;

  const validation = listener.intent.clientValidation;
  if (validation === undefined) return true;
  const authorities = parsedAuthorities(table, validation.authority);
  if (validation.mode === 'fallback') {
    if (authorities !== undefined) ssl.verify_client(authorities.chain);
    return true;
  }
  const [connection] = ssl.get_req_ssl_pointer();
  if (authorities === undefined || connection === undefined) return false;
  return requireCertificate(connection, authorities);
}

function listenerFor(table: RouterTable, name: string | undefined): RouterListener | undefined {
  const port = tlsPort(table);
  return port === undefined ? undefined : findListener(table, port, nameOf(name));
}

function nameOf(name: string | undefined): string {
  if (name === undefined) return '';
  const lower = name.toLowerCase();
  return lower.endsWith('.') ? lower.slice(0, -1) : lower;
}

/** Key of the port that the connection came to, while its handshake goes on: variables know nothing yet of what a PROXY header said. */
function tlsPort(table: RouterTable): string | undefined {
  const [port] = ssl.server_port();
  if (port !== undefined) {
    const slot = (port >= httpsBase + proxyOffset ? port - proxyOffset : port) - httpsBase;
    return table.slots[`https/${slot}`];
  }
  // From the stream part, which looked at the name first: one socket a slot, `…/https-SLOT.sock`.
  const [path] = ssl.raw_server_addr();
  if (path === undefined) return undefined;
  const from = path.indexOf('/https-');
  const to = path.indexOf('.sock', from + 1);
  return from === -1 || to === -1 ? undefined : table.slots[`tls/${path.slice(from + 7, to)}`];
}

function contextOf(table: RouterTable, listener: RouterListener): string {
  const validation = listener.intent === undefined ? undefined : listener.intent.clientValidation;
  const authority = validation === undefined ? undefined : table.authorities[validation.authority];
  const known = bindings[listener.key];
  if (known !== undefined && known.intent === listener.intent && known.authority === authority)
    return known.context;
  const asked =
    validation === undefined
      ? ''
      : `${validation.mode}\n${authority === undefined ? '' : authority.certificates}`;
  const context = ngx.md5(`${listener.key}\n${asked}`);
  if (known === undefined) bindingCount += 1;
  if (bindingCount > bindingLimit) {
    bindings = createDictionary<Binding>();
    bindingCount = 1;
  }
  bindings[listener.key] = { intent: listener.intent, authority, context };
  return context;
}
