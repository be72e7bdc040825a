/** The rules of one host of one listener, by path: adding or removing one costs its own bucket. */
import type { GatewayRuleIntent, GatewayValueMatch } from '../../src/intent/gateway.ts';
import { type AddressSet, prepareAddresses } from './addresses.ts';
import { createDictionary, type Dictionary } from './dictionary.ts';
import { depthOf, normalisePrefix, normaliseRoutePath } from './paths.ts';
import { createWay, type RouterWay } from './ways.ts';

export type RouterRule = {
  /** Key in GatewayIntent.rules. */
  readonly key: string;
  readonly listener: string;
  readonly host: string;
  readonly type: 'exact' | 'prefix' | 'regex';
  /** As it is looked up: escapes normalised, a prefix without its last slash ('' for `/`), a pattern as it is. */
  readonly path: string;
  readonly rank: string;
  /** Key in GatewayIntent.actions. */
  readonly action: string;
  /** Nothing but the path is asked. */
  readonly plain: boolean;
  readonly method: string | undefined;
  readonly headers: readonly GatewayValueMatch[] | undefined;
  readonly query: readonly GatewayValueMatch[] | undefined;
  readonly clients: AddressSet | undefined;
  /** Of a pattern: in whatever letters, and with anything behind. */
  readonly loose: boolean;
  readonly way: RouterWay;
};

export type HostRules = {
  readonly exact: Dictionary<RouterRule[]>;
  readonly prefix: Dictionary<RouterRule[]>;
  readonly regex: RouterRule[];
  /** How many prefixes there are of each number of segments; the last is never 0. */
  readonly depths: number[];
  /** Segments of the longest prefix; -1: there is none. Nothing behind them is looked at. */
  depth: number;
  /** How many rules there are. */
  size: number;
};

export function createHostRules(): HostRules {
  return {
    exact: createDictionary<RouterRule[]>(),
    prefix: createDictionary<RouterRule[]>(),
    regex: [],
    depths: [],
    depth: -1,
    size: 0,
  };
}

export function routerRule(key: string, intent: GatewayRuleIntent): RouterRule {
  const type = intent.path.type;
  const value = intent.path.value;
  const headers = someOf(intent.headers);
  const query = someOf(intent.query);
  return {
    key,
    listener: intent.listener,
    host: intent.host,
    type,
    path: type === 'regex' ? value : type === 'exact' ? normaliseRoutePath(value) : normalisePrefix(value),
    rank: intent.rank,
    action: intent.action,
    plain:
      intent.method === undefined &&
      headers === undefined &&
      query === undefined &&
      intent.clients === undefined,
    method: intent.method,
    headers,
    query,
    clients: intent.clients === undefined ? undefined : prepareAddresses(intent.clients),
    loose: intent.path.loose === true,
    way: createWay(),
  };
}

export function addRule(rules: HostRules, rule: RouterRule): void {
  rules.size += 1;
  if (rule.type === 'regex') {
    insert(rules.regex, rule);
    return;
  }
  const byPath = rule.type === 'exact' ? rules.exact : rules.prefix;
  const bucket = byPath[rule.path];
  if (bucket !== undefined) {
    insert(bucket, rule);
    return;
  }
  byPath[rule.path] = [rule];
  if (rule.type === 'prefix') countDepth(rules, depthOf(rule.path), 1);
}

export function removeRule(rules: HostRules, rule: RouterRule): void {
  rules.size -= 1;
  if (rule.type === 'regex') {
    take(rules.regex, rule);
    return;
  }
  const byPath = rule.type === 'exact' ? rules.exact : rules.prefix;
  const bucket = byPath[rule.path];
  if (bucket === undefined) return;
  take(bucket, rule);
  if (bucket.length > 0) return;
  delete byPath[rule.path];
  if (rule.type === 'prefix') countDepth(rules, depthOf(rule.path), -1);
}

/** By rank; of equal ranks by key, so that the order is the same however it came about. */
function insert(bucket: RouterRule[], rule: RouterRule): void {
  let low = 0;
  let high = bucket.length;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (before(bucket[middle]!, rule)) low = middle + 1;
    else high = middle;
  }
  for (let at = bucket.length; at > low; at--) bucket[at] = bucket[at - 1]!;
  bucket[low] = rule;
}

function take(bucket: RouterRule[], rule: RouterRule): void {
  let kept = 0;
  const length = bucket.length;
  for (let at = 0; at < length; at++) {
    const one = bucket[at]!;
    if (one.key !== rule.key) {
      bucket[kept] = one;
      kept += 1;
    }
  }
  for (let at = length; at > kept; at--) bucket.pop();
}

function before(one: RouterRule, other: RouterRule): boolean {
  return one.rank < other.rank || (one.rank === other.rank && one.key < other.key);
}

function countDepth(rules: HostRules, depth: number, by: number): void {
  const depths = rules.depths;
  for (let at = depths.length; at <= depth; at++) depths[at] = 0;
  depths[depth] = depths[depth]! + by;
  while (depths.length > 0 && depths[depths.length - 1] === 0) depths.pop();
  rules.depth = depths.length - 1;
}

function someOf(matches: readonly GatewayValueMatch[] | undefined): readonly GatewayValueMatch[] | undefined {
  return matches === undefined || matches.length === 0 ? undefined : matches;
}
