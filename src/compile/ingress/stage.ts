/** Ingresses in the book: each is translated when something that it was made of changes, and told what became of its parts. */
import type { IngressModel } from '#model/ingress/types.ts';
import type { Problem } from '#model/problem.ts';
import type { Asking } from '../gateway/inputs.ts';
import { albInstance } from '../gateway/instances/derived-gateway.ts';
import type { Lookups } from '../gateway/lookups.ts';
import type { Statuses } from '../gateway/status/statuses.ts';
import type { GatewayCondition, GatewayInput, GatewayInputs, GatewayStatus } from '../gateway/types.ts';
import { isCanary } from './catalogue/routing.ts';
import { asksForClientCertificates } from './catalogue/tls.ts';
import { gatewayGroup } from './place.ts';
import { type PartStatus, partProblems } from './problems.ts';
import { nginxAnnotations } from './read-annotations.ts';
import { type Serving, servingOf } from './serving.ts';
import { concernsPeers } from './sites.ts';
import { translateIngress } from './translate.ts';
import type { IngressContext, IngressFinding } from './types.ts';

export type IngressStage = {
  /** Before the Gateways: what was made of Ingresses is among the inputs. */
  settle(): void;
  /** Whether it was made of an Ingress, whose status is due then. `key`: `namespace/name` of whatever kind. */
  isPart(key: string): boolean;
  /** What is said of a policy that was made of an Ingress. */
  judged(key: string, conditions: readonly GatewayCondition[]): void;
  /** After everything else. */
  say(): void;
};

export type IngressStageContext = {
  readonly lookups: Lookups;
  readonly ask: Asking;
  /** As in GatewayBook. */
  readonly put: <K extends GatewayInput>(kind: K, key: string, value: GatewayInputs[K] | undefined) => void;
  readonly statuses: Pick<Statuses, 'say' | 'leave'>;
  /** Of a route or a ListenerSet that was made here. */
  readonly statusOf: (kind: string, key: string) => GatewayStatus | undefined;
};

type Thing = {
  readonly [K in GatewayInput]: { readonly kind: K; readonly key: string; readonly value: GatewayInputs[K] };
}[GatewayInput];

type Made = {
  readonly ingress: IngressModel;
  /** Undefined: no ALB has it. */
  readonly alb: string | undefined;
  readonly things: readonly Thing[];
  readonly findings: readonly IngressFinding[];
};

/** Of those that concern others so many are heard at one name: the oldest, but before them those that ask for clients' certificates. */
const mostHeard = 64;

export function createIngressStage(context: IngressStageContext): IngressStage {
  const { lookups, ask, put } = context;
  const made = new Map<string, Made>();
  const due = new Set<string>();
  /** By namespace and name: those that concern others. */
  const heard = new Map<string, readonly IngressModel[]>();
  /** By policy: what is said of it. */
  const judgements = new Map<string, readonly GatewayCondition[]>();

  const ingressesAt = (site: string): readonly IngressModel[] => {
    const space = site.indexOf(' ');
    return ask.ingressesAt(site.slice(0, space), site.slice(space + 1));
  };
  /** Undefined: nobody has the name, and nothing is kept of it. */
  const listen = (site: string): readonly IngressModel[] | undefined => {
    const all = lookups.track('ingress site', site, () => ingressesAt(site));
    const found = all.length === 0 ? undefined : heardOf(all.filter(concernsPeers));
    if (found === undefined) {
      heard.delete(site);
      lookups.forget('ingress site', site);
    } else heard.set(site, found);
    return found;
  };
  const albOf = (ingress: IngressModel): string | undefined => {
    const serving = servingOf(ingress, ask);
    return serving !== undefined && 'alb' in serving ? serving.alb.key : undefined;
  };
  const contextOf = (
    ingress: IngressModel,
    { alb }: Extract<Serving, { readonly alb: unknown }>,
  ): IngressContext => {
    const { namespace, key } = ingress;
    const { http, https } = alb;
    const at = (list: readonly IngressModel[]) => list.filter((each) => albOf(each) === alb.key);
    return {
      gateway: { group: gatewayGroup, kind: 'Gateway', namespace: alb.namespace, name: `${alb.name}~alb` },
      ...(http === undefined ? {} : { http: { section: 'http', port: http.port } }),
      ...(https === undefined
        ? {}
        : {
            https: {
              section: 'https',
              port: https.port,
              hasCertificate: https.certificate !== undefined,
            },
          }),
      peers(name) {
        const site = `${namespace} ${name}`;
        lookups.note(`ingress site ${site}`);
        // Where there is nobody, whoever asks hears himself of the first that comes.
        const others = at(heard.get(site) ?? listen(site) ?? ingressesAt(site));
        return others.some((each) => each.key === key) ? others : [...others, ingress];
      },
      neighbours: (name) => at(ask.ingressesAt(namespace, name)),
      service: (name) => ask.get('service', `${namespace}/${name}`),
      isEmpty: (name) =>
        !ask
          .slicesOf(`${namespace}/${name}`)
          .some(({ endpoints }) => endpoints.some(({ ready, serving }) => ready || serving)),
    };
  };
  const translate = (key: string): Made | undefined => {
    const ingress = ask.get('ingress', key);
    const serving = ingress && servingOf(ingress, ask);
    if (ingress === undefined || serving === undefined) return undefined;
    if ('refused' in serving) {
      const finding = { field: serving.field, code: 'NotServed' as const, message: serving.refused };
      return { ingress, alb: undefined, things: [], findings: [finding] };
    }
    const { listenerSets, routes, policies, backendPolicies, wafPolicies, findings } = translateIngress(
      ingress,
      contextOf(ingress, serving),
    );
    return {
      ingress,
      alb: serving.alb.key,
      findings,
      things: [
        ...listenerSets.map((value) => ({ kind: 'listenerSet' as const, key: value.key, value })),
        ...routes.map((value) => ({ kind: 'route' as const, key: `${value.kind}/${value.key}`, value })),
        ...policies.map((value) => ({ kind: 'policy' as const, key: value.key, value })),
        ...backendPolicies.map((value) => ({ kind: 'backendPolicy' as const, key: value.key, value })),
        ...wafPolicies.map((value) => ({ kind: 'wafPolicy' as const, key: value.key, value })),
      ],
    };
  };
  const replace = (key: string, next: Made | undefined): void => {
    const idOf = ({ kind, key: own }: Thing) => `${kind} ${own}`;
    const kept = new Set(next?.things.map(idOf));
    for (const thing of made.get(key)?.things ?? []) {
      if (kept.has(idOf(thing))) continue;
      put(thing.kind, thing.key, undefined);
      judgements.delete(`${thing.kind} ${thing.key}`);
    }
    for (const { kind, key: own, value } of next?.things ?? []) put(kind, own, value as never);
    if (next === undefined) made.delete(key);
    else made.set(key, next);
  };
  const sayOne = (key: string): void => {
    const one = made.get(key);
    if (one === undefined) {
      context.statuses.leave(`Ingress/${key}`);
      return;
    }
    const { ingress, alb, things, findings } = one;
    const object = ingress.origin;
    const parts = things.flatMap(({ kind, key: own }): PartStatus[] => {
      if (kind === 'listenerSet' || kind === 'route') {
        const status = context.statusOf(kind, own);
        return status === undefined ? [] : [{ kind, status }];
      }
      return [{ kind: 'policy', conditions: judgements.get(`${kind} ${own}`) ?? [] }];
    });
    const { problems, isServed } = partProblems(object, parts);
    const said: readonly Problem[] = [...findings.map((each) => ({ object, ...each })), ...problems];
    const status: GatewayStatus = {
      kind: 'Ingress',
      key,
      instances: alb !== undefined && isServed ? [albInstance(alb)] : [],
      problems: said,
    };
    context.statuses.say(`Ingress/${key}`, ingress.generation, status);
  };

  return {
    settle() {
      for (const site of lookups.take('ingress site')) {
        const before = heard.get(site);
        const after = listen(site);
        if (textOf(before) !== textOf(after)) lookups.touch(`ingress site ${site}`);
      }
      for (const key of lookups.take('ingress')) {
        const next = lookups.track('ingress', key, () => translate(key));
        if (ask.get('ingress', key) === undefined) lookups.forget('ingress', key);
        replace(key, next);
        due.add(key);
      }
    },
    isPart(key) {
      const ingress = ingressOf(key);
      if (ingress !== undefined) due.add(ingress);
      return ingress !== undefined;
    },
    judged(key, conditions) {
      judgements.set(key, conditions);
      const ingress = ingressOf(key.slice(key.indexOf(' ') + 1));
      if (ingress !== undefined) due.add(ingress);
    },
    say() {
      for (const key of [...due].sort()) sayOne(key);
      due.clear();
    },
  };
}

/** In the order of what it is of. */
function heardOf(all: readonly IngressModel[]): readonly IngressModel[] {
  if (all.length <= mostHeard) return all;
  const isJudge = (each: IngressModel) => asksForClientCertificates(nginxAnnotations(each));
  const first = new Set([...all.filter(isJudge), ...all].slice(0, mostHeard));
  return all.filter((each) => first.has(each));
}

/** What others make something of: of one that is no canary its paths are its own affair, and which edit it is of anybody. */
function textOf(heard: readonly IngressModel[] | undefined): string | undefined {
  return JSON.stringify(
    heard?.map((ingress) => {
      const { rules, defaultBackend } = ingress;
      const hosts = rules.map(({ host }) => host);
      const own = isCanary(nginxAnnotations(ingress))
        ? { rules }
        : { rules: undefined, hosts, defaultBackend: defaultBackend !== undefined };
      return { ...ingress, generation: 0, ...own };
    }),
  );
}

/** The Ingress (`namespace/name`) that something was made of. */
function ingressOf(key: string): string | undefined {
  const at = key.indexOf('~ingress');
  return at < 0 ? undefined : key.slice(0, at);
}
