/**
 * The filters of a rule or of one of its backends as what is done to requests, and why they can't be.
 *
 * The data plane does them in one order, whatever the order that they are written in: CORS (a preflight is answered here), external
 * authorization, redirect, mirrors, then changes of the request; changes of the answer on its way out. A backend's own changes come
 * after its rule's.
 */
import type { GatewayCORS, GatewayFilters, GatewayHeaderChange, GatewayRedirect } from '#intent/gateway.ts';
import type { FilterModel, HeaderChange, PathChange } from '#model/gateway/types.ts';

/** What a list of filters does, but for those that refer to a backend (RequestMirror, ExternalAuth). */
export type FilterUse = {
  readonly filters?: GatewayFilters;
  readonly redirect?: GatewayRedirect;
  readonly cors?: GatewayCORS;
};

/** Why a rule can't be served: its requests get 500. */
export type Objection = {
  /** As in the condition. `InvalidKind`: a filter of somebody else's that isn't known here. */
  readonly reason: 'IncompatibleFilters' | 'UnsupportedValue' | 'InvalidKind';
  /** With the field in front. */
  readonly message: string;
};

/** Whose filters they are. */
export type FilterPlace = {
  /** For example `spec.rules[0].filters`. */
  readonly field: string;
  readonly kind: 'HTTPRoute' | 'GRPCRoute';
  readonly of: 'rule' | 'backend';
  /** The rule's only match is a prefix, which can be replaced. */
  readonly prefix: boolean;
};

export type FilterOf<T extends FilterModel['type']> = FilterModel & { readonly type: T };

/** Looked for in this order: what isn't known, what stands twice, what can't be together, what can't be done here. */
export function combineFilters(filters: readonly FilterModel[], place: FilterPlace): FilterUse | Objection {
  const objection =
    unknownFilter(filters) ?? repeatedFilter(filters, place) ?? impossibleFilter(filters, place);
  if (objection !== undefined) return objection;
  const find = <T extends FilterModel['type']>(type: T) =>
    filters.find((each): each is FilterOf<T> => each.type === type);
  const request = headerChange(find('RequestHeaderModifier')?.headers);
  const response = headerChange(find('ResponseHeaderModifier')?.headers);
  const rewrite = find('URLRewrite');
  const redirect = find('RequestRedirect');
  const cors = find('CORS');
  const changes: GatewayFilters = {
    ...(request === undefined ? {} : { request }),
    ...(response === undefined ? {} : { response }),
    ...(rewrite === undefined ? {} : { rewrite: hostAndPath(rewrite) }),
  };
  return {
    ...(Object.keys(changes).length === 0 ? {} : { filters: changes }),
    ...(redirect === undefined ? {} : { redirect: redirectOf(redirect) }),
    ...(cors === undefined ? {} : { cors: corsOf(cors) }),
  };
}

/** Whether filters can't be served. */
export function isObjection(use: object): use is Objection {
  return 'reason' in use;
}

function unknownFilter(filters: readonly FilterModel[]): Objection | undefined {
  const unusable = filters.find((filter) => filter.type === 'unusable');
  if (unusable === undefined) return undefined;
  const { field, message, reason = 'UnsupportedValue' } = unusable;
  return { reason, message: `${field}: ${message}` };
}

function repeatedFilter(filters: readonly FilterModel[], { field }: FilterPlace): Objection | undefined {
  const seen = new Set<string>();
  for (const [index, { type }] of filters.entries()) {
    if (type === 'RequestMirror') continue;
    if (seen.has(type)) {
      return { reason: 'IncompatibleFilters', message: `${field}[${index}]: is the second ${type}` };
    }
    seen.add(type);
  }
  return undefined;
}

function impossibleFilter(filters: readonly FilterModel[], place: FilterPlace): Objection | undefined {
  const { field, kind, of, prefix } = place;
  const types = new Set(filters.map(({ type }) => type));
  if (types.has('RequestRedirect') && types.has('URLRewrite')) {
    return {
      reason: 'IncompatibleFilters',
      message: `${field}: RequestRedirect and URLRewrite can't be used together`,
    };
  }
  for (const [index, filter] of filters.entries()) {
    const { type } = filter;
    if (kind === 'GRPCRoute' && !callFilters.has(type)) {
      return { reason: 'UnsupportedValue', message: `${field}[${index}]: a GRPCRoute has no filter ${type}` };
    }
    if (of === 'backend' && ruleFilters.has(type)) {
      const message = `${field}[${index}]: ${type} can't be served for one backend; it belongs to the rule`;
      return { reason: 'UnsupportedValue', message };
    }
    if ('path' in filter && typeof filter.path === 'object' && !prefix) {
      if (filter.path.type !== 'ReplacePrefixMatch') continue;
      const message = `${field}[${index}]: ReplacePrefixMatch needs a rule with exactly one match, by PathPrefix`;
      return { reason: 'UnsupportedValue', message };
    }
  }
  return undefined;
}

const callFilters = new Set<FilterModel['type']>([
  'RequestHeaderModifier',
  'ResponseHeaderModifier',
  'RequestMirror',
]);

/** What a rule does before it chooses a backend. */
const ruleFilters = new Set<FilterModel['type']>(['CORS', 'ExternalAuth', 'RequestMirror']);

/** Where a scheme is given, the port is that scheme's own unless another one is given, too; else both are the request's. */
function redirectOf(filter: FilterOf<'RequestRedirect'>): GatewayRedirect {
  const { scheme, statusCode } = filter;
  const own = scheme === undefined ? undefined : scheme === 'https' ? 443 : 80;
  const port = filter.port ?? own;
  return {
    ...(scheme === undefined ? {} : { scheme }),
    ...hostAndPath(filter),
    ...(port === undefined ? {} : { port }),
    statusCode,
    ...(filter.withoutQuery === undefined ? {} : { withoutQuery: true }),
  };
}

function hostAndPath({ hostname, path }: { readonly hostname?: string; readonly path?: PathChange }) {
  return {
    ...(hostname === undefined ? {} : { hostname }),
    ...(path === undefined ? {} : { path: { type: pathChanges[path.type], value: path.value } }),
  };
}

const pathChanges = {
  ReplaceFullPath: 'full',
  ReplacePrefixMatch: 'prefix',
  ReplaceCaptures: 'captures',
} as const satisfies Readonly<Record<PathChange['type'], string>>;

function headerChange(change: HeaderChange | undefined): GatewayHeaderChange | undefined {
  if (change === undefined) return undefined;
  const { set, add, remove } = change;
  if (set.length + add.length + remove.length === 0) return undefined;
  return {
    ...(set.length === 0 ? {} : { set }),
    ...(add.length === 0 ? {} : { add }),
    ...(remove.length === 0 ? {} : { remove }),
  };
}

function corsOf(filter: FilterOf<'CORS'>): GatewayCORS {
  const { allowOrigins, allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAge } = filter;
  return { allowOrigins, allowMethods, allowHeaders, exposeHeaders, allowCredentials, maxAge };
}
