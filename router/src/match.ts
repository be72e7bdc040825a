/**
 * Which listener a request is for, and which rule takes it. Runs for every request: no loops or allocations in what is common (a loop would
 * be a trace of its own in LuaJIT, and its caller never one), so lists are walked by tail calls, and paths of few segments by hand.
 */
import { type AddressSet, hasAddress } from './addresses.ts';
import { longestName, mostSpecific } from './names.ts';
import type { RouterStream } from './prepared.ts';
import type { RouterReader, RouterRequest } from './request.ts';
import type { HostRules, RouterRule } from './rules.ts';
import type { RouterListener, RouterTable } from './table.ts';

/** The most specific one at `port` (key in `ports`) that takes `host`: a request's, or the server name of a handshake ('' without one). */
export function findListener(table: RouterTable, port: string, host: string): RouterListener | undefined {
  const names = table.listenersOn[port];
  return names === undefined ? undefined : mostSpecific(names, host);
}

/**
 * From the most specific host on to any, each with its exact paths, then prefixes from the longest, then regular expressions, then the
 * prefix that takes everything; among the same path by rank. A host none of whose rules match leaves the request to the next. `undefined`: 404.
 */
export function findRule<R extends RouterRequest>(
  listener: RouterListener,
  request: R,
  reader: RouterReader<R>,
): RouterRule | undefined {
  const hosts = listener.hosts;
  const exact = hosts.exact[request.host];
  if (exact !== undefined) {
    const rule = ruleOf(exact, request, reader);
    if (rule !== undefined) return rule;
  }
  if (hosts.wildcards > 0 && request.host.length <= longestName) {
    const rule = wildcardRule(listener, request, reader, 0);
    if (rule !== undefined) return rule;
  }
  const any = hosts.any;
  return any === undefined ? undefined : ruleOf(any, request, reader);
}

/** Where a connection of a listener that isn't HTTP goes. `host` is '' for TCP and UDP. `undefined`: it is closed. */
export function findStream(listener: RouterListener, host: string): RouterStream | undefined {
  return mostSpecific(listener.streams, host);
}

/**
 * Key of the certificate that is shown to who asks for `serverName`: the listener's first whose names fit, else its first that is there.
 * A wildcard in a certificate stands for one label.
 */
export function findCertificate(
  table: RouterTable,
  listener: RouterListener,
  serverName: string,
): string | undefined {
  const keys = listener.intent === undefined ? undefined : listener.intent.certificates;
  if (keys === undefined) return undefined;
  const dot = serverName.indexOf('.');
  const wildcard = dot === -1 ? '' : `*${serverName.slice(dot)}`;
  let first: string | undefined;
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at]!;
    const certificate = table.certificates[key];
    if (certificate !== undefined) {
      if (first === undefined) first = key;
      for (let index = 0; index < certificate.names.length; index++) {
        const name = certificate.names[index]!;
        if (name === serverName || name === wildcard) return key;
      }
    }
  }
  return first;
}

function wildcardRule<R extends RouterRequest>(
  listener: RouterListener,
  request: R,
  reader: RouterReader<R>,
  from: number,
): RouterRule | undefined {
  const dot = request.host.indexOf('.', from);
  if (dot === -1) return undefined;
  const rules = listener.hosts.wildcard[request.host.slice(dot + 1)];
  if (rules !== undefined) {
    const rule = ruleOf(rules, request, reader);
    if (rule !== undefined) return rule;
  }
  return wildcardRule(listener, request, reader, dot + 1);
}

function ruleOf<R extends RouterRequest>(
  rules: HostRules,
  request: R,
  reader: RouterReader<R>,
): RouterRule | undefined {
  const exact = rules.exact[request.path];
  if (exact !== undefined) {
    const rule = firstOf(exact, request, reader);
    if (rule !== undefined) return rule;
  }
  if (rules.depth > 0) {
    const rule = prefixRule(rules, request, reader);
    if (rule !== undefined) return rule;
  }
  if (rules.regex.length > 0) {
    const rule = regexRule(rules.regex, 0, request, reader);
    if (rule !== undefined) return rule;
  }
  const all = rules.prefix[''];
  return all === undefined ? undefined : firstOf(all, request, reader);
}

/** Prefixes of at most `depth` segments, so of the path only that much is cut; four by hand, which is most of what there is. */
function prefixRule<R extends RouterRequest>(
  rules: HostRules,
  request: R,
  reader: RouterReader<R>,
): RouterRule | undefined {
  const path = request.path;
  const depth = rules.depth;
  if (depth > 4) {
    const rule = deepRule(rules, 5, segmentEnd(path, 4), request, reader);
    if (rule !== undefined) return rule;
  }
  const first = path.indexOf('/', 1);
  const second = first === -1 || depth < 2 ? -1 : path.indexOf('/', first + 1);
  const third = second === -1 || depth < 3 ? -1 : path.indexOf('/', second + 1);
  if (third !== -1 && depth > 3) {
    const rule = cutRule(rules, path.indexOf('/', third + 1), third, request, reader);
    if (rule !== undefined) return rule;
  }
  if (second !== -1 && depth > 2) {
    const rule = cutRule(rules, third, second, request, reader);
    if (rule !== undefined) return rule;
  }
  if (first !== -1 && depth > 1) {
    const rule = cutRule(rules, second, first, request, reader);
    if (rule !== undefined) return rule;
  }
  return cutRule(rules, first, 0, request, reader);
}

/** The rule of the prefix that ends at `end` (-1: with the path), and whose last segment begins behind `start`: an empty one is none. */
function cutRule<R extends RouterRequest>(
  rules: HostRules,
  end: number,
  start: number,
  request: R,
  reader: RouterReader<R>,
): RouterRule | undefined {
  const path = request.path;
  if (end === -1) {
    if (path.length === start + 1) return undefined;
    const bucket = rules.prefix[path];
    return bucket === undefined ? undefined : firstOf(bucket, request, reader);
  }
  const bucket = rules.prefix[path.slice(0, end)];
  return bucket === undefined ? undefined : firstOf(bucket, request, reader);
}

/** Prefixes of five and more segments. `start` is where the slash before segment number `segment` is; -1: the path has none. */
function deepRule<R extends RouterRequest>(
  rules: HostRules,
  segment: number,
  start: number,
  request: R,
  reader: RouterReader<R>,
): RouterRule | undefined {
  if (start === -1 || segment > rules.depth) return undefined;
  const end = request.path.indexOf('/', start + 1);
  const deeper = deepRule(rules, segment + 1, end, request, reader);
  if (deeper !== undefined) return deeper;
  return cutRule(rules, end, start, request, reader);
}

/** Where segment number `count` of a path ends in a slash; -1: nowhere. */
function segmentEnd(path: string, count: number): number {
  let at = 0;
  for (let done = 0; done < count && at !== -1; done++) at = path.indexOf('/', at + 1);
  return at;
}

function firstOf<R extends RouterRequest>(
  bucket: readonly RouterRule[],
  request: R,
  reader: RouterReader<R>,
): RouterRule | undefined {
  const first = bucket[0]!;
  if (first.plain) return first;
  return firstFrom(bucket, 0, request, reader);
}

function firstFrom<R extends RouterRequest>(
  bucket: readonly RouterRule[],
  at: number,
  request: R,
  reader: RouterReader<R>,
): RouterRule | undefined {
  if (at >= bucket.length) return undefined;
  const rule = bucket[at]!;
  if (takes(rule, request, reader)) return rule;
  return firstFrom(bucket, at + 1, request, reader);
}

function regexRule<R extends RouterRequest>(
  bucket: readonly RouterRule[],
  at: number,
  request: R,
  reader: RouterReader<R>,
): RouterRule | undefined {
  if (at >= bucket.length) return undefined;
  const rule = bucket[at]!;
  if (takes(rule, request, reader) && pathFits(rule, request, reader)) return rule;
  return regexRule(bucket, at + 1, request, reader);
}

function pathFits<R extends RouterRequest>(rule: RouterRule, request: R, reader: RouterReader<R>): boolean {
  return rule.loose ? reader.beginsWith(request.path, rule.path) : reader.matches(request.path, rule.path);
}

/** All but the path, the cheapest first. */
function takes<R extends RouterRequest>(rule: RouterRule, request: R, reader: RouterReader<R>): boolean {
  if (rule.plain) return true;
  if (rule.method !== undefined && rule.method !== request.method) return false;
  if (rule.headers !== undefined && !headersFit(rule, request, reader)) return false;
  if (rule.query !== undefined && !queryFits(rule, request, reader)) return false;
  return rule.clients === undefined || clientFits(rule, rule.clients, request, reader);
}

function clientFits<R extends RouterRequest>(
  rule: RouterRule,
  clients: AddressSet,
  request: R,
  reader: RouterReader<R>,
): boolean {
  const client = reader.client(request, rule.action);
  return client !== undefined && hasAddress(clients, client);
}

function headersFit<R extends RouterRequest>(rule: RouterRule, request: R, reader: RouterReader<R>): boolean {
  const headers = rule.headers!;
  for (let at = 0; at < headers.length; at++) {
    const match = headers[at]!;
    const value = reader.header(request, match.name);
    if (value === undefined) return false;
    if (match.regex === true ? !reader.matches(value, match.value) : value !== match.value) return false;
  }
  return true;
}

function queryFits<R extends RouterRequest>(rule: RouterRule, request: R, reader: RouterReader<R>): boolean {
  const query = rule.query!;
  for (let at = 0; at < query.length; at++) {
    const match = query[at]!;
    const value = reader.query(request, match.name);
    if (value === undefined) return false;
    if (match.regex === true ? !reader.matches(value, match.value) : value !== match.value) return false;
  }
  return true;
}
