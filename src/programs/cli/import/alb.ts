/** ALB's objects as Gateway API, an ALB of ours and policies; Ingresses beside them, by `ingress-nginx`. */
import type { KubeObject } from '#api/object.ts';
import { inOrder } from '#compile/alauda/routes.ts';
import { policiesForIngresses, translateALB2 } from '#compile/alauda/translate.ts';
import { readALB2 } from '#model/alauda/alb2.ts';
import { labelsOf, readFrontend } from '#model/alauda/frontend.ts';
import { readRule } from '#model/alauda/rule.ts';
import type { FrontendModel, RuleModel } from '#model/alauda/types.ts';
import { regexInScript } from '#model/gateway/regex.ts';
import type { HTTPRouteModel, RouteModel } from '#model/gateway/types.ts';
import type { Problem } from '#model/problem.ts';
import type { Report } from './fields.ts';
import { asPrefix } from './manifests/paths.ts';
import { printModels } from './manifests/print.ts';
import { isService, placed, titleOf } from './metadata.ts';

export function translateALB(objects: readonly KubeObject[], report: Report): readonly KubeObject[] {
  const of = (kind: string) =>
    objects
      .filter((object) => object.kind === kind && object.apiVersion.startsWith('crd.alauda.io/'))
      .map(placed);
  const tell = ({ object: { kind, namespace, name }, field, message }: Problem) =>
    report.lost(`${kind} ${namespace}/${name}`, field, message);
  const read = <T>(
    kind: string,
    reader: (object: KubeObject) => { readonly value: T | undefined; readonly problems: readonly Problem[] },
  ) =>
    of(kind).flatMap((object) => {
      const { value, problems } = reader(object);
      for (const each of problems) tell(each);
      return value === undefined ? [] : [value];
    });
  const alb2s = read('ALB2', readALB2);
  const frontends = read('Frontend', readFrontend);
  const rules = read('Rule', readRule);
  for (const each of of('Rule')) {
    const source = each['spec'] as { readonly source?: { readonly type?: unknown } } | undefined;
    if (source?.source?.type === 'ingress')
      report.note(
        titleOf(each),
        '',
        'was made for an Ingress, which is served itself (import ingress-nginx)',
      );
  }
  tellOrphans(
    alb2s.map(({ key }) => key),
    frontends,
    rules,
    report,
  );
  const ours = alb2s.flatMap((alb2) => {
    const own = frontends.filter(({ namespace, alb }) => `${namespace}/${alb}` === alb2.key);
    const { alb, problems, ...made } = translateALB2(alb2, own, (key) =>
      rules.filter(({ namespace, frontend }) => `${namespace}/${frontend}` === key).sort(inOrder),
    );
    for (const each of problems) tell(each);
    for (const { policies, wafPolicies } of [policiesForIngresses(alb2, own)])
      if (policies.length + wafPolicies.length > 0)
        report.lost(
          `ALB2 ${alb2.key}`,
          'spec.config',
          'what it or a Frontend says at the ports for Ingresses holds for those, too: give the ALB a TrafficPolicy and a WAFPolicy for them',
        );
    tellOrder(made.routes, report);
    return printModels({ albs: [alb], ...made }, report, numbered(made.routes));
  });
  const others = objects.filter(
    (object) => !object.apiVersion.startsWith('crd.alauda.io/') && !isService(object),
  );
  return [...ours, ...others];
}

function tellOrphans(
  alb2s: readonly string[],
  frontends: readonly FrontendModel[],
  rules: readonly RuleModel[],
  report: Report,
): void {
  for (const { namespace, name, alb } of frontends)
    if (!alb2s.includes(`${namespace}/${alb}`))
      report.lost(
        `Frontend ${namespace}/${name}`,
        `metadata.labels[${labelsOf.alb}]`,
        `there is no ALB2 ${alb} in the files`,
      );
  for (const { namespace, name, frontend } of rules)
    if (!frontends.some((each) => each.key === `${namespace}/${frontend}`))
      report.lost(
        `Rule ${namespace}/${name}`,
        `metadata.labels[${labelsOf.frontend}]`,
        `there is no Frontend ${frontend} in the files`,
      );
}

/** Of routes made in the same second the name decides: so it says where the Rule stands. */
function numbered(routes: readonly RouteModel[]): (route: RouteModel) => string {
  const seen = new Map<string, number>();
  const names = new Map<RouteModel, string>();
  for (const route of routes) {
    if (route.kind !== 'HTTPRoute' || route.rank === 'z') continue;
    const parent = route.parents[0]?.name ?? '';
    const number = (seen.get(parent) ?? 0) + 1;
    seen.set(parent, number);
    names.set(
      route,
      `${parent.replace(/~.*$/, '')}-${String(number).padStart(4, '0')}-${route.name.replace('~rule', '')}`,
    );
  }
  return (route) => names.get(route) ?? route.name;
}

/**
 * Gateway API asks prefixes before expressions, then rules with a method, more headers or more parameters first: where priorities say otherwise it
 * can't be printed.
 */
function tellOrder(routes: readonly RouteModel[], report: Report): void {
  const http = routes.filter(
    (each): each is HTTPRouteModel => each.kind === 'HTTPRoute' && each.rank !== 'z',
  );
  for (const [index, route] of http.entries()) {
    const before = http
      .slice(0, index)
      .find(
        (earlier) =>
          earlier.origin.name !== route.origin.name &&
          earlier.parents[0]?.name === route.parents[0]?.name &&
          shareHost(earlier, route) &&
          (isOvertaken(earlier, route) || (shareKind(earlier, route) && specific(route) > specific(earlier))),
      );
    if (before !== undefined)
      report.lost(
        `Rule ${route.origin.namespace}/${route.origin.name}`,
        'spec.priority',
        `comes before Rule ${before.origin.name}: Gateway API asks prefixes first, and what says more of method, headers and parameters`,
      );
  }
}

function specific({ rules }: HTTPRouteModel): number {
  const [match] = rules[0]?.matches ?? [];
  return match === undefined
    ? 0
    : (match.method === undefined ? 0 : 1_000_000) + 1000 * match.headers.length + match.query.length;
}

function shareHost(one: HTTPRouteModel, other: HTTPRouteModel): boolean {
  return one.hostnames.length === 0 || other.hostnames.length === 0
    ? one.hostnames.length === other.hostnames.length
    : one.hostnames.some((host) => other.hostnames.includes(host));
}

function shareKind(one: HTTPRouteModel, other: HTTPRouteModel): boolean {
  const kinds = (route: HTTPRouteModel) =>
    new Set(route.rules.flatMap(({ matches }) => matches.map(({ path }) => path.type)));
  const found = kinds(other);
  return [...kinds(one)].some((type) => found.has(type));
}

/** A rewrite by groups is printed as a prefix where it can be, which is asked before expressions that take the same. */
function isOvertaken(earlier: HTTPRouteModel, route: HTTPRouteModel): boolean {
  const prefixes = route.rules.flatMap(({ matches, filters }) => {
    const change = filters.flatMap((each) => (each.type === 'URLRewrite' ? (each.path ?? []) : []))[0];
    const path = matches[0]?.path;
    const found = path === undefined || change === undefined ? undefined : asPrefix(path, change);
    return found === undefined ? [] : [found.prefix];
  });
  return earlier.rules.some(({ matches, filters }) =>
    matches.some(({ path }) => {
      const change = filters.flatMap((each) => (each.type === 'URLRewrite' ? (each.path ?? []) : []))[0];
      const isPrefix = change !== undefined && asPrefix(path, change) !== undefined;
      if (path.type !== 'RegularExpression' || isPrefix) return false;
      const takes = regexInScript(path.value);
      return prefixes.some((prefix) => takes.test(prefix) || takes.test(`${prefix}/x`));
    }),
  );
}
