/** Filters and backends of rules as manifests. */
import { pathPattern } from '#api/kinds/httpfilters.ts';
import type { BackendReference, FilterModel, HeaderChange, PathChange } from '#model/gateway/types.ts';
import { referenceTo } from './printing.ts';

const pathForm = new RegExp(pathPattern);

/** `undefined` in `value`: Gateway API has no words for it. */
export type PrintedFilter = { readonly value?: object; readonly lost?: string; readonly note?: string };

export function filterManifest(filter: FilterModel, own: string): PrintedFilter {
  switch (filter.type) {
    case 'RequestHeaderModifier':
      return { value: { type: filter.type, requestHeaderModifier: headerChange(filter.headers) } };
    case 'ResponseHeaderModifier':
      return { value: { type: filter.type, responseHeaderModifier: headerChange(filter.headers) } };
    case 'RequestRedirect': {
      const { scheme, hostname, port, path, statusCode, withoutQuery } = filter;
      const change = path === undefined ? undefined : pathChange(path);
      const requestRedirect = { ...defined({ scheme, hostname, path: change, port }), statusCode };
      return {
        value: { type: filter.type, requestRedirect },
        ...(path !== undefined && change === undefined ? { lost: 'redirects by groups have no equal' } : {}),
        ...(withoutQuery === true ? { note: 'the redirect keeps the query of the request' } : {}),
      };
    }
    case 'URLRewrite': {
      const { hostname, path } = filter;
      const change = path === undefined ? undefined : pathChange(path);
      if (path !== undefined && change === undefined) return { lost: 'rewrites by groups have no equal' };
      if (path?.value.includes('?') === true) return { lost: 'rewrites that add arguments have no equal' };
      if (hostname?.includes(':') === true) return { lost: 'a Host header with a port has no equal' };
      return { value: { type: filter.type, urlRewrite: defined({ hostname, path: change }) } };
    }
    case 'RequestMirror': {
      const { backend, share } = filter;
      const fraction = { numerator: share, denominator: 1_000_000 };
      const part =
        share === 1_000_000 ? {} : share % 10_000 === 0 ? { percent: share / 10_000 } : { fraction };
      return {
        value: {
          type: filter.type,
          requestMirror: { backendRef: backendManifest(backend, own, false), ...part },
        },
      };
    }
    case 'CORS':
      return { value: { type: filter.type, cors: corsManifest(filter) } };
    case 'ExternalAuth': {
      const { asIngress, path } = filter;
      if (path !== '' && !(pathForm.test(path) && path.length <= 1024))
        return { lost: `Gateway API has no words for the path ${JSON.stringify(path)} of who is asked` };
      const value = { type: filter.type, externalAuth: authManifest(filter, own) };
      if (asIngress?.signIn !== undefined)
        return { value, lost: 'nobody is sent to a page to sign in: let the service redirect' };
      if (asIngress === undefined) return { value };
      return {
        value,
        note: 'the service is asked for its path with the path of the request behind it, and lets in with 200 alone',
      };
    }
    default:
      return { lost: filter.message };
  }
}

export function backendManifest(backend: BackendReference, own: string, weighed = true): object {
  const { port, weight } = backend;
  return {
    ...referenceTo(backend, own, { group: '', kind: 'Service' }),
    ...(port === undefined ? {} : { port }),
    ...(weighed && weight !== 1 ? { weight } : {}),
  };
}

/** Of a filter, and of a TrafficPolicy. */
export function corsManifest(cors: Extract<FilterModel, { readonly type: 'CORS' }>): object {
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAge } = cors;
  const some = (list: readonly string[]) => (list.length === 0 ? undefined : list);
  return defined({
    allowOrigins: some(allowOrigins),
    allowCredentials: allowCredentials ? true : undefined,
    allowMethods: some(allowMethods),
    allowHeaders: some(allowHeaders),
    exposeHeaders: some(exposeHeaders),
    maxAge: maxAge < 1 ? undefined : maxAge,
  });
}

export function authManifest(
  auth: Extract<FilterModel, { readonly type: 'ExternalAuth' }>,
  own: string,
): object {
  const { protocol, backend, path, allowedHeaders, allowedResponseHeaders, forwardBody } = auth;
  const base = { protocol, backendRef: backendManifest(backend, own, false) };
  const body = forwardBody === undefined ? {} : { forwardBody: { maxSize: forwardBody } };
  if (protocol === 'GRPC') return { ...base, grpc: { allowedHeaders }, ...body };
  return {
    ...base,
    http: defined({ path: path === '' ? undefined : path, allowedHeaders, allowedResponseHeaders }),
    ...body,
  };
}

function pathChange(change: PathChange): object | undefined {
  const { type, value } = change;
  if (type === 'ReplaceFullPath') return { type, replaceFullPath: value };
  return type === 'ReplacePrefixMatch' ? { type, replacePrefixMatch: value } : undefined;
}

function headerChange({ set, add, remove }: HeaderChange): object {
  const some = <T>(list: readonly T[]) => (list.length === 0 ? undefined : list);
  return defined({ set: some(set), add: some(add), remove: some(remove) });
}

/** Without what is undefined. */
export function defined(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
