/** Who a request comes from, where proxies before the gateway say so: of what they say only what was added by somebody who is trusted counts. */
import { type AddressSet, hasAddress, parseAddress, type RouterAddress } from './addresses.ts';

export type RouterClient = {
  /** `undefined`: not even the connection's own is one (a unix socket). */
  readonly address: RouterAddress | undefined;
  /** As it is written. */
  readonly text: string;
  /** What backends are told as X-Forwarded-For: from the client on, without what it made up itself. */
  readonly forwarded: string;
};

/** What X-Forwarded-Proto says; undefined: nothing that is known, or one thing for each of several proxies. */
export function forwardedScheme(said: string | undefined): 'http' | 'https' | undefined {
  const scheme = said === undefined ? '' : said.toLowerCase();
  return scheme === 'http' || scheme === 'https' ? scheme : undefined;
}

/** What X-Forwarded-Port says; undefined: no port. */
export function forwardedPort(said: string | undefined): number | undefined {
  if (said === undefined || said.length === 0 || said.length > 5 || !hasDigitsOnly(said)) return undefined;
  const port = Number(said);
  return port >= 1 && port <= 65_535 ? port : undefined;
}

/** More of them are no chain of proxies; they are not looked at. */
const mostHops = 32;
const comma = 44;
const space = 32;
const tab = 9;

/**
 * `peer` is who the connection comes from, `said` the request's X-Forwarded-For. The rightmost that isn't trusted is the client; all being
 * trusted, the leftmost; where something is no address, who said it.
 */
export function findClient(peer: string, said: string | undefined, trusted: AddressSet): RouterClient {
  let address = parseAddress(peer);
  let text = peer;
  let forwarded = peer;
  let end = said === undefined ? -1 : said.length;
  for (let hop = 0; hop < mostHops && end >= 0; hop++) {
    if (address === undefined || !hasAddress(trusted, address)) break;
    const start = startOf(said!, end);
    const name = bare(trimmed(said!, start, end));
    const next = parseAddress(name);
    if (next === undefined) break;
    address = next;
    text = name;
    forwarded = `${name}, ${forwarded}`;
    end = start - 1;
  }
  return { address, text, forwarded };
}

function hasDigitsOnly(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

/** Where the entry that ends at `end` begins: behind the comma before it. */
function startOf(list: string, end: number): number {
  let at = end;
  while (at > 0 && list.charCodeAt(at - 1) !== comma) at -= 1;
  return at;
}

function trimmed(list: string, from: number, to: number): string {
  let start = from;
  let end = to;
  while (start < end && isBlank(list.charCodeAt(start))) start += 1;
  while (end > start && isBlank(list.charCodeAt(end - 1))) end -= 1;
  return list.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === space || code === tab;
}

/** Without port and brackets. */
function bare(entry: string): string {
  if (entry.charCodeAt(0) === 91) {
    const closing = entry.indexOf(']');
    return closing === -1 ? entry : entry.slice(1, closing);
  }
  const first = entry.indexOf(':');
  return first !== -1 && entry.indexOf(':', first + 1) === -1 ? entry.slice(0, first) : entry;
}
