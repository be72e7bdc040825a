/** An ALB2 with its Frontends and Rules as an ALB of ours with listeners, routes and policies. Pure; also what `netloom import alb` prints. */
import type { ALB2Model, FrontendModel, RuleModel } from '#model/alauda/types.ts';
import type { ALBModel, TrafficPolicyModel, WAFPolicyModel } from '#model/gateway/policy-types.ts';
import type { ListenerSetModel, RouteModel } from '#model/gateway/types.ts';
import type { Problem } from '#model/problem.ts';
import { frontendParts } from './frontends.ts';
import { albKey, headOf } from './names.ts';
import { type AlaudaPolicies, ingressPolicies, mergeSettings } from './policies.ts';

export type AlaudaTranslation = {
  readonly alb: ALBModel;
  readonly listenerSets: readonly ListenerSetModel[];
  readonly routes: readonly RouteModel[];
  readonly policies: readonly TrafficPolicyModel[];
  readonly wafPolicies: readonly WAFPolicyModel[];
  readonly problems: readonly Problem[];
};

/** `rules`: by the key of their Frontend. */
export function translateALB2(
  alb2: ALB2Model,
  frontends: readonly FrontendModel[],
  rules: (frontend: string) => readonly RuleModel[],
): AlaudaTranslation {
  const parts = frontends.map((each) => frontendParts(alb2, each, rules(each.key)));
  const own = redirectParts(alb2, frontends);
  return {
    alb: albOf(alb2, frontends),
    listenerSets: [...own.listenerSets, ...parts.flatMap(({ listenerSets }) => listenerSets)],
    routes: [...own.routes, ...parts.flatMap(({ routes }) => routes)],
    policies: parts.flatMap(({ policies }) => policies),
    wafPolicies: parts.flatMap(({ wafPolicies }) => wafPolicies),
    problems: parts.flatMap(({ problems }) => problems),
  };
}

/** Its instance, with its ports for Ingresses. */
export function albOf(alb2: ALB2Model, frontends: readonly FrontendModel[]): ALBModel {
  const { ingress, certificate, namespace, tenants, instance, name } = alb2;
  const isTaken = frontends.some(({ port, protocol }) => port === ingress.https && protocol !== 'udp');
  // The certificate of another namespace is for a Frontend to name, where a ReferenceGrant is asked.
  const own = !isTaken && certificate?.namespace === namespace ? certificate.name : undefined;
  // ALB's own port for Ingresses is a Frontend's, if that isn't HTTP, or redirects all that comes there.
  const isOther = frontends.some(
    ({ port, protocol, settings }) =>
      port === ingress.http &&
      (protocol === 'tcp' || protocol === 'https' || protocol === 'grpcs' || settings.redirect !== undefined),
  );
  const hasIngress = ingress.http !== undefined || ingress.https !== undefined;
  return {
    ...headOf(alb2, albKey(alb2.key)),
    // Whoever has a Frontend has its port, on nodes, too.
    instance:
      instance.network === 'HostNetwork'
        ? { ...instance, hostPorts: [...new Set(frontends.map(({ port }) => port))].sort((a, b) => a - b) }
        : instance,
    // All that comes there is redirected: nothing else is attached to it.
    ...(ingress.http === undefined || isOther || ingress.redirect ? {} : { http: { port: ingress.http } }),
    ...(ingress.https === undefined
      ? {}
      : { https: { port: ingress.https, ...(own === undefined ? {} : { certificate: own }) } }),
    ...(hasIngress ? { ingressClass: { name, isDefault: ingress.isDefault } } : {}),
    tenants,
    // As in ALB, but that the first holder of a hostname keeps it.
    hostnames: 'FirstHolder',
    quotas: {},
  };
}

/** What it and the Frontend at a port for Ingresses say of requests: as in ALB, where Ingresses are Rules of that. */
export function policiesForIngresses(alb2: ALB2Model, frontends: readonly FrontendModel[]): AlaudaPolicies {
  const { http, https } = alb2.ingress;
  const parts = [http, https].flatMap((port) => {
    if (port === undefined) return [];
    const frontend = frontends.find((each) => each.port === port && each.protocol !== 'udp');
    const head = headOf(alb2, `${albKey(alb2.key)}~${port}`);
    const settings = mergeSettings(alb2.settings, frontend?.settings ?? {});
    return [ingressPolicies(head, `${alb2.name}~alb2`, port, settings)];
  });
  return {
    policies: parts.flatMap(({ policies }) => policies),
    wafPolicies: parts.flatMap(({ wafPolicies }) => wafPolicies),
  };
}

/** The port of Ingresses without TLS, where all that comes there is sent to https, and no Frontend has it. */
export function redirectParts(
  alb2: ALB2Model,
  frontends: readonly FrontendModel[],
): Pick<AlaudaTranslation, 'listenerSets' | 'routes'> {
  const { http, redirect } = alb2.ingress;
  if (
    !redirect ||
    http === undefined ||
    frontends.some(({ port, protocol }) => port === http && protocol !== 'udp')
  )
    return { listenerSets: [], routes: [] };
  const { isServed: _isServed, instance: _instance, tenants: _tenants, ...head } = alb2;
  const { listenerSets, routes } = frontendParts(
    alb2,
    {
      ...head,
      name: `${alb2.name}~http`,
      key: `${alb2.key}~http`,
      alb: alb2.name,
      port: http,
      protocol: 'http',
      settings: {},
    },
    [],
  );
  return { listenerSets, routes };
}
