/** What a gateway does with a request, and what decides it at each step of the way: by the router that its data plane runs. */
import type { GatewayIntent, GatewayWeightedBackend } from '#intent/gateway.ts';
import { formatOrigin, type Origin } from '#intent/origin.ts';
import { regexBeginning, regexInScript } from '#model/gateway/regex.ts';
import { parseAddress } from '#router/src/addresses.ts';
import { findCertificate, findListener, findRule, findStream } from '#router/src/match.ts';
import { normalisePath } from '#router/src/paths.ts';
import { queryValue, type RouterReader, type RouterRequest } from '#router/src/request.ts';
import { redirectLocation } from '#router/src/rewrite.ts';
import type { RouterRule } from '#router/src/rules.ts';
import { applyChange, createTable, type RouterListener, type RouterTable } from '#router/src/table.ts';
import { changesOf } from './request-filters.ts';
import { type Missed, matchOrigin, missedRules } from './request-misses.ts';

export type AskedRequest = {
  readonly scheme: 'http' | 'https';
  /** Lower case, without port. */
  readonly host: string;
  readonly port: number;
  /** From the first slash, with the query. */
  readonly target: string;
  readonly method: string;
  /** By name in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  /** Absent: of no list of clients. */
  readonly client?: string;
};

export type RequestAnswer = {
  /** `namespace/name`. */
  readonly gateway: string;
  /** `refused`: by the gateway itself, with `code`, or without one as the connection ends before. */
  readonly outcome: 'sent' | 'redirected' | 'refused';
  readonly code?: number;
  readonly steps: readonly RequestStep[];
  /** Where it goes, each with its share; one without endpoints or that can't be resolved has the code that its share gets. */
  readonly backends: readonly RequestBackend[];
  /** Rules of the path that didn't take it. */
  readonly missed: readonly Missed[];
};

export type RequestStep = {
  readonly kind: 'port' | 'listener' | 'route' | 'does' | 'backend';
  readonly text: string;
  readonly origin?: Origin;
};

export type RequestBackend = {
  /** Of 100. */
  readonly share: number;
  readonly service?: Origin;
  /** As in the intent. */
  readonly protocol?: string;
  /** The BackendTLSPolicy by which it is spoken to. */
  readonly tls?: Origin;
  readonly endpoints: readonly string[];
  readonly code?: 500 | 503;
  /** Of connections that aren't HTTP: its share is closed. */
  readonly closed?: true;
};

/** `intent` is all that the Gateway's data plane holds. */
export function explainRequest(gateway: string, intent: GatewayIntent, asked: AskedRequest): RequestAnswer {
  const table = createTable();
  applyChange(table, { generation: 1, after: 0, replace: true, put: intent, remove: {} });
  const { scheme, host, port } = asked;
  const base = { gateway, backends: [], missed: [] };
  const key = `tcp/${port}`;
  const held = intent.ports[key];
  if (held === undefined) {
    return { ...base, outcome: 'refused', steps: [{ kind: 'port', text: `nothing listens at ${key}` }] };
  }
  const listener = findListener(table, key, held.kind === 'tcp' ? '' : host);
  const at: RequestStep = { kind: 'port', text: `${key} is for ${portTexts[held.kind]}` };
  const kind = listener?.intent?.kind;
  if ((held.kind === 'http') !== (scheme === 'http') && held.kind !== 'tcp') {
    const text = scheme === 'http' ? 'and is asked in plain text' : 'and is asked by TLS';
    // nginx answers those who forgot TLS where only TLS is spoken.
    const code = held.kind === 'https' ? { code: 400 } : {};
    return { ...base, outcome: 'refused', ...code, steps: [{ ...at, text: `${at.text}, ${text}` }] };
  }
  if (listener?.intent === undefined || kind === undefined) {
    const text = `no listener takes ${host || 'a connection without a name'}`;
    const steps: RequestStep[] = [at, { kind: 'listener', text }];
    return { ...base, outcome: 'refused', ...(scheme === 'http' ? { code: 404 } : {}), steps };
  }
  const steps = [at, listenerStep(table, listener, host)];
  if (kind === 'http' || kind === 'https')
    return { ...base, ...requestAnswer(intent, listener, asked, steps) };
  const stream = findStream(listener, kind === 'tcp' ? '' : host);
  if (stream === undefined) {
    steps.push({
      kind: 'route',
      text: `no route of the listener takes ${host || 'connections'}: they are closed`,
    });
    return { ...base, outcome: 'refused', steps };
  }
  steps.push({ kind: 'route', text: formatOrigin(stream.intent.origin), origin: stream.intent.origin });
  // Nobody is told a code: a connection to what isn't there is closed.
  const backends = backendsOf(intent, stream.intent.backends).map(({ code, ...rest }) =>
    code === undefined ? rest : { ...rest, closed: true as const },
  );
  return { ...base, outcome: backends.some(isServed) ? 'sent' : 'refused', steps, backends };
}

const portTexts = {
  http: 'HTTP',
  https: 'HTTPS',
  tls: 'TLS, by server name',
  tcp: 'TCP',
  udp: 'UDP',
} as const;

function listenerStep(table: RouterTable, listener: RouterListener, host: string): RequestStep {
  const { hostname = '', origin, clientValidation } = listener.intent ?? {};
  const certificate = findCertificate(table, listener, host);
  const parts = [
    listener.key,
    hostname === '' ? 'any hostname' : `hostname ${hostname}`,
    ...(certificate === undefined ? [] : [`shows Secret ${certificate}`]),
    ...(clientValidation?.mode === 'require' ? ['needs a client certificate'] : []),
  ];
  return { kind: 'listener', text: parts.join(', '), ...(origin === undefined ? {} : { origin }) };
}

type Request = RouterRequest & Pick<AskedRequest, 'headers' | 'client'> & { readonly search: string };

/** PCRE2 in the data plane, JavaScript's here: they agree on what is let through. */
const reader: RouterReader<Request> = {
  header: ({ headers, host }, name) => (name === 'host' ? host : headers.get(name)),
  query: ({ search }, name) => queryValue(search, name),
  matches: (subject, pattern) => matchOf(subject, pattern, false) !== undefined,
  beginsWith: (subject, pattern) => matchOf(subject, pattern, true) !== undefined,
  client: ({ client }) => (client === undefined ? undefined : parseAddress(client)),
};

function matchOf(subject: string, pattern: string, loose: boolean): RegExpExecArray | undefined {
  try {
    return (loose ? regexBeginning(pattern) : regexInScript(pattern)).exec(subject) ?? undefined;
  } catch {
    return undefined;
  }
}

function capturesOf(path: string, rule: RouterRule): readonly string[] {
  const [, ...groups] = matchOf(path, rule.path, rule.loose) ?? [];
  return groups.map((group: string | undefined) => group ?? '');
}

/** As router/src/nginx/serve.ts does it. */
function escaped(path: string): string {
  return path
    .toWellFormed()
    .replaceAll(/[^A-Za-z0-9/._~!$&'()*+,;=:@%#\\-]/gu, (character) => encodeURIComponent(character));
}

function requestAnswer(
  intent: GatewayIntent,
  listener: RouterListener,
  asked: AskedRequest,
  before: readonly RequestStep[],
): Omit<RequestAnswer, 'gateway' | 'missed' | 'backends'> & Partial<RequestAnswer> {
  const question = asked.target.indexOf('?');
  const search = question === -1 ? '' : asked.target.slice(question + 1);
  const path = normalisePath(escaped(question === -1 ? asked.target : asked.target.slice(0, question)));
  const steps = [...before];
  if (path === undefined) {
    steps.push({ kind: 'route', text: 'its path leads out of the root, or is no path' });
    return { outcome: 'refused', code: 400, steps };
  }
  const { host, method, headers, client } = asked;
  const request: Request = {
    host,
    path,
    method,
    headers,
    search,
    ...(client === undefined ? {} : { client }),
  };
  const rule = findRule(listener, request, reader);
  const missed = missedRules(intent, listener.key, request, reader, rule);
  const action = rule === undefined ? undefined : intent.actions[rule.action];
  if (rule === undefined || action === undefined) {
    steps.push({ kind: 'route', text: 'no rule of the listener takes it' });
    return { outcome: 'refused', code: 404, steps, missed };
  }
  const origin = matchOrigin(rule.key, action.origin) ?? action.origin;
  steps.push({ kind: 'route', text: ruleText(rule, origin), origin });
  const backends = action.redirect === undefined ? backendsOf(intent, action.backends) : [];
  const found = { steps, backends, missed };
  steps.push(...changesOf(intent, action).map((text): RequestStep => ({ kind: 'does', text })));
  const policy = action.policy === undefined ? undefined : intent.policies[action.policy];
  const nobody = policy?.basicAuth !== undefined && policy.basicAuth.users === undefined;
  if (nobody || (action.externalAuth !== undefined && action.externalAuth.backend === undefined)) {
    return { ...found, outcome: 'refused', code: 500 };
  }
  const { redirect } = action;
  if (redirect !== undefined) {
    const taken = { ...asked, path, query: question === -1 ? undefined : search };
    const text = `answers ${redirect.statusCode}, Location ${redirectLocation(redirect, taken, rule, capturesOf)}`;
    steps.push({ kind: 'does', text });
    return { ...found, outcome: 'redirected', code: redirect.statusCode };
  }
  if (backends.some(isServed)) return { ...found, outcome: 'sent' };
  if (backends.length === 0) {
    const text =
      "sends it nowhere: it has no backend with a weight, or the rule can't be served (its status says why)";
    steps.push({ kind: 'does', text });
  }
  return { ...found, outcome: 'refused', code: action.refused ?? backends[0]?.code ?? 500 };
}

function ruleText({ host, type, path }: RouterRule, origin: Origin): string {
  const shown = path === '' ? '/' : path;
  return `${formatOrigin(origin)}, host ${host === '' ? 'any' : host}, ${type} path ${shown}`;
}

function backendsOf(
  { backends, identities }: GatewayIntent,
  weighted: readonly Pick<GatewayWeightedBackend, 'backend' | 'weight'>[],
): readonly RequestBackend[] {
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
  return weighted.map(({ backend, weight }): RequestBackend => {
    const share = Math.round((weight * 1000) / total) / 10;
    const held = backend === undefined ? undefined : backends[backend];
    if (held === undefined) return { share, endpoints: [], code: 500 };
    const { origin, protocol, endpoints, identity } = held;
    const policy = identity === undefined ? undefined : identities[identity]?.origin;
    return {
      share,
      service: origin,
      protocol,
      ...(policy === undefined ? {} : { tls: policy }),
      endpoints,
      ...(endpoints.length === 0 ? { code: 503 as const } : {}),
    };
  });
}

function isServed({ endpoints }: RequestBackend): boolean {
  return endpoints.length > 0;
}
