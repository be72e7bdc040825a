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

/** What the groups of a rule's pattern matched of a path that it takes; '' what didn't. Only whoever has PCRE can tell. */
export type CapturesOf = (this: void, path: string, rule: RouterRule) => readonly string[];

/**
 * `path` as `change` makes it. `prefix` is the rule's (`path` of a RouterRule of type prefix): what follows it stays, with one slash between.
 * Without a prefix there is nothing to replace, and the path stays; and so it does without a pattern that captures anything. `matched` is the
 * path that the rule took.
 */
export function rewrittenPath(
  change: GatewayPathChange,
  path: string,
  rule: RouterRule,
  matched: string,
  capturesOf: CapturesOf,
): string {
  if (change.type === 'full') return change.value;
  if (change.type === 'captures') {
    if (rule.type !== 'regex') return path;
    return withCaptures(change.value, capturesOf(matched, rule));
  }
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
  capturesOf: CapturesOf,
): string {
  const scheme = redirect.scheme === undefined ? request.scheme : redirect.scheme;
  const host = redirect.hostname === undefined ? request.host : redirect.hostname;
  const usual = scheme === 'https' ? 443 : 80;
  const derived = redirect.scheme === undefined ? request.port : usual;
  const port = redirect.port === undefined ? derived : redirect.port;
  const path =
    redirect.path === undefined
      ? request.path
      : rewrittenPath(redirect.path, request.path, rule, request.path, capturesOf);
  const authority = port === usual ? host : `${host}:${port}`;
  const mark = path.indexOf('?') === -1 ? '?' : '&';
  const kept = redirect.withoutQuery === true ? undefined : request.query;
  const query = kept === undefined || kept === '' ? '' : `${mark}${kept}`;
  return `${scheme}://${authority}${path}${query}`;
}

/** `$1` to `$9`, and `$$` for a dollar; any other dollar stands for itself. Always a path: nothing else can be sent. */
function withCaptures(value: string, captures: readonly string[]): string {
  const pieces: string[] = [];
  let from = 0;
  let at = value.indexOf('$');
  while (at !== -1) {
    const next = value.charCodeAt(at + 1);
    let put: string | undefined;
    if (next === 36) put = '$';
    else if (next >= 49 && next <= 57) put = next - 49 < captures.length ? captures[next - 49]! : '';
    if (put === undefined) at = value.indexOf('$', at + 1);
    else {
      pieces.push(value.slice(from, at));
      pieces.push(put);
      from = at + 2;
      at = value.indexOf('$', from);
    }
  }
  pieces.push(value.slice(from));
  const path = pieces.join('');
  return path.charCodeAt(0) === 47 ? path : `/${path}`;
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
