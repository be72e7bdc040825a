/** What filters make of a request and of an answer: paths, redirects, headers. */
import type { GatewayHeaderChange, GatewayPathChange, GatewayRedirect } from '../../src/intent/gateway.ts';
import type { RouterRule } from './rules.ts';

/** What a redirect takes over from the request. */
export type RedirectedRequest = {
  readonly scheme: 'http' | 'https';
  /** As the client wrote it, without port. */
  readonly host: string;
  /** Of the listener, as clients see it. */
  readonly port: number;
  readonly path: string;
  /** What follows `?`. */
  readonly query: string | undefined;
};

/** Where header changes go: nginx's request, its answer, or a map. */
export type HeaderSink = {
  readonly set: (this: void, name: string, value: string) => void;
  readonly add: (this: void, name: string, value: string) => void;
  readonly remove: (this: void, name: string) => void;
};

/**
 * `path` as `change` makes it. `prefix` is the rule's (`path` of a RouterRule of type prefix): what follows it stays, with one slash between.
 * Without a prefix there is nothing to replace, and the path stays.
 */
export function rewrittenPath(change: GatewayPathChange, path: string, rule: RouterRule): string {
  if (change.type === 'full') return change.value;
  if (rule.type !== 'prefix') return path;
  const value = change.value;
  const head = value.charCodeAt(value.length - 1) === 47 ? value.slice(0, value.length - 1) : value;
  const rest = path.slice(rule.path.length);
  const joined = `${head}${rest}`;
  return joined.charCodeAt(0) === 47 ? joined : `/${joined}`;
}

/** The `Location` of a redirect. The query stays; a port is told only where the scheme doesn't imply it. */
export function redirectLocation(
  redirect: GatewayRedirect,
  request: RedirectedRequest,
  rule: RouterRule,
): string {
  const scheme = redirect.scheme === undefined ? request.scheme : redirect.scheme;
  const host = redirect.hostname === undefined ? request.host : redirect.hostname;
  const usual = scheme === 'https' ? 443 : 80;
  const derived = redirect.scheme === undefined ? request.port : usual;
  const port = redirect.port === undefined ? derived : redirect.port;
  const path = redirect.path === undefined ? request.path : rewrittenPath(redirect.path, request.path, rule);
  const authority = port === usual ? host : `${host}:${port}`;
  const kept = redirect.withoutQuery === true ? undefined : request.query;
  const query = kept === undefined || kept === '' ? '' : `?${kept}`;
  return `${scheme}://${authority}${path}${query}`;
}

/** First all that is set, then added, then removed. */
export function changeHeaders(change: GatewayHeaderChange, sink: HeaderSink): void {
  const set = change.set;
  if (set !== undefined) {
    for (let at = 0; at < set.length; at++) sink.set(set[at]!.name, set[at]!.value);
  }
  const add = change.add;
  if (add !== undefined) {
    for (let at = 0; at < add.length; at++) sink.add(add[at]!.name, add[at]!.value);
  }
  const remove = change.remove;
  if (remove !== undefined) {
    for (let at = 0; at < remove.length; at++) sink.remove(remove[at]!);
  }
}
