/** What becomes of requests that a Rule or a Frontend takes, as a rule of an HTTPRoute. */
import type {
  AlaudaAuth,
  AlaudaRedirect,
  AlaudaSettings,
  RuleModel,
  ServiceGroup,
} from '#model/alauda/types.ts';
import type {
  BackendReference,
  FilterModel,
  GatewayObject,
  HTTPMatchModel,
  HTTPRuleModel,
  PathChange,
} from '#model/gateway/types.ts';

export type RuleParts = {
  readonly matches: readonly HTTPMatchModel[];
  readonly group?: ServiceGroup;
  /** Of all levels. */
  readonly settings: AlaudaSettings;
  readonly change?: PathChange;
  readonly vhost?: string;
  readonly cors?: RuleModel['cors'];
  readonly headers?: RuleModel['headers'];
  /** Nobody is let in. */
  readonly isClosed: boolean;
  readonly unusable?: string;
};

export function httpRule(source: GatewayObject, parts: RuleParts): HTTPRuleModel {
  const { matches, group, settings, change, vhost, cors, headers = {}, isClosed, unusable } = parts;
  const { redirect, auth, timeouts } = settings;
  const filters: FilterModel[] = [];
  if (auth?.by === 'service') filters.push(questionOf(auth));
  const { request, response } = headers;
  if (request !== undefined) filters.push({ type: 'RequestHeaderModifier', headers: request });
  if (response !== undefined) filters.push({ type: 'ResponseHeaderModifier', headers: response });
  if (redirect !== undefined) filters.push(redirectOf(redirect, change));
  else {
    if (cors !== undefined && cors.origins.length > 0) filters.push(corsOf(cors));
    if (change !== undefined || vhost !== undefined)
      filters.push({
        type: 'URLRewrite',
        ...(vhost === undefined ? {} : { hostname: vhost }),
        ...(change === undefined ? {} : { path: change }),
      });
  }
  const affinity = group?.affinity;
  return {
    matches,
    filters,
    backends:
      redirect === undefined ? backendsOf(source, group).map((each) => ({ ...each, filters: [] })) : [],
    timeouts: timeouts?.read === undefined ? {} : { backendRequest: timeouts.read },
    ...(affinity?.by === 'cookie'
      ? { sessionPersistence: { type: 'Cookie', name: affinity.name, lifetime: 'Session' } }
      : {}),
    ...(isClosed ? { closed: true } : {}),
    ...(unusable === undefined ? {} : { unusable }),
  };
}

export function backendsOf(
  source: GatewayObject,
  group: ServiceGroup | undefined,
): readonly BackendReference[] {
  const speech = group === undefined ? {} : speechOf(source, group.protocol);
  return (group?.services ?? []).map(({ namespace, name, port, weight }) => ({
    group: '',
    kind: 'Service',
    namespace,
    name,
    port,
    weight,
    ...speech,
  }));
}

/** What backends speak by themselves, or by a BackendTLSPolicy, holds where it isn't said otherwise. */
function speechOf(
  source: GatewayObject,
  protocol: ServiceGroup['protocol'],
): Pick<BackendReference, 'speech'> {
  if (protocol === 'http') return {};
  const tls = protocol.endsWith('s') ? { tls: { origin: source.origin, hostname: '' } } : {};
  return { speech: { protocol: protocol.startsWith('grpc') ? 'h2c' : 'http', ...tls } };
}

export function questionOf(
  auth: Extract<AlaudaAuth, { readonly by: 'service' }>,
): Extract<FilterModel, { readonly type: 'ExternalAuth' }> {
  const { service, path, method, answerHeaders, signIn } = auth;
  return {
    type: 'ExternalAuth',
    protocol: 'HTTP',
    backend: { group: '', kind: 'Service', ...service, weight: 1 },
    path,
    allowedHeaders: ['cookie', 'authorization'],
    allowedResponseHeaders: answerHeaders,
    asIngress: { method, ...(signIn === undefined ? {} : { signIn }) },
  };
}

/** A whole URL is what the client gets, without the query that it came with. */
function redirectOf(
  { code, scheme, host, port, path }: AlaudaRedirect,
  change: PathChange | undefined,
): FilterModel {
  const whole = path !== undefined && 'full' in path ? path.full : undefined;
  return {
    type: 'RequestRedirect',
    ...(scheme === undefined ? {} : { scheme }),
    ...(host === undefined ? {} : { hostname: host }),
    ...(port === undefined ? {} : { port }),
    ...(change === undefined ? {} : { path: change }),
    ...(whole === undefined ? {} : { path: { type: 'ReplaceFullPath', value: whole }, withoutQuery: true }),
    statusCode: code,
  };
}

/** ALB's own. */
const allowed = {
  methods: ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'OPTIONS'],
  headers: [
    'DNT',
    'X-CustomHeader',
    'Keep-Alive',
    'User-Agent',
    'X-Requested-With',
    'If-Modified-Since',
    'Cache-Control',
    'Content-Type',
    'Authorization',
  ],
  maxAge: 1_728_000,
} as const;

/** ALB says `*` together with credentials, which browsers take for neither: so they get `*` without. */
function corsOf({ origins, headers }: NonNullable<RuleModel['cors']>): FilterModel {
  return {
    type: 'CORS',
    allowOrigins: origins,
    allowMethods: allowed.methods,
    allowHeaders: headers.length === 0 ? allowed.headers : headers,
    exposeHeaders: [],
    allowCredentials: !origins.includes('*'),
    maxAge: allowed.maxAge,
  };
}
