/** A request as the router sees it, and how what stands in it is read. */
import type { RouterAddress } from './addresses.ts';
import { hexByte } from './paths.ts';

export type RouterRequest = {
  /** As `normaliseHost` makes it. */
  readonly host: string;
  /** As `normalisePath` makes it. */
  readonly path: string;
  readonly method: string;
};

/**
 * What is asked of a request only when a rule needs it. Made once, not once a request.
 * `R` is whatever the caller keeps of a request.
 */
export type RouterReader<R extends RouterRequest> = {
  /** `name` in lower case. Of several lines: their values joined by `, `. `undefined`: not there. */
  readonly header: (this: void, request: R, name: string) => string | undefined;
  /** The first of that name, decoded. */
  readonly query: (this: void, request: R, name: string) => string | undefined;
  /** Whether the whole of `subject` matches. A pattern that can't be compiled or takes too long matches nothing. */
  readonly matches: (this: void, subject: string, pattern: string) => boolean;
  /** Whether `subject` begins with what matches, in whatever letters. */
  readonly beginsWith: (this: void, subject: string, pattern: string) => boolean;
  /** Who asks, as the policy of that action trusts who says so; `undefined`: not even the connection has an address. */
  readonly client: (this: void, request: R, action: string) => RouterAddress | undefined;
};

const dot = 46;
const bracket = 91;

/** Lower case, without port and trailing dot. IPv6 keeps its brackets. */
export function normaliseHost(host: string): string {
  let end = host.length;
  if (host.charCodeAt(0) === bracket) {
    const closing = host.indexOf(']');
    if (closing !== -1) end = closing + 1;
  } else {
    const port = host.indexOf(':');
    if (port !== -1) end = port;
  }
  if (end > 0 && host.charCodeAt(end - 1) === dot) end -= 1;
  return (end === host.length ? host : host.slice(0, end)).toLowerCase();
}

/** The port that a Host header has; `undefined`: none. */
export function hostPort(host: string): number | undefined {
  const closing = host.charCodeAt(0) === bracket ? host.indexOf(']') : 0;
  const at = host.indexOf(':', closing === -1 ? 0 : closing);
  if (at === -1) return undefined;
  const port = Number(host.slice(at + 1));
  return port >= 1 && port <= 65535 ? port : undefined;
}

/** The first value of `name` in what follows `?`, decoded; '' where it has none. */
export function queryValue(query: string, name: string): string | undefined {
  let from = 0;
  // Looked for once, not once a parameter: a query of nothing but `&` would be walked through again for each.
  let equals = query.indexOf('=');
  while (from <= query.length) {
    let end = query.indexOf('&', from);
    if (end === -1) end = query.length;
    if (equals !== -1 && equals < from) equals = query.indexOf('=', from);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    if (decoded(query.slice(from, nameEnd)) === name) {
      return nameEnd === end ? '' : decoded(query.slice(nameEnd + 1, end));
    }
    from = end + 1;
  }
  return undefined;
}

/** `+` is a space; a broken escape stands for itself. */
function decoded(text: string): string {
  if (text.indexOf('%') === -1 && text.indexOf('+') === -1) return text;
  const pieces: string[] = [];
  let from = 0;
  let at = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    const byte = code === 37 ? hexByte(text, at + 1) : code === 43 ? 32 : -1;
    if (byte >= 0) {
      pieces.push(text.slice(from, at));
      pieces.push(String.fromCharCode(byte));
      from = code === 37 ? at + 3 : at + 1;
      at = from;
    } else {
      at += 1;
    }
  }
  pieces.push(text.slice(from));
  return fromBytes(pieces.join(''));
}

/** Lua's strings are bytes already; in Node UTF-8 becomes characters, and what isn't UTF-8 stays one character a byte. */
const stringsAreBytes = 'é'.length === 2;

function fromBytes(bytes: string): string {
  if (stringsAreBytes) return bytes;
  try {
    return decodeURIComponent(escapeBytes(bytes));
  } catch {
    return bytes;
  }
}

function escapeBytes(bytes: string): string {
  const pieces: string[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const code = bytes.charCodeAt(at);
    const character = bytes.slice(at, at + 1);
    if (code < 128 && code !== 37) pieces.push(character);
    else pieces.push(code > 255 ? encodeURIComponent(character) : `%${code.toString(16).padStart(2, '0')}`);
  }
  return pieces.join('');
}
