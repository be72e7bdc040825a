/** Which rule takes a request, read straight from the specification: all rules are looked at, those that match are sorted. For tests. */
import type {
  GatewayChange,
  GatewayListenerIntent,
  GatewayRuleIntent,
  GatewayStreamIntent,
} from '../../src/intent/gateway.ts';
import { normalisePath, normaliseRoutePath } from '../src/paths.ts';
import { normaliseHost, queryValue } from '../src/request.ts';
import type { VectorRequest } from '../src/vectors.ts';

export type OracleState = {
  readonly listeners: ReadonlyMap<string, GatewayListenerIntent>;
  readonly rules: ReadonlyMap<string, GatewayRuleIntent>;
  readonly streams: ReadonlyMap<string, GatewayStreamIntent>;
};

export function stateAfter(changes: readonly GatewayChange[]): OracleState {
  const listeners = new Map<string, GatewayListenerIntent>();
  const rules = new Map<string, GatewayRuleIntent>();
  const streams = new Map<string, GatewayStreamIntent>();
  for (const change of changes) {
    if (change.replace) {
      listeners.clear();
      rules.clear();
      streams.clear();
    }
    for (const key of change.remove.listeners ?? []) listeners.delete(key);
    for (const key of change.remove.rules ?? []) rules.delete(key);
    for (const key of change.remove.streams ?? []) streams.delete(key);
    for (const [key, one] of Object.entries(change.put.listeners ?? {})) listeners.set(key, one);
    for (const [key, one] of Object.entries(change.put.rules ?? {})) rules.set(key, one);
    for (const [key, one] of Object.entries(change.put.streams ?? {})) streams.set(key, one);
  }
  return { listeners, rules, streams };
}

/** As `answer` says it of `match`. */
export function oracle(state: OracleState, request: VectorRequest): string {
  const host = normaliseHost(request.host);
  const listener = listenerOf(state, request.port, host);
  if (listener === undefined) return 'no listener';
  const path = normalisePath(request.path);
  if (path === undefined) return '400';
  const fitting = [...state.rules].filter(
    ([, rule]) => rule.listener === listener && hostFits(rule.host, host) && fits(rule, request, path),
  );
  return fitting.toSorted(precedence)[0]?.[0] ?? '404';
}

/** As `answer` says it of one question of `stream`. */
export function streamOracle(state: OracleState, { port, host }: { port: string; host: string }): string {
  const listener = listenerOf(state, port, host);
  if (listener === undefined) return 'no listener';
  const fitting = [...state.streams].filter(
    ([, one]) => one.listener === listener && hostFits(one.host, host),
  );
  return mostSpecific(fitting.map(([key, one]) => [key, one.host])) ?? '-';
}

function listenerOf(state: OracleState, port: string, host: string): string | undefined {
  const fitting = [...state.listeners].filter(([, one]) => one.port === port && hostFits(one.hostname, host));
  return mostSpecific(fitting.map(([key, one]) => [key, one.hostname]));
}

function mostSpecific(named: readonly (readonly [string, string])[]): string | undefined {
  return named.toSorted(([, one], [, other]) => specificity(other) - specificity(one))[0]?.[0];
}

type Entry = readonly [string, GatewayRuleIntent];

function precedence([key, rule]: Entry, [otherKey, other]: Entry): number {
  return (
    specificity(other.host) - specificity(rule.host) ||
    types.indexOf(rule.path.type) - types.indexOf(other.path.type) ||
    (rule.path.type === 'prefix'
      ? segments(other.path.value).length - segments(rule.path.value).length
      : 0) ||
    byBytes(rule.rank, other.rank) ||
    byBytes(key, otherKey)
  );
}

const types = ['exact', 'prefix', 'regex'];

function byBytes(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Exact names above all wildcards, longer ones above shorter, any last. */
function specificity(hostname: string): number {
  if (hostname === '') return 0;
  return hostname.startsWith('*.') ? hostname.length : 1000;
}

function hostFits(hostname: string, host: string): boolean {
  if (hostname === '') return true;
  return hostname.startsWith('*.')
    ? host.endsWith(hostname.slice(1)) && host.length > hostname.length - 1
    : host === hostname;
}

function fits(rule: GatewayRuleIntent, request: VectorRequest, path: string): boolean {
  return (
    pathFits(rule.path, path) &&
    (rule.method === undefined || rule.method === request.method) &&
    (rule.headers ?? []).every((match) => valueFits(match, request.headers?.[match.name])) &&
    (rule.query ?? []).every((match) => valueFits(match, queryValue(request.query ?? '', match.name)))
  );
}

function pathFits({ type, value }: GatewayRuleIntent['path'], path: string): boolean {
  if (type === 'regex') return patternFits(value, path);
  if (type === 'exact') return normaliseRoutePath(value) === path;
  const wanted = segments(value);
  const there = segments(path);
  return wanted.every((segment, index) => there[index] === segment);
}

function segments(path: string): string[] {
  return normaliseRoutePath(path)
    .split('/')
    .filter((segment) => segment !== '');
}

function valueFits(
  match: { readonly value: string; readonly regex?: true },
  value: string | undefined,
): boolean {
  if (value === undefined) return false;
  return match.regex ? patternFits(match.value, value) : match.value === value;
}

/** The patterns of vectors. */
function patternFits(pattern: string, subject: string): boolean {
  return pattern.endsWith('.*') ? subject.startsWith(pattern.slice(0, -2)) : subject === pattern;
}
