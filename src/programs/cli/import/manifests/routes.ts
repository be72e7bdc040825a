/** Routes as manifests: those that are larger than the API lets through become several. */
import type { KubeObject } from '#api/object.ts';
import type {
  BackendReference,
  HTTPMatchModel,
  HTTPRouteModel,
  HTTPRuleModel,
  ParentReference,
  RouteModel,
} from '#model/gateway/types.ts';
import { backendManifest, defined, filterManifest } from './filters.ts';
import { validName } from './names.ts';
import { asPrefix, pathOf, pathProblem } from './paths.ts';
import { duration, manifest, type Printing, pieces, referenceTo, sourceOf } from './printing.ts';

const group = 'gateway.networking.k8s.io';
const apiVersion = `${group}/v1`;

/** The API's. */
const most = { hostnames: 16, rules: 16, matches: 64, allMatches: 128 } as const;

/** `name`: in the place of the model's. */
export function routeManifests(
  route: RouteModel,
  printing: Printing,
  name = route.name,
): readonly KubeObject[] {
  const { kind, namespace, key, parents } = route;
  const parentRefs = parents.map((each) => parentManifest(each, namespace));
  if (kind === 'GRPCRoute') return [];
  if (kind !== 'HTTPRoute') {
    const rules = route.rules.map(({ backends }) => ({
      backendRefs: backends.map((each) => backendManifest(each, namespace)),
    }));
    const hostnames = kind === 'TLSRoute' && route.hostnames.length > 0 ? { hostnames: route.hostnames } : {};
    printing.renamed.set(`${kind}/${key}`, [{ name: validName(name), sections: [] }]);
    return [manifest(apiVersion, kind, { namespace, name }, { parentRefs, ...hostnames, rules })];
  }
  const rules = orderedRules(route).flatMap((rule) => ruleManifests(rule, route, printing));
  const parts = pieces(route.hostnames, most.hostnames).flatMap((hostnames) =>
    packed(rules).map((some) => ({ hostnames, rules: some })),
  );
  const whole =
    route.hostnames.length === 0 ? packed(rules).map((some) => ({ hostnames: [], rules: some })) : parts;
  const made = whole.map((part, index) => ({ ...part, name: index === 0 ? name : `${name}-${index + 1}` }));
  printing.renamed.set(
    `${kind}/${key}`,
    made.map((part) => ({
      name: validName(part.name),
      sections: part.rules.flatMap((each) => each.name ?? []),
    })),
  );
  return made.map((part) =>
    manifest(
      apiVersion,
      kind,
      { namespace, name: part.name },
      {
        parentRefs,
        ...(part.hostnames.length === 0 ? {} : { hostnames: part.hostnames }),
        rules: part.rules,
      },
    ),
  );
}

export function parentManifest(parent: ParentReference, own: string): object {
  const { sectionName, port } = parent;
  return {
    ...referenceTo(parent, own, { group, kind: 'Gateway' }),
    ...defined({ sectionName, port }),
  };
}

type RuleManifest = { readonly name?: string; readonly matches: readonly object[] };

/** Loose expressions are asked from the longest on: within a route that is the order of its rules. */
function orderedRules({ rules }: HTTPRouteModel): readonly HTTPRuleModel[] {
  const length = ({ matches }: HTTPRuleModel) =>
    Math.max(0, ...matches.map(({ path }) => (path.loose === true ? path.value.length : 0)));
  return [...rules].sort((a, b) => length(b) - length(a));
}

function packed(rules: readonly RuleManifest[]): readonly (readonly RuleManifest[])[] {
  const found: RuleManifest[][] = [];
  let count = 0;
  for (const rule of rules) {
    const last = found.at(-1);
    count += rule.matches.length;
    if (last === undefined || last.length === most.rules || count > most.allMatches) {
      found.push([rule]);
      count = rule.matches.length;
    } else last.push(rule);
  }
  return found;
}

function ruleManifests(
  rule: HTTPRuleModel,
  route: HTTPRouteModel,
  printing: Printing,
): readonly RuleManifest[] {
  const source = sourceOf(route);
  const field = rule.field ?? '';
  const { report } = printing;
  const replaced = byPrefix(rule, (reason) => report.note(source, field, reason));
  const matches = replaced.matches.flatMap((match) => {
    const path = pathOf(match.path);
    const problem = pathProblem(path);
    if (problem !== undefined)
      return report.lost(source, field, `path ${JSON.stringify(path.value)} ${problem}`) ?? [];
    return [matchManifest(match, path)];
  });
  if (matches.length === 0) return [];
  const filters: object[] = [];
  let refused = rule.closed === true || rule.unusable !== undefined;
  if (rule.closed === true)
    report.lost(source, field, 'protects what it is for, and can not: its requests get 500');
  if (rule.unusable !== undefined) report.lost(source, field, `${rule.unusable}: its requests get 500`);
  for (const filter of replaced.filters) {
    const printed = filterManifest(filter, route.namespace);
    if (printed.lost !== undefined) {
      report.lost(
        source,
        field,
        printed.value === undefined ? `${printed.lost}: its requests get 500` : printed.lost,
      );
      refused ||= printed.value === undefined;
    }
    if (printed.note !== undefined) report.note(source, field, printed.note);
    if (printed.value !== undefined) filters.push(printed.value);
  }
  const unported = rule.backends.filter(({ kind, port }) => kind === 'Service' && port === undefined);
  for (const { name } of unported)
    report.lost(
      source,
      field,
      `its port has a name, and Service ${name} is not in the files: its share of requests gets 500`,
    );
  const backends = rule.backends.filter((each) => !unported.includes(each));
  const rest = refused
    ? {}
    : {
        ...(filters.length === 0 ? {} : { filters }),
        ...(backends.length === 0
          ? {}
          : { backendRefs: backends.map((each) => backendManifest(each, route.namespace)) }),
        ...timesOf(rule),
        ...persistenceOf(rule),
      };
  return pieces(matches, most.matches).map((some, index) => ({
    ...(rule.name === undefined ? {} : { name: index === 0 ? rule.name : `${rule.name}-${index + 1}` }),
    matches: some,
    ...rest,
  }));
}

/** Groups that are but a prefix and the rest: a rule for each prefix would do, but most have one. */
function byPrefix(
  rule: HTTPRuleModel,
  note: (reason: string) => void,
): Pick<HTTPRuleModel, 'matches' | 'filters'> {
  const at = rule.filters.findIndex(
    (filter) =>
      (filter.type === 'URLRewrite' || filter.type === 'RequestRedirect') &&
      filter.path?.type === 'ReplaceCaptures',
  );
  const filter = rule.filters[at];
  const [match, ...more] = rule.matches;
  if (match === undefined || filter === undefined || !('path' in filter) || typeof filter.path !== 'object')
    return rule;
  const found = more.length === 0 ? asPrefix(match.path, filter.path) : undefined;
  if (found === undefined) return rule;
  if (match.path.loose === true) note('the expression became a prefix, which goes by the case of letters');
  if (!found.isWhole) note(`the expression became the prefix ${found.prefix}, which ends at a segment`);
  const path = { type: 'ReplacePrefixMatch', value: found.replacement } as const;
  return {
    matches: [{ ...match, path: { type: 'PathPrefix', value: found.prefix } }],
    filters: rule.filters.map((each, index) =>
      index === at && (each.type === 'URLRewrite' || each.type === 'RequestRedirect')
        ? { ...each, path }
        : each,
    ),
  };
}

function matchManifest(
  { method, headers, query }: HTTPMatchModel,
  path: { readonly type: string; readonly value: string },
): object {
  const values = (list: HTTPMatchModel['headers']) =>
    list.length === 0
      ? undefined
      : list.map(({ name, type, value }) => ({ ...(type === 'Exact' ? {} : { type }), name, value }));
  return defined({ path, method, headers: values(headers), queryParams: values(query) });
}

function timesOf({ timeouts, retry }: HTTPRuleModel): object {
  const { request, backendRequest } = timeouts;
  const times = defined({
    request: request === undefined ? undefined : duration(request),
    backendRequest: backendRequest === undefined ? undefined : duration(backendRequest),
  });
  return {
    ...(Object.keys(times).length === 0 ? {} : { timeouts: times }),
    ...(retry === undefined ? {} : { retry: retryManifest(retry) }),
  };
}

export function retryManifest({ codes, attempts, backoff }: NonNullable<HTTPRuleModel['retry']>): object {
  return defined({
    codes: codes.length === 0 ? undefined : codes,
    attempts,
    backoff: backoff === undefined ? undefined : duration(backoff),
  });
}

function persistenceOf({ sessionPersistence: session }: HTTPRuleModel): object {
  return session === undefined ? {} : { sessionPersistence: sessionManifest(session) };
}

export function sessionManifest(session: NonNullable<HTTPRuleModel['sessionPersistence']>): object {
  const { type, name, absoluteTimeout, lifetime } = session;
  return defined({
    sessionName: name,
    type,
    absoluteTimeout: absoluteTimeout === undefined ? undefined : duration(1000 * absoluteTimeout),
    cookieConfig: lifetime === 'Permanent' ? { lifetimeType: lifetime } : undefined,
  });
}

/** Backends that are spoken to in a way that Gateway API keeps elsewhere. */
export function spokenTo(route: RouteModel): readonly BackendReference[] {
  if (route.kind !== 'HTTPRoute') return [];
  return route.rules.flatMap(({ backends }) => backends.filter(({ speech }) => speech !== undefined));
}
