/** An Ingress as what Gateway API and policies say, with its annotations. Pure: what it depends on is asked for. */
import type {
  BackendPolicyModel,
  TrafficPolicyModel,
  TrafficSettings,
  WAFPolicyModel,
} from '#model/gateway/policy-types.ts';
import type { HTTPRouteModel, HTTPRuleModel, ParentReference, RouteModel } from '#model/gateway/types.ts';
import type { IngressModel } from '#model/ingress/types.ts';
import { backendOf, defaultBackend } from './backends.ts';
import { canaryFindings, canaryPolicies } from './canaries.ts';
import { nginxPrefix } from './catalogue/index.ts';
import { isCanary } from './catalogue/routing.ts';
import { protects } from './effects.ts';
import { listenerOf, listenerSetOf, sectionOf } from './listener-set.ts';
import { createPlace, derivedObject, gatewayGroup, type Place, parentOf } from './place.ts';
import { nginxAnnotations, readAnnotations } from './read-annotations.ts';
import { appRootRule, isForRoot, ruleOf, securely } from './rules.ts';
import { type IngressPath, type Site, secureName, sitesOf, widerName, wwwOf } from './sites.ts';
import type { IngressContext, Translation } from './types.ts';

/** Paths that are served by HTTP whatever else is: by these certificates are got. */
const challenge = '/.well-known/acme-challenge';

export function translateIngress(ingress: IngressModel, context: IngressContext): Translation {
  const nothing = { listenerSets: [], routes: [], policies: [], backendPolicies: [], wafPolicies: [] };
  if (isCanary(nginxAnnotations(ingress))) return { ...nothing, findings: canaryFindings(ingress, context) };
  const place = createPlace(ingress, context, readAnnotations(ingress));
  const sites = sitesOf(ingress, context);
  judgeTLS(sites, place);
  const built = sites.map((site) => routesOf(site, sites.length === 1 ? '' : `~${siteName(site)}`, place));
  const routes = built.flatMap((each) => each.routes);
  const set = listenerSetOf(sites, place);
  // What sends clients elsewhere is asked before all policies in ingress-nginx.
  const targets = routes.flatMap(({ kind, name }) =>
    kind === 'HTTPRoute' && !/~(?:tls|www)$/.test(name) ? [{ group: gatewayGroup, kind, name }] : [],
  );
  return {
    listenerSets: set === undefined ? [] : [set],
    routes,
    policies: [...policyOf(targets, place), ...built.flatMap((each) => each.policies)],
    backendPolicies: backendPolicyOf(place),
    wafPolicies: wafPolicyOf(targets, place),
    findings: distinct(place.findings),
  };
}

/** Paths with the same fault in an annotation have it once. */
function distinct(findings: Translation['findings']): Translation['findings'] {
  return [...new Map(findings.map((each) => [JSON.stringify(each), each])).values()];
}

function siteName({ host }: Site): string {
  return host === '' ? 'any' : sectionOf(host);
}

/** Hosts that ask for TLS where there is none to be had. */
function judgeTLS(sites: readonly Site[], { ingress, context: { https }, note }: Place): void {
  for (const { host, judged, wider } of sites)
    for (const { name, leader } of https !== undefined && judged ? wider : [])
      note(
        'spec.tls',
        'Required',
        `has nothing for ${host}, whose clients are asked for certificates: HTTPS for it is for ${name} of Ingress ${leader.name}`,
      );
  if (ingress.tls.length === 0) return;
  if (https === undefined) note('spec.tls', 'WithoutEffect', 'the ALB of its class has no port for HTTPS');
  else if (!https.hasCertificate && sites.some(({ byDefault, secure }) => byDefault && secure.length === 0))
    note('spec.tls', 'Required', 'names no Secret, and the ALB of its class has no certificate of its own');
}

type Built = { readonly routes: readonly RouteModel[]; readonly policies: readonly TrafficPolicyModel[] };

function routesOf(site: Site, suffix: string, place: Place): Built {
  const { effects } = place;
  const isChallenge = ({ path }: IngressPath) => path.startsWith(challenge);
  const numbered = site.paths.map((path, at) => [path, at] as const);
  const rulesOf = (list: typeof numbered) =>
    list.flatMap(([path, at]) => {
      const rule = ruleOf(path, at, site, place);
      return rule === undefined ? [] : [[path, rule] as const];
    });
  const passed = effects.passthrough === true && site.host !== '';
  const open = rulesOf(numbered.filter(([path]) => isChallenge(path)));
  const all = rulesOf(numbered.filter(([path]) => !isChallenge(path)));
  const appRoot = appRootRule(place);
  const root = appRoot === undefined ? [] : [appRoot];
  const main = all.filter(([path, rule]) => {
    if (appRoot === undefined || !isForRoot(rule)) return true;
    place.note(`${path.field}.path`, 'WithoutEffect', 'app-root answers all requests for /');
    return false;
  });
  const mainRules = main.map(([, rule]) => rule);
  const rest = defaultRules(site, place);
  // Where there are no paths, `/` isn't taken from others, either.
  const [first, last] = site.paths.length > 0 ? [[...root, ...mainRules], rest] : [[], [...root, ...rest]];
  const common = { site, place, passed };
  const routes: RouteModel[] = [
    ...routeOf({ ...common, suffix, rules: first }),
    ...routeOf({ ...common, suffix: `${suffix}~acme`, rules: open.map(([, rule]) => rule), isOpen: true }),
    ...routeOf({ ...common, suffix: `${suffix}~default`, rules: last, rank: 'z' }),
    ...wwwRoute(site, suffix, place),
    ...(passed ? passthroughRoute(site, suffix, place) : []),
  ];
  const route = { name: derivedObject(place.ingress, suffix).name, suffix };
  const paths = main.map(([path, rule]) => [path, rule.name ?? ''] as const);
  return { routes, policies: canaryPolicies(site, paths, route, place) };
}

type RouteWish = {
  readonly site: Site;
  readonly place: Place;
  readonly suffix: string;
  readonly rules: readonly HTTPRuleModel[];
  /** TLS for its hosts isn't ended here. */
  readonly passed: boolean;
  /** Served by HTTP, too, whatever else is. */
  readonly isOpen?: boolean;
  /** As in RouteBase. */
  readonly rank?: string;
};

/** The route, and beside it what HTTP gets where it is to be HTTPS. */
function routeOf({
  site,
  place,
  suffix,
  rules,
  passed,
  isOpen = false,
  rank,
}: RouteWish): readonly HTTPRouteModel[] {
  if (rules.length === 0) return [];
  const { ingress, context, effects } = place;
  const { http, https } = context;
  const { wished = true, forced = false } = effects.secureOnly ?? {};
  const isSecure = https !== undefined && (site.secure.length > 0 || site.byDefault || passed);
  const redirects =
    !isOpen && (forced || site.judged || passed || (wished && isSecure && effects.redirect === undefined));
  const route = (
    more: string,
    hostnames: readonly string[],
    parents: readonly ParentReference[],
    ruled: readonly HTTPRuleModel[],
  ): HTTPRouteModel[] =>
    parents.length === 0
      ? []
      : [
          {
            ...derivedObject(ingress, `${suffix}${more}`),
            kind: 'HTTPRoute',
            ...(rank === undefined ? {} : { rank }),
            parents,
            hostnames,
            rules: ruled,
          },
        ];
  const plain = http === undefined ? [] : [parentOf(context.gateway, http.section)];
  // Where clients must have certificates there is no way in but by the host's own listener.
  const byALB =
    https?.hasCertificate === true && !site.judged ? [parentOf(context.gateway, https.section)] : [];
  const own = site.judged ? site.secure : [...site.secure, ...site.wider];
  const secure = passed || https === undefined ? [] : [...own.map(listenerOf), ...byALB];
  if (site.host === '') {
    // What is for any host is sent to HTTPS under the names alone that have TLS.
    const named = site.secure.map(({ name }) => name);
    const sends = redirects && (named.length > 0 || forced || site.judged);
    return [
      ...route('', [], [...(forced || site.judged ? [] : plain), ...secure], rules),
      ...(sends ? route('~tls', forced || site.judged ? [] : named, plain, rules.map(toHTTPS)) : []),
    ];
  }
  return [
    ...route('', site.names, redirects ? secure : [...plain, ...secure], rules),
    ...(redirects ? route('~tls', site.names, plain, rules.map(toHTTPS)) : []),
  ];

  function toHTTPS(rule: HTTPRuleModel): HTTPRuleModel {
    return securely(rule, https?.port ?? 443);
  }
}

/** Behind all other rules for the host: what none of the Ingress's own paths takes. Without rules: any host. */
function defaultRules(site: Site, place: Place): readonly HTTPRuleModel[] {
  const { ingress, closed, effects } = place;
  if (
    ingress.defaultBackend === undefined ||
    site.paths.some(({ path, type }) => path === '/' && type !== 'Exact')
  )
    return [];
  const field = 'spec.defaultBackend';
  const path: IngressPath = { type: 'Prefix', path: '/', backend: ingress.defaultBackend, field };
  // Rewrites and redirects are for paths.
  const { rewrite: _rewrite, redirect: _redirect, ...rest } = effects;
  const quiet = { ...place, closed, effects: rest };
  const rule = ruleOf(path, site.paths.length, { ...site, regex: false }, quiet);
  return rule === undefined ? [] : [rule];
}

/** The other name of the host, unless somebody has that. */
function wwwRoute(site: Site, suffix: string, place: Place): readonly HTTPRouteModel[] {
  const { ingress, context, effects } = place;
  const from = wwwOf(site.host);
  if (effects.www !== true || from === undefined) return [];
  const isTaken = context.neighbours(from).some(({ rules }) => rules.some(({ host }) => host === from));
  if (isTaken || site.names.includes(from)) return [];
  const secure = secureName(from, context) ?? widerName(from, context);
  const { http, https } = context;
  const parents = [
    ...(http === undefined ? [] : [parentOf(context.gateway, http.section)]),
    ...(secure === undefined || https === undefined ? [] : [listenerOf(secure)]),
    ...(https?.hasCertificate === true ? [parentOf(context.gateway, https.section)] : []),
  ];
  const field = 'metadata.annotations';
  const rule: HTTPRuleModel = {
    field,
    matches: [{ path: { type: 'PathPrefix', value: '/' }, headers: [], query: [] }],
    filters: [{ type: 'RequestRedirect', hostname: site.host, statusCode: 308 }],
    backends: [],
    timeouts: {},
  };
  if (parents.length === 0) return [];
  return [
    {
      ...derivedObject(ingress, `${suffix}~www`),
      kind: 'HTTPRoute',
      parents,
      hostnames: [from],
      rules: [rule],
    },
  ];
}

/** Nobody looks into what goes on as it is: where somebody is to be kept out, nothing does. */
function passthroughRoute(site: Site, suffix: string, place: Place): readonly RouteModel[] {
  const { ingress, context } = place;
  if (place.closed) return [];
  if (protects(place.effects)) {
    const message = 'nothing of what else is to keep somebody out holds for it; connections are closed';
    place.note(`metadata.annotations[${nginxPrefix}ssl-passthrough]`, 'ProtectionMissing', message);
    return [];
  }
  const path = site.paths.find((each) => each.path === '/') ?? site.paths[0];
  if (context.https === undefined || path === undefined) return [];
  const backend = backendOf(path.backend, `${path.field}.backend`, place);
  return [
    {
      ...derivedObject(ingress, `${suffix}~passthrough`),
      kind: 'TLSRoute',
      parents: site.names.map((name) => listenerOf({ name, leader: ingress })),
      hostnames: site.names,
      rules: [{ backends: backend === undefined ? [] : [backend] }],
    },
  ];
}

type Targets = TrafficPolicyModel['targets'];

function policyOf(targets: Targets, place: Place): readonly TrafficPolicyModel[] {
  const { effects, ingress } = place;
  const backend = effects.errorCodes === undefined ? undefined : defaultBackend(place);
  const settings: TrafficSettings = {
    ...effects.settings,
    ...(effects.errorCodes === undefined || backend === undefined
      ? {}
      : { errors: [{ codes: effects.errorCodes, backend }] }),
  };
  if (Object.keys(settings).length === 0 || targets.length === 0) return [];
  return [{ ...derivedObject(ingress, ''), targets, enforced: false, settings }];
}

function wafPolicyOf(targets: Targets, { effects, ingress }: Place): readonly WAFPolicyModel[] {
  if (effects.firewall === undefined || targets.length === 0) return [];
  return [{ ...derivedObject(ingress, ''), targets, enforced: false, settings: effects.firewall }];
}

function backendPolicyOf({ effects, ingress }: Place): readonly BackendPolicyModel[] {
  if (effects.balance === undefined) return [];
  const services = ingress.rules.flatMap(({ paths }) =>
    paths.flatMap(({ backend }) => ('service' in backend ? [backend.service] : [])),
  );
  const targets = [...new Set(services)].map((name) => ({ group: '', kind: 'Service', name }));
  return [{ ...derivedObject(ingress, ''), targets, enforced: false, settings: effects.balance }];
}
