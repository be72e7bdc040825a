/** Frontends as listeners and routes: those of an ALB's own port for Ingresses stand at the ALB itself, all others in a ListenerSet. */
import type { ALB2Model, AlaudaSettings, FrontendModel, RuleModel } from '#model/alauda/types.ts';
import type {
  HTTPMatchModel,
  L4RouteModel,
  ListenerModel,
  ListenerSetModel,
  ParentReference,
  RouteModel,
} from '#model/gateway/types.ts';
import type { Problem } from '#model/problem.ts';
import { sectionOf } from '../ingress/listener-set.ts';
import type { PathForm } from './conditions.ts';
import { albReference, frontendKey, headOf, listenerSetReference } from './names.ts';
import { pathParts } from './paths.ts';
import { type AlaudaPolicies, closedBy, mergeSettings, policiesOf } from './policies.ts';
import { replacementOf, ruleRoutes } from './routes.ts';
import { backendsOf, httpRule } from './rules.ts';

export type FrontendParts = AlaudaPolicies & {
  readonly listenerSets: readonly ListenerSetModel[];
  readonly routes: readonly RouteModel[];
  readonly problems: readonly Problem[];
};

/** `rules`: those of the Frontend. */
export function frontendParts(
  alb2: ALB2Model,
  frontend: FrontendModel,
  rules: readonly RuleModel[],
): FrontendParts {
  const isShared = standsAtALB(alb2, frontend);
  const listenerSets = isShared ? [] : [listenerSetOf(alb2, frontend, rules)];
  const parent = parentOf(alb2, frontend, isShared);
  const head = headOf(frontend, frontendKey(frontend.key));
  const settings = mergeSettings(alb2.settings, frontend.settings);
  const none = { policies: [], wafPolicies: [], problems: [] };
  if (frontend.protocol === 'tcp' || frontend.protocol === 'udp') {
    const kind = frontend.protocol === 'tcp' ? ('TCPRoute' as const) : ('UDPRoute' as const);
    const { group } = frontend;
    const backends = backendsOf(frontend, group && { ...group, protocol: 'http' });
    const route: L4RouteModel = { ...head, kind, parents: [parent], hostnames: [], rules: [{ backends }] };
    const routes = backends.length === 0 ? [] : [route];
    const affinity = group?.affinity === undefined ? [] : [byTurns(frontend)];
    return { ...none, listenerSets, routes, problems: affinity };
  }
  const redirect = frontend.settings.redirect ?? ingressRedirect(alb2, frontend);
  const own: AlaudaSettings = { ...settings, ...(redirect === undefined ? {} : { redirect }) };
  const { parts, objection } = pathParts([], replacementOf({ settings: own }));
  const route: RouteModel = {
    ...head,
    kind: 'HTTPRoute',
    parents: [parent],
    hostnames: [],
    // Behind all others, whatever they are made of.
    rank: 'z',
    rules: parts.map(({ paths, change }) =>
      httpRule(frontend, {
        matches: paths.map(matchOf),
        settings: own,
        isClosed: closedBy(settings) !== undefined,
        ...(change === undefined ? {} : { change }),
        ...(objection === undefined ? {} : { unusable: `spec.config.redirect.prefix_match: ${objection}` }),
        ...(frontend.group === undefined ? {} : { group: frontend.group }),
      }),
    ),
  };
  const routes = frontend.group === undefined && redirect === undefined ? [] : [route];
  const standard = policiesOf(head, routes, settings, frontend.group);
  // All is redirected: no Rule is asked.
  if (redirect !== undefined) return { ...none, ...standard, listenerSets, routes };
  const made = ruleRoutes(rules, [alb2.settings, frontend.settings], parent);
  return {
    listenerSets,
    routes: [...made.routes, ...(routes.length === 0 ? [] : routes)],
    policies: [...made.policies, ...(routes.length === 0 ? [] : standard.policies)],
    wafPolicies: [...made.wafPolicies, ...(routes.length === 0 ? [] : standard.wafPolicies)],
    problems: made.problems,
  };
}

function matchOf(form: PathForm): HTTPMatchModel {
  const path =
    form.kind === 'regex'
      ? ({ type: 'RegularExpression', value: form.value } as const)
      : ({ type: 'PathPrefix', value: '/' } as const);
  return { path, headers: [], query: [] };
}

/** Ingresses without TLS have the same port: so both are rules of one listener. */
function standsAtALB({ ingress }: ALB2Model, { port, protocol, settings }: FrontendModel): boolean {
  const redirects = ingress.redirect || settings.redirect !== undefined;
  return port === ingress.http && !redirects && (protocol === 'http' || protocol === 'grpc');
}

function ingressRedirect({ ingress }: ALB2Model, { port }: FrontendModel): AlaudaSettings['redirect'] {
  if (!ingress.redirect || port !== ingress.http) return undefined;
  return { code: 308, scheme: 'https', ...(ingress.https === undefined ? {} : { port: ingress.https }) };
}

function parentOf(alb2: ALB2Model, frontend: FrontendModel, isShared: boolean): ParentReference {
  const written = isShared
    ? { ...albReference(alb2.key), sectionName: 'http' }
    : listenerSetReference(frontendKey(frontend.key));
  return { ...written, written };
}

/** The Frontend's own listener, and one for each domain that a Rule has a certificate for: a bad one does no harm to others. */
function listenerSetOf(
  alb2: ALB2Model,
  frontend: FrontendModel,
  rules: readonly RuleModel[],
): ListenerSetModel {
  const { port, protocol } = frontend;
  const isSecure = protocol === 'https' || protocol === 'grpcs';
  const common = { port, allowedNamespaces: { from: 'Same' } } as const;
  const plain = protocol === 'tcp' ? 'TCP' : protocol === 'udp' ? 'UDP' : 'HTTP';
  const standard = frontend.certificate ?? alb2.certificate;
  const tls = (secrets: readonly { readonly namespace: string; readonly name: string }[]) =>
    ({
      mode: 'Terminate',
      certificates: secrets.map((each) => ({ group: '', kind: 'Secret', ...each })),
      options: {},
    }) as const;
  const domains = Map.groupBy(
    isSecure ? rules.flatMap(({ certificate }) => certificate ?? []) : [],
    ({ domain }) => domain,
  );
  const listeners: ListenerModel[] = isSecure
    ? [
        {
          name: 'frontend',
          protocol: 'HTTPS',
          ...common,
          tls: tls(standard === undefined ? [] : [standard]),
        },
        ...[...domains]
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(
            ([domain, certificates]): ListenerModel => ({
              name: `domain.${sectionOf(domain)}`,
              protocol: 'HTTPS',
              hostname: domain,
              ...common,
              tls: tls(distinct(certificates.map(({ secret }) => secret))),
            }),
          ),
      ]
    : [{ name: 'frontend', protocol: plain, ...common }];
  return {
    ...headOf(frontend, frontendKey(frontend.key)),
    parent: albReference(alb2.key),
    listeners,
  };
}

function distinct<T extends { readonly namespace: string; readonly name: string }>(
  list: readonly T[],
): readonly T[] {
  return [...new Map(list.map((each) => [`${each.namespace}/${each.name}`, each])).values()];
}

function byTurns({ origin }: FrontendModel): Problem {
  const message = 'connections go by turns: affinity is for http and https';
  return {
    object: origin,
    field: 'spec.serviceGroup.session_affinity_policy',
    code: 'NotSupported',
    message,
  };
}
