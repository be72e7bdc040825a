/** Rules that are for a request's host and path but didn't take it, and why: what somebody who is surprised looks for. */
import type { GatewayIntent, GatewayRuleIntent, GatewayValueMatch } from '#intent/gateway.ts';
import type { Origin } from '#intent/origin.ts';
import { hasAddress, prepareAddresses } from '#router/src/addresses.ts';
import { normalisePrefix, normaliseRoutePath } from '#router/src/paths.ts';
import type { RouterReader, RouterRequest } from '#router/src/request.ts';
import type { RouterRule } from '#router/src/rules.ts';

export type Missed = {
  /** The route, with the rule and the match. */
  readonly origin: Origin;
  readonly because: string;
};

const most = 5;

/** The first of them, in order of precedence where their path is the same. */
export function missedRules<R extends RouterRequest>(
  { rules, actions }: GatewayIntent,
  listener: string,
  request: R,
  reader: RouterReader<R>,
  taken: RouterRule | undefined,
): readonly Missed[] {
  return Object.entries(rules)
    .filter(([key, rule]) => key !== taken?.key && rule.listener === listener)
    .filter(([, rule]) => takesHost(rule.host, request.host) && takesPath(rule, request, reader))
    .toSorted(([, a], [, b]) => (a.rank < b.rank ? -1 : 1))
    .flatMap(([key, rule]): Missed[] => {
      const origin = matchOrigin(key, actions[rule.action]?.origin);
      const because =
        missOf(rule, request, reader) ?? (taken === undefined ? undefined : lowerText(rule, taken));
      return origin === undefined || because === undefined ? [] : [{ origin, because }];
    })
    .slice(0, most);
}

/** Of one match of the rule: the number behind the last dot of its key. */
export function matchOrigin(key: string, origin: Origin | undefined): Origin | undefined {
  if (origin === undefined) return undefined;
  return { ...origin, rule: `${origin.rule ?? ''}.matches[${key.slice(key.lastIndexOf('.') + 1)}]` };
}

function takesHost(host: string, asked: string): boolean {
  return host === '' || host === asked || (host.startsWith('*.') && asked.endsWith(host.slice(1)));
}

function takesPath<R extends RouterRequest>(
  { path: { type, value, loose } }: GatewayRuleIntent,
  { path }: R,
  { matches, beginsWith }: RouterReader<R>,
): boolean {
  if (type === 'exact') return path === normaliseRoutePath(value);
  if (type === 'regex') return loose === true ? beginsWith(path, value) : matches(path, value);
  const prefix = normalisePrefix(value);
  return path === prefix || path.startsWith(`${prefix}/`);
}

/** Undefined: it would have taken the request, if another one hadn't come first. */
function missOf<R extends RouterRequest>(
  rule: GatewayRuleIntent,
  request: R,
  reader: RouterReader<R>,
): string | undefined {
  if (rule.method !== undefined && rule.method !== request.method) {
    return `its method is ${rule.method}, not ${request.method}`;
  }
  const differs = ({ value, regex }: GatewayValueMatch, got: string | undefined) =>
    got === undefined || (regex === true ? !reader.matches(got, value) : got !== value);
  const header = rule.headers?.find((each) => differs(each, reader.header(request, each.name)));
  if (header !== undefined) return valueText('header', header, reader.header(request, header.name));
  const query = rule.query?.find((each) => differs(each, reader.query(request, each.name)));
  if (query !== undefined) return valueText('query parameter', query, reader.query(request, query.name));
  if (rule.clients === undefined) return undefined;
  const client = reader.client(request, rule.action);
  const isMeant = client !== undefined && hasAddress(prepareAddresses(rule.clients), client);
  return isMeant ? undefined : `it is only for clients of ${rule.clients.join(', ')}`;
}

function valueText(what: string, { name, value, regex }: GatewayValueMatch, got: string | undefined): string {
  const wants = regex === true ? `to match ${value}` : `to be ${value}`;
  return `it wants ${what} ${name} ${wants}, and ${got === undefined ? 'there is none' : `it is ${got}`}`;
}

function lowerText(rule: GatewayRuleIntent, taken: RouterRule): string {
  if (rule.host !== taken.host) return `the host of the other is more exact than ${rule.host || 'any'}`;
  const samePath = rule.path.type === taken.type && routerPath(rule) === taken.path;
  return samePath ? 'it comes later' : `the path of the other is more exact than ${rule.path.value}`;
}

function routerPath({ path: { type, value } }: GatewayRuleIntent): string {
  return type === 'prefix' ? normalisePrefix(value) : type === 'exact' ? normaliseRoutePath(value) : value;
}
