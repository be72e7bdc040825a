/** What the annotations of one Ingress come to, in terms of Gateway API and of policies. */
import type { BackendPolicyModel, TrafficSettings, WAFPolicyModel } from '#model/gateway/policy-types.ts';
import type {
  ClientValidationModel,
  FilterModel,
  HTTPRuleModel,
  IngressAuth,
  SessionPersistenceModel,
} from '#model/gateway/types.ts';

export type Effects = {
  readonly settings?: TrafficSettings;
  /** Of rules that have backends. */
  readonly filters?: readonly FilterModel[];
  /** Headers of requests: what is set, and what no client may say. */
  readonly request?: { readonly set?: Readonly<Record<string, string>>; readonly remove?: readonly string[] };
  readonly response?: { readonly set?: Readonly<Record<string, string>> };
  readonly timeouts?: HTTPRuleModel['timeouts'];
  readonly retry?: NonNullable<HTTPRuleModel['retry']>;
  readonly session?: SessionPersistenceModel;
  /** Instead of backends. */
  readonly redirect?: Extract<FilterModel, { readonly type: 'RequestRedirect' }>;
  /** What the redirect puts in front of the request's own path; absent: nothing. */
  readonly redirectBase?: string;
  /** With variables: `$service_name.$namespace.svc`. */
  readonly host?: string;
  /** As nginx writes it: `/$2`, perhaps with a query. */
  readonly rewrite?: string;
  readonly forwardedPrefix?: string;
  readonly appRoot?: string;
  readonly aliases?: readonly string[];
  readonly www?: true;
  readonly secureOnly?: { readonly wished?: boolean; readonly forced?: boolean };
  readonly passthrough?: true;
  readonly mirror?: TargetURL;
  readonly auth?: AuthWish;
  readonly speech?: SpeechWish;
  /** Name of a Service: for paths whose own has no endpoint, and for `errorCodes`. */
  readonly defaultBackend?: string;
  readonly errorCodes?: readonly number[];
  readonly validation?: ClientValidationModel;
  readonly tlsOptions?: Readonly<Record<string, string>>;
  readonly balance?: BackendPolicyModel['settings'];
  readonly firewall?: WAFPolicyModel['settings'];
};

/** A URL that names a Service, or a host of an Ingress. */
export type TargetURL = {
  readonly scheme: 'http' | 'https';
  /** Lower case; `$host` is the request's. */
  readonly host: string;
  readonly port: number | undefined;
  readonly path: string;
};

export type AuthWish = {
  readonly url: TargetURL;
  readonly asIngress: IngressAuth;
  readonly responseHeaders: readonly string[];
};

export type SpeechWish = {
  readonly protocol: 'http' | 'h2c';
  /** Name of a Secret with what is trusted; absent: whoever answers is taken. */
  readonly tls?: { readonly hostname: string; readonly authority?: string; readonly certificate?: string };
};

/** What both say: of one that can be said once, the second. */
export function joinEffects(a: Effects, b: Effects): Effects {
  const joined: Effects = { ...a, ...b };
  const settings = { ...a.settings, ...b.settings };
  return {
    ...joined,
    ...(Object.keys(settings).length === 0
      ? {}
      : {
          settings: {
            ...settings,
            ...list('rateLimits', a.settings?.rateLimits, b.settings?.rateLimits),
            ...list('concurrency', a.settings?.concurrency, b.settings?.concurrency),
            ...record('access', a.settings?.access, b.settings?.access),
            ...record('timeouts', a.settings?.timeouts, b.settings?.timeouts),
            ...record('buffering', a.settings?.buffering, b.settings?.buffering),
          },
        }),
    ...list('filters', a.filters, b.filters),
    ...record('timeouts', a.timeouts, b.timeouts),
    ...record('secureOnly', a.secureOnly, b.secureOnly),
    ...record('tlsOptions', a.tlsOptions, b.tlsOptions),
    ...headers('request', a.request, b.request),
    ...headers('response', a.response, b.response),
  };
}

/** Whether anybody is kept out by them who might be let in otherwise. */
export function protects({ settings = {}, auth, firewall, validation }: Effects): boolean {
  const { access, basicAuth, rateLimits, concurrency } = settings;
  const kept = [access, basicAuth, rateLimits, concurrency, auth, validation];
  return kept.some((each) => each !== undefined) || (firewall !== undefined && firewall.mode !== 'off');
}

function list<K extends string, T>(
  name: K,
  a: readonly T[] | undefined,
  b: readonly T[] | undefined,
): { readonly [N in K]?: readonly T[] } {
  const all = [...(a ?? []), ...(b ?? [])];
  const both: object = all.length === 0 ? {} : { [name]: all };
  return both as { readonly [N in K]?: readonly T[] };
}

function record<K extends string, T extends object>(
  name: K,
  a: T | undefined,
  b: T | undefined,
): { readonly [N in K]?: T } {
  const both = a === undefined && b === undefined ? {} : { [name]: { ...a, ...b } };
  return both as { readonly [N in K]?: T };
}

type Headers = { readonly set?: Readonly<Record<string, string>>; readonly remove?: readonly string[] };

function headers<K extends string>(
  name: K,
  a: Headers | undefined,
  b: Headers | undefined,
): { readonly [N in K]?: Headers } {
  const both = {
    ...record('set', a?.set, b?.set),
    ...list('remove', a?.remove, b?.remove),
  };
  return (Object.keys(both).length === 0 ? {} : { [name]: both }) as { readonly [N in K]?: Headers };
}
