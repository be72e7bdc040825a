/** The paths of an Ingress as rules of an HTTPRoute. */
import { readPathText } from '#model/gateway/matches.ts';
import { regexProblem } from '#model/gateway/regex.ts';
import type { FilterModel, HTTPMatchModel, HTTPRuleModel } from '#model/gateway/types.ts';
import { backendOf, targetOf } from './backends.ts';
import { hostVariable } from './catalogue/routing.ts';
import type { Place } from './place.ts';
import type { IngressPath, Site } from './sites.ts';

/** Undefined: it can't be told what it takes. */
export function ruleOf(path: IngressPath, at: number, site: Site, place: Place): HTTPRuleModel | undefined {
  const match = matchOf(path, site, place);
  if (match === undefined) return undefined;
  const { effects, closed } = place;
  const base = { name: `path-${at}`, field: path.field, matches: [match], timeouts: {} };
  if (closed) return { ...base, filters: [], backends: [], closed: true };
  if (effects.redirect !== undefined) {
    const redirect = redirectFor(effects.redirect, effects.redirectBase, match);
    if (redirect !== undefined) return { ...base, filters: [redirect], backends: [] };
    const message = 'is an expression here, and no path can be put in front of it: its requests get 503';
    place.note(`${path.field}.path`, 'AnnotationRefused', message);
    return { ...base, filters: [], backends: [], closed: true };
  }
  const auth = authOf(site, place);
  if (auth === 'closed') return { ...base, filters: [], backends: [], closed: true };
  const backend = backendOf(path.backend, `${path.field}.backend`, place);
  return {
    ...base,
    filters: [
      ...(effects.filters ?? []),
      ...headerFilters(place),
      ...rewriteOf(place, path, backend?.port),
      ...mirrorOf(site, place),
      ...(auth === undefined ? [] : [auth]),
    ],
    backends: backend === undefined ? [] : [{ ...backend, filters: [] }],
    ...(effects.timeouts === undefined ? {} : { timeouts: effects.timeouts }),
    ...(effects.retry === undefined ? {} : { retry: effects.retry }),
    ...(effects.session === undefined ? {} : { sessionPersistence: effects.session }),
  };
}

/** Requests for `/`, whatever the paths are: ingress-nginx asks for it before it looks at those. */
export function appRootRule({ effects, closed }: Place): HTTPRuleModel | undefined {
  if (effects.appRoot === undefined || closed) return undefined;
  return {
    name: 'app-root',
    field: 'metadata.annotations',
    matches: [{ path: { type: 'Exact', value: '/' }, headers: [], query: [] }],
    filters: [
      {
        type: 'RequestRedirect',
        path: { type: 'ReplaceFullPath', value: effects.appRoot },
        statusCode: 302,
        withoutQuery: true,
      },
    ],
    backends: [],
    timeouts: {},
  };
}

/** Whether it takes requests for `/` alone. */
export function isForRoot({ matches }: HTTPRuleModel): boolean {
  return matches.every(({ path }) => path.type === 'Exact' && path.value === '/');
}

/** The same requests, sent to HTTPS. */
export function securely(rule: HTTPRuleModel, port: number): HTTPRuleModel {
  const { name, field, matches } = rule;
  return {
    ...(name === undefined ? {} : { name }),
    ...(field === undefined ? {} : { field }),
    matches,
    filters: [
      { type: 'RequestRedirect', scheme: 'https', ...(port === 443 ? {} : { port }), statusCode: 308 },
    ],
    backends: [],
    timeouts: {},
  };
}

function matchOf({ type, path, field }: IngressPath, site: Site, place: Place): HTTPMatchModel | undefined {
  const match = (value: HTTPMatchModel['path']): HTTPMatchModel => ({ path: value, headers: [], query: [] });
  const { rewrite, redirect } = place.effects;
  const needsGroups = redirect?.path?.type === 'ReplaceCaptures' || /\$[1-9]/.test(rewrite ?? '');
  if (site.regex && (path !== '/' || needsGroups)) {
    const problem = regexProblem(path);
    if (problem === undefined) return match({ type: 'RegularExpression', value: path, loose: true });
    place.note(`${field}.path`, 'InvalidPattern', `is a regular expression here, and ${problem}`);
    return undefined;
  }
  const refuse = (at: string, code: Parameters<Place['note']>[1], message: string): undefined => {
    place.note(at, code, message);
    return undefined;
  };
  const value = readPathText(path, `${field}.path`, refuse);
  if (value === undefined) return undefined;
  return match({ type: type === 'Exact' ? 'Exact' : 'PathPrefix', value });
}

function headerFilters({ effects }: Place): readonly FilterModel[] {
  const prefix = effects.rewrite === undefined ? undefined : effects.forwardedPrefix;
  const request = {
    ...effects.request?.set,
    ...(prefix === undefined ? {} : { 'X-Forwarded-Prefix': prefix }),
  };
  const response = effects.response?.set ?? {};
  const remove = effects.request?.remove ?? [];
  const pairs = (all: Readonly<Record<string, string>>) =>
    Object.entries(all).map(([name, value]) => ({ name, value }));
  const filters: FilterModel[] = [];
  if (Object.keys(request).length + remove.length > 0)
    filters.push({ type: 'RequestHeaderModifier', headers: { set: pairs(request), add: [], remove } });
  if (Object.keys(response).length > 0)
    filters.push({ type: 'ResponseHeaderModifier', headers: { set: pairs(response), add: [], remove: [] } });
  return filters;
}

type Redirect = NonNullable<Place['effects']['redirect']>;

/** `undefined`: it can't be told what is in front of what. */
function redirectFor(
  redirect: Redirect,
  before: string | undefined,
  { path }: HTTPMatchModel,
): Redirect | undefined {
  if (before === undefined) return redirect;
  if (path.type === 'RegularExpression') return undefined;
  const isExact = path.type === 'Exact';
  const value = `${before}${path.value === '/' && !isExact ? '' : path.value}`;
  return { ...redirect, path: { type: isExact ? 'ReplaceFullPath' : 'ReplacePrefixMatch', value } };
}

function rewriteOf(
  { ingress, effects: { rewrite, host: written } }: Place,
  { backend }: IngressPath,
  port: number | undefined,
): readonly FilterModel[] {
  if (rewrite === undefined && written === undefined) return [];
  const service = 'service' in backend ? backend.service : '';
  const named = { service_name: service, namespace: ingress.namespace, service_port: String(port ?? '') };
  const host = written?.replaceAll(hostVariable, (_, name: keyof typeof named) => named[name]);
  const type = rewrite?.includes('$') === true ? 'ReplaceCaptures' : 'ReplaceFullPath';
  return [
    {
      type: 'URLRewrite',
      ...(host === undefined ? {} : { hostname: host }),
      ...(rewrite === undefined ? {} : { path: { type, value: rewrite } }),
    },
  ];
}

function mirrorOf(site: Site, place: Place): readonly FilterModel[] {
  const url = place.effects.mirror;
  if (url === undefined) return [];
  const backend = targetOf(url, site, place);
  if (backend !== undefined) return [{ type: 'RequestMirror', backend, share: 1_000_000 }];
  place.note(
    'metadata.annotations[nginx.ingress.kubernetes.io/mirror-target]',
    'AnnotationRefused',
    `${url.host} is no Service: write http://NAME.NAMESPACE.svc.cluster.local:PORT`,
  );
  return [];
}

/** `closed`: nobody can be asked. */
function authOf(site: Site, place: Place): FilterModel | 'closed' | undefined {
  const wish = place.effects.auth;
  if (wish === undefined) return undefined;
  const backend = targetOf(wish.url, site, place);
  if (backend !== undefined) {
    return {
      type: 'ExternalAuth',
      protocol: 'HTTP',
      backend,
      path: wish.url.path === '' ? '/' : wish.url.path,
      asIngress: wish.asIngress,
      allowedHeaders: [],
      allowedResponseHeaders: wish.responseHeaders.map((each) => each.toLowerCase()),
    };
  }
  place.note(
    'metadata.annotations[nginx.ingress.kubernetes.io/auth-url]',
    'ProtectionMissing',
    `${wish.url.host} is no Service, and no Ingress of the namespace serves the path there; all that the Ingress is for gets 503 until it can be honoured`,
  );
  return 'closed';
}
