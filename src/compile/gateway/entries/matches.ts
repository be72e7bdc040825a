/** What a rule of an HTTPRoute or GRPCRoute takes, as matches on path, method, headers and query. */
import type { GatewayRuleIntent, GatewayValueMatch } from '#intent/gateway.ts';
import { regexPart } from '#model/gateway/regex.ts';
import type {
  GRPCMatchModel,
  GRPCRouteModel,
  HTTPMatchModel,
  HTTPRouteModel,
  ValueMatch,
} from '#model/gateway/types.ts';
import { rankOf } from './rank.ts';

/** A rule's entry but for where it is served and what it does. */
export type Match = Omit<GatewayRuleIntent, 'listener' | 'host' | 'action'>;

/** Of one rule, in its order. */
export function matchesOf(route: HTTPRouteModel | GRPCRouteModel, rule: number): readonly Match[] {
  if (route.kind === 'HTTPRoute') {
    return (route.rules[rule]?.matches ?? []).map((match, index) => ({
      ...requestMatch(match),
      rank: rankOf(route, match, { rule, match: index }),
    }));
  }
  return (route.rules[rule]?.matches ?? []).map((match, index) => ({
    path: callPath(match.method),
    ...valuesOf('headers', match.headers),
    rank: rankOf(route, match, { rule, match: index }),
  }));
}

/** The prefix that all matches of a rule are by; undefined when there is another kind, or more than one. */
export function onlyPrefix(route: HTTPRouteModel | GRPCRouteModel, rule: number): boolean {
  if (route.kind !== 'HTTPRoute') return false;
  const matches = route.rules[rule]?.matches ?? [];
  return matches.length === 1 && matches[0]?.path.type === 'PathPrefix';
}

function requestMatch({ path, method, headers, query, clients }: HTTPMatchModel): Omit<Match, 'rank'> {
  return {
    path: pathOf(path),
    ...(method === undefined ? {} : { method }),
    ...valuesOf('headers', headers),
    ...valuesOf('query', query),
    ...(clients === undefined ? {} : { clients }),
  };
}

/** A slash at the end of a prefix means nothing: `/a/` takes what `/a` takes. */
function pathOf({ type, value, loose }: HTTPMatchModel['path']): Match['path'] {
  if (type === 'Exact') return { type: 'exact', value };
  if (type === 'RegularExpression')
    return { type: 'regex', value, ...(loose === undefined ? {} : { loose }) };
  const prefix = value.replace(/\/+$/, '');
  return { type: 'prefix', value: prefix === '' ? '/' : prefix };
}

/**
 * A call's path is `/SERVICE/METHOD`. All calls of a service are a prefix, so that only a method of any service, and what is written as
 * a regular expression, is one.
 */
function callPath(method: GRPCMatchModel['method']): Match['path'] {
  if (method === undefined || (!method.service && !method.method)) return { type: 'prefix', value: '/' };
  const { type, service, method: name } = method;
  if (type === 'Exact' && service) {
    return name ? { type: 'exact', value: `/${service}/${name}` } : { type: 'prefix', value: `/${service}` };
  }
  const part = (text: string | undefined) => {
    if (!text) return '[^/]+';
    return type === 'Exact' ? text.replace(/[^A-Za-z0-9_]/g, String.raw`\$&`) : regexPart(text);
  };
  return { type: 'regex', value: `/${part(service)}/${part(name)}` };
}

function valuesOf(field: 'headers' | 'query', values: readonly ValueMatch[]): Partial<Match> {
  if (values.length === 0) return {};
  const read = values.map(
    ({ name, type, value }): GatewayValueMatch =>
      type === 'RegularExpression' ? { name, value, regex: true } : { name, value },
  );
  return { [field]: read };
}
