/** Intents that tests share, put together from small parts. */
import type {
  GatewayActionIntent,
  GatewayBackendIntent,
  GatewayIntent,
  GatewayListenerIntent,
  GatewayRuleIntent,
} from '#intent/gateway.ts';
import type { Origin } from '#intent/origin.ts';

const origin: Origin = { kind: 'HTTPRoute', namespace: 'shop', name: 'web' };

export type Site = {
  /** By backend name: endpoints, or all of it. */
  readonly backends: Readonly<Record<string, readonly string[] | Partial<GatewayBackendIntent>>>;
  /** By `HOST/PATH`, a prefix: the name of a backend, or all of it. */
  readonly routes: Readonly<Record<string, string | SiteRoute>>;
  readonly listeners?: Readonly<Record<string, Partial<GatewayListenerIntent>>>;
  readonly ports?: GatewayIntent['ports'];
  readonly policies?: Readonly<Record<string, Partial<GatewayIntent['policies'][string]>>>;
};

export type SiteRoute = Partial<GatewayActionIntent> & {
  readonly rule?: Partial<GatewayRuleIntent>;
  readonly to?: string;
};

/** An instance with a listener for any name on port 80, unless the site says otherwise. */
export function intentOf(site: Site): GatewayIntent {
  const listeners = site.listeners ?? { 'gateway/shop/gw/web': {} };
  const first = Object.keys(listeners)[0]!;
  const rules: Record<string, GatewayRuleIntent> = {};
  const actions: Record<string, GatewayActionIntent> = {};
  for (const [at, [where, route]] of Object.entries(Object.entries(site.routes))) {
    const slash = where.indexOf('/');
    const host = where.slice(0, slash);
    const { rule, to, ...action }: SiteRoute = typeof route === 'string' ? { to: route } : route;
    const key = `HTTPRoute/shop/web${at}|0`;
    rules[`${first}|${host}|${key}.0`] = {
      listener: first,
      host,
      path: { type: 'prefix', value: where.slice(slash) },
      rank: at.padStart(6, '0'),
      action: key,
      ...rule,
    };
    actions[key] = {
      origin: { ...origin, name: `web${at}`, rule: 'spec.rules[0]' },
      kind: 'http',
      backends: to === undefined ? [] : [{ backend: to, weight: 1 }],
      ...action,
    };
  }
  return {
    ports: site.ports ?? { 'tcp/80': { port: 80, kind: 'http', slot: 0 } },
    listeners: Object.fromEntries(
      Object.entries(listeners).map(([key, listener]) => [
        key,
        { origin, port: 'tcp/80', kind: 'http', hostname: '', ...listener },
      ]),
    ),
    rules,
    actions,
    streams: {},
    backends: Object.fromEntries(
      Object.entries(site.backends).map(([key, backend]): [string, GatewayBackendIntent] => [
        key,
        {
          origin: { kind: 'Service', namespace: 'shop', name: key },
          protocol: 'http',
          endpoints: [],
          ...(isList(backend) ? { endpoints: backend } : backend),
        },
      ]),
    ),
    certificates: {},
    authorities: {},
    identities: {},
    policies: Object.fromEntries(
      Object.entries(site.policies ?? {}).map(([key, policy]) => [key, { origins: [], ...policy }]),
    ),
    users: {},
    tenants: {},
    firewallRules: {},
  };
}

function isList(backend: readonly string[] | Partial<GatewayBackendIntent>): backend is readonly string[] {
  return Array.isArray(backend);
}
