/** What a cross-origin request is told (Fetch standard §3.3, as the Gateway API restricts it). */
import type { GatewayCORS } from '../../src/intent/gateway.ts';

export type CORSHeader = { readonly name: string; readonly value: string };

/**
 * Of an answer that isn't a preflight's: they take the place of what the backend says by the same names, but for `Vary`, which is added.
 * Empty: the origin isn't allowed, and nothing is said.
 */
export function corsHeaders(cors: GatewayCORS, origin: string): CORSHeader[] {
  const headers: CORSHeader[] = [];
  if (!isAllowed(cors, origin)) return headers;
  sayOrigin(headers, cors, origin);
  sayExposed(headers, cors);
  return headers;
}

/**
 * Of the answer to a preflight: `OPTIONS` with `Origin` and `Access-Control-Request-Method`. It is answered 204 here, and never sent on; when
 * the origin isn't allowed, without any of these.
 */
export function preflightHeaders(
  cors: GatewayCORS,
  origin: string,
  requestMethod: string | undefined,
  requestHeaders: string | undefined,
): CORSHeader[] {
  const headers: CORSHeader[] = [];
  if (!isAllowed(cors, origin)) return headers;
  sayOrigin(headers, cors, origin);
  const methods = said(cors, cors.allowMethods, requestMethod);
  if (methods !== undefined) headers.push({ name: 'Access-Control-Allow-Methods', value: methods });
  const names = said(cors, cors.allowHeaders, requestHeaders);
  if (names !== undefined) headers.push({ name: 'Access-Control-Allow-Headers', value: names });
  headers.push({ name: 'Access-Control-Max-Age', value: `${cors.maxAge}` });
  // Browsers look for it in the answer proper only; the Gateway API's conformance wants it in both.
  sayExposed(headers, cors);
  return headers;
}

export function isPreflight(
  method: string,
  origin: string | undefined,
  requestMethod: string | undefined,
): boolean {
  return method === 'OPTIONS' && origin !== undefined && requestMethod !== undefined;
}

/** The origin itself, also where all are allowed: so `Vary` is always needed. */
function sayOrigin(headers: CORSHeader[], cors: GatewayCORS, origin: string): void {
  headers.push({ name: 'Access-Control-Allow-Origin', value: origin });
  if (cors.allowCredentials) headers.push({ name: 'Access-Control-Allow-Credentials', value: 'true' });
  headers.push({ name: 'Vary', value: 'Origin' });
}

function sayExposed(headers: CORSHeader[], cors: GatewayCORS): void {
  const expose = cors.allowCredentials ? withoutWildcard(cors.exposeHeaders) : cors.exposeHeaders;
  if (expose.length > 0) headers.push({ name: 'Access-Control-Expose-Headers', value: expose.join(', ') });
}

/** The list; of a wildcard what was asked for, since `*` means nothing to requests with credentials. */
function said(cors: GatewayCORS, allowed: readonly string[], asked: string | undefined): string | undefined {
  if (allowed.length === 0) return undefined;
  if (withoutWildcard(allowed).length === allowed.length) return allowed.join(', ');
  if (asked !== undefined) return asked;
  return cors.allowCredentials ? undefined : '*';
}

function withoutWildcard(names: readonly string[]): string[] {
  const kept: string[] = [];
  for (let at = 0; at < names.length; at++) {
    if (names[at] !== '*') kept.push(names[at]!);
  }
  return kept;
}

function isAllowed(cors: GatewayCORS, origin: string): boolean {
  const asked = withPort(origin.toLowerCase());
  for (let at = 0; at < cors.allowOrigins.length; at++) {
    const allowed = cors.allowOrigins[at]!;
    if (allowed === '*' || originFits(withPort(allowed.toLowerCase()), asked)) return true;
  }
  return false;
}

/** `scheme://*.suffix:port` takes any labels before the suffix, at least one; `scheme://*:port` any host. */
function originFits(allowed: string, origin: string): boolean {
  const star = allowed.indexOf('*');
  if (star === -1) return allowed === origin;
  const head = allowed.slice(0, star);
  const tail = allowed.slice(star + 1);
  if (origin.length <= head.length + tail.length) return false;
  if (origin.slice(0, head.length) !== head) return false;
  if (origin.slice(origin.length - tail.length) !== tail) return false;
  // What the star stands for is a host: no port of its own, no user, no path.
  const between = origin.slice(head.length, origin.length - tail.length);
  return between.indexOf(':') === -1 && between.indexOf('/') === -1 && between.indexOf('@') === -1;
}

/** With the scheme's own port where none is said. `null` and whatever else isn't an origin stays as it is. */
function withPort(origin: string): string {
  const authority = origin.indexOf('://');
  if (authority === -1) return origin;
  const bracket = origin.indexOf(']', authority + 3);
  if (origin.indexOf(':', bracket === -1 ? authority + 3 : bracket) !== -1) return origin;
  return origin.slice(0, authority) === 'https' ? `${origin}:443` : `${origin}:80`;
}
