/** Rules of a Frontend as HTTPRoutes, in ALB's order. */
import type { AlaudaSettings, RuleModel } from '#model/alauda/types.ts';
import type { HTTPMatchModel, HTTPRouteModel, ParentReference } from '#model/gateway/types.ts';
import type { Problem } from '#model/problem.ts';
import { type Conditions, conditionsOf } from './conditions.ts';
import { headOf, ruleKey } from './names.ts';
import { placeRules } from './order.ts';
import { type PathParts, pathParts, type Replacement } from './paths.ts';
import { literally } from './patterns.ts';
import { type AlaudaPolicies, closedBy, mergeSettings, policiesOf, protects } from './policies.ts';
import { httpRule } from './rules.ts';

export type RuleRoutes = AlaudaPolicies & {
  readonly routes: readonly HTTPRouteModel[];
  readonly problems: readonly Problem[];
};

/** A Rule with what is to be known before it stands among others. */
type Understood = {
  readonly rule: RuleModel;
  readonly conditions: Conditions;
  readonly paths: PathParts;
  readonly settings: AlaudaSettings;
};

/** `outer`: settings of the ALB2 and the Frontend. */
export function ruleRoutes(
  rules: readonly RuleModel[],
  outer: readonly AlaudaSettings[],
  parent: ParentReference,
): RuleRoutes {
  const problems: Problem[] = [];
  const tell = ({ origin }: RuleModel, field: string, message: string) =>
    problems.push({ object: origin, field, code: 'NotSupported', message });
  const understood = [...rules].sort(inOrder).flatMap((rule): Understood[] => {
    const settings = mergeSettings(...outer, rule.settings);
    const conditions = conditionsOf(rule);
    const paths = pathParts(conditions.url, replacementOf(rule));
    for (const each of conditions.lost) tell(rule, 'spec.dslx', `can't ask for ${each}`);
    if (paths.objection !== undefined)
      tell(rule, 'spec.rewrite_base', `${paths.objection}: requests that the Rule takes get 500`);
    const isVague = rule.isVague || conditions.lost.length > 0;
    const isGuarded = protects(settings) || conditions.clients !== undefined;
    if (isVague && !isGuarded) tell(rule, 'spec.dslx', 'it is not served');
    else if (isVague) tell(rule, 'spec.dslx', 'requests that it may take get 503, since it protects them');
    return isVague && !isGuarded ? [] : [{ rule, conditions, paths, settings }];
  });
  const wanted = understood.flatMap(({ conditions, paths }) =>
    conditions.places.map(({ hosts }) => ({ hosts, paths: paths.parts.flatMap((part) => part.paths) })),
  );
  const placed = placeRules(wanted);
  let at = 0;
  const made = understood.map((each) => {
    const own = placed.slice(at, at + each.conditions.places.length);
    at += own.length;
    const routes = routesOf(each, own, parent);
    return {
      routes,
      ...policiesOf(headOf(each.rule, ruleKey(each.rule.key)), routes, each.settings, each.rule.group),
    };
  });
  return {
    routes: made.flatMap(({ routes }) => routes),
    policies: made.flatMap(({ policies }) => policies),
    wafPolicies: made.flatMap(({ wafPolicies }) => wafPolicies),
    problems,
  };
}

export function inOrder(one: RuleModel, other: RuleModel): number {
  const [a, b] = [one.order, other.order];
  return (
    a.priority - b.priority ||
    b.weight - a.weight ||
    b.length - a.length ||
    (one.name < other.name ? -1 : Number(one.name > other.name))
  );
}

/** The same order as text. */
export function rankOfRule({ order, name }: RuleModel): string {
  const digits = (number: number, width: number) =>
    String(Math.max(0, Math.min(number, 10 ** width - 1))).padStart(width, '0');
  return `a${digits(order.priority, 2)}${digits(9_999_999 - order.weight, 7)}${digits(999_999 - order.length, 6)} ${name}`;
}

/** What a redirect says of paths goes before what a Rule itself does. */
export function replacementOf({
  rewrite,
  settings,
}: Pick<RuleModel, 'rewrite' | 'settings'>): Replacement | undefined {
  const path = settings.redirect?.path;
  if (path !== undefined && 'from' in path)
    return { base: literally(path.from), target: path.to.replaceAll('$', '$$$$') };
  return settings.redirect === undefined ? rewrite : undefined;
}

function routesOf(
  { rule, conditions, paths, settings }: Understood,
  placed: ReturnType<typeof placeRules>,
  parent: ParentReference,
): readonly HTTPRouteModel[] {
  const isVague = rule.isVague || conditions.lost.length > 0;
  const { vhost, cors, headers, group } = rule;
  let number = 0;
  return conditions.places.flatMap(({ header }, index) => {
    const { hosts, paths: forms } = placed[index] ?? { hosts: [], paths: [] };
    let at = 0;
    const rules = paths.parts.map(({ paths: own, change }) => {
      const mine = forms.slice(at, at + own.length);
      at += own.length;
      return httpRule(rule, {
        matches: matchesOf(mine, conditions, header),
        settings,
        headers,
        isClosed: isVague || closedBy(settings) !== undefined,
        ...(group === undefined ? {} : { group }),
        ...(change === undefined ? {} : { change }),
        ...(vhost === undefined ? {} : { vhost }),
        ...(cors === undefined ? {} : { cors }),
        ...(paths.objection === undefined ? {} : { unusable: `spec.rewrite_base: ${paths.objection}` }),
      });
    });
    const named = hosts.filter((host) => host !== '');
    const groups = [...(hosts.includes('') ? [[]] : []), ...(named.length === 0 ? [] : [named])];
    return groups.map((hostnames): HTTPRouteModel => {
      number += 1;
      const head = headOf(rule, ruleKey(rule.key, number));
      return { ...head, kind: 'HTTPRoute', parents: [parent], hostnames, rank: rankOfRule(rule), rules };
    });
  });
}

function matchesOf(
  paths: readonly HTTPMatchModel['path'][],
  { methods, headers, query, clients }: Conditions,
  header: Conditions['headers'][number] | undefined,
): readonly HTTPMatchModel[] {
  const all = header === undefined ? headers : [...headers.filter(({ name }) => name !== 'host'), header];
  const base = { headers: all, query, ...(clients === undefined ? {} : { clients }) };
  return paths.flatMap((path) =>
    methods.length === 0 ? [{ path, ...base }] : methods.map((method) => ({ path, method, ...base })),
  );
}
