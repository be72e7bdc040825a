/**
 * Rules of Ingresses that others come before once they are printed: what is served goes by age, and by the length of expressions; of routes that
 * are made in one second Gateway API goes by name, and an expression that became a prefix is asked before those that stayed some.
 */
import { patternOf } from '#compile/alauda/patterns.ts';
import { byText, olderFirst } from '#compile/gateway/age.ts';
import { rankOf } from '#compile/gateway/entries/rank.ts';
import type { HTTPMatchModel, HTTPRouteModel, ListenerSetModel, RouteModel } from '#model/gateway/types.ts';
import type { Report } from './fields.ts';
import { validName } from './manifests/names.ts';
import { asPrefix } from './manifests/paths.ts';
import { sourceOf } from './manifests/printing.ts';

type Path = HTTPMatchModel['path'];

/** A path of a route, with where it stands in both orders. */
type Claim = {
  readonly route: HTTPRouteModel;
  readonly field: string;
  readonly path: string;
  /** Of what it takes all begins so, in small letters. */
  readonly beginning: string;
  readonly served: string;
  readonly printed: string;
};

export function tellOvertaken(routes: readonly RouteModel[], report: Report): void {
  for (const claims of claimsByHost(routes).values()) {
    const served = claims.toSorted((a, b) => byText(a.served, b.served));
    for (const [index, one] of served.entries()) {
      const other = served
        .slice(index + 1)
        .find((later) => later.printed < one.printed && overlap(one, later) && meet(one.route, later.route));
      if (other !== undefined)
        report.lost(
          sourceOf(one.route),
          one.field,
          `${one.path} comes before ${other.path} of ${sourceOf(other.route)}: printed, it comes behind that, since routes go by name and prefixes before expressions`,
        );
    }
  }
}

/** Of a hostname one ListenerSet has the listener: those of another namespace have none by TLS, where ingress-nginx takes all of them together. */
export function tellTaken(sets: readonly ListenerSetModel[], report: Report): void {
  const holders = new Map<string, ListenerSetModel>();
  for (const set of sets.toSorted(olderFirst))
    for (const { hostname = '', port } of set.listeners) {
      const id = `${port} ${hostname}`;
      const holder = holders.get(id) ?? set;
      holders.set(id, holder);
      if (holder !== set)
        report.lost(
          sourceOf(set),
          'spec.tls',
          `${hostname} has TLS by ${sourceOf(holder)} already: two listeners for one name are in conflict`,
        );
    }
}

function claimsByHost(routes: readonly RouteModel[]): ReadonlyMap<string, readonly Claim[]> {
  const found = new Map<string, Claim[]>();
  for (const route of routes) {
    if (route.kind !== 'HTTPRoute') continue;
    const claims = claimsOf(route);
    for (const host of route.hostnames.length === 0 ? [''] : route.hostnames)
      found.set(host, [...(found.get(host) ?? []), ...claims]);
  }
  return found;
}

function claimsOf(route: HTTPRouteModel): readonly Claim[] {
  const name = `${route.namespace}/${validName(route.name)}`;
  return route.rules.flatMap((rule, at) => {
    const change = rule.filters.flatMap((each) => (each.type === 'URLRewrite' ? (each.path ?? []) : []))[0];
    return rule.matches.map((match, index): Claim => {
      const { path } = match;
      const prefix = change === undefined ? undefined : asPrefix(path, change)?.prefix;
      const printed: Path = prefix === undefined ? path : { type: 'PathPrefix', value: prefix };
      const own = path.loose === true ? longest(path.value) : '';
      return {
        route,
        field: rule.field ?? '',
        path: path.value,
        beginning: beginningOf(path),
        served: `${classOf(path)} ${rankOf(route, match, { rule: at, match: index })}`,
        printed: `${classOf(printed)} ${name} ${own}`,
      };
    });
  });
}

/** In the order in which they are asked: exact paths, prefixes from the longest on, expressions, `/`. */
function classOf({ type, value }: Path): string {
  if (type === 'Exact') return '0';
  if (type === 'RegularExpression') return '2';
  return value === '/' ? '3' : `1${longest(value)}`;
}

function longest(text: string): string {
  return String(9999 - text.length).padStart(4, '0');
}

function beginningOf({ type, value }: Path): string {
  if (type !== 'RegularExpression') return value.toLowerCase();
  const { branches } = patternOf(value);
  const [{ text } = { text: '' }, ...more] = branches;
  if (more.length > 0) return '';
  const [plain = ''] = /^(?:[A-Za-z0-9_~/-](?![?*{])|\\[^A-Za-z0-9](?![?*{]))*/.exec(text) ?? [];
  return plain.replaceAll('\\', '').toLowerCase();
}

/** Whether one request may be both's. */
function overlap(one: Claim, other: Claim): boolean {
  const [a, b] = [one.beginning, other.beginning];
  return one.served.startsWith('0') && other.served.startsWith('0')
    ? one.path === other.path
    : a.startsWith(b) || b.startsWith(a);
}

function meet(one: HTTPRouteModel, other: HTTPRouteModel): boolean {
  return one.parents.some(({ name, namespace, sectionName }) =>
    other.parents.some(
      (each) => each.name === name && each.namespace === namespace && each.sectionName === sectionName,
    ),
  );
}
