/** What becomes of requests that a rule of an HTTPRoute or GRPCRoute takes. */
import type { GatewayActionIntent, GatewayExternalAuth, GatewayWeightedBackend } from '#intent/gateway.ts';
import type {
  BackendReference,
  FilterModel,
  GRPCRouteModel,
  GRPCRuleModel,
  HTTPRouteModel,
  HTTPRuleModel,
} from '#model/gateway/types.ts';
import type { Applied } from '../policies/applied.ts';
import { policyAction } from '../policies/policy-action.ts';
import type { BackendUse, EntryContext } from '../types.ts';
import { type Refusal, resolveBackend, type Speech } from './backend-refs.ts';
import { combineFilters, type FilterOf, type FilterPlace, isObjection, type Objection } from './filters.ts';
import { onlyPrefix } from './matches.ts';
import { persistenceOf } from './persistence.ts';

export type Action = {
  readonly intent: GatewayActionIntent;
  /** What it sends to, each once. */
  readonly uses: readonly BackendUse[];
  /** What it refers to and can't be resolved, with the field in front. */
  readonly refusals: readonly Refusal[];
  /** The rule can't be served: its requests get 500. */
  readonly objection?: Objection;
  /** Nobody can be asked whether a request may pass: they get 500, too. */
  readonly closed?: Refusal;
  /** Backends of it that can't: their shares of requests get 500. */
  readonly partly: readonly Objection[];
};

/**
 * `key` is its own in the intent. All references are judged, also of a rule that can't be served: one look at the status shows all. What
 * policies refer to isn't the route's to answer for.
 */
export function actionOf(
  route: HTTPRouteModel | GRPCRouteModel,
  index: number,
  key: string,
  context: EntryContext,
  applied?: Applied,
): Action {
  const rule: HTTPRuleModel | GRPCRuleModel = route.rules[index] ?? emptyRule;
  const field = `spec.rules[${index}]`;
  const place = {
    field: `${field}.filters`,
    kind: route.kind,
    of: 'rule',
    prefix: onlyPrefix(route, index),
  } as const;
  const resolver = createResolver(route, context);
  const speech = route.kind === 'GRPCRoute' ? 'grpc' : 'http';
  const partly: Objection[] = [];
  const backends = rule.backends.flatMap((each, at): GatewayWeightedBackend[] => {
    const { weight } = each;
    const here = `${field}.backendRefs[${at}]`;
    const filters = combineFilters(each.filters, { ...place, field: `${here}.filters`, of: 'backend' });
    if (isObjection(filters)) partly.push(filters);
    const use = resolver.resolve(each, speech, here);
    if (weight <= 0) return [];
    return isObjection(filters) || use === undefined
      ? [{ weight }]
      : [{ backend: use.key, weight, ...filters }];
  });
  const mirrors = mirrorsOf(rule.filters, place, speech, resolver);
  const before = resolver.refusals.length;
  const externalAuth = externalAuthOf(rule.filters, place, resolver);
  const closed = resolver.refusals[before];
  const own = combineFilters(rule.filters, place);
  const persistence = persistenceOf(rule.sessionPersistence, key, `${field}.sessionPersistence`);

  const base = {
    origin: { ...route.origin, rule: rule.field ?? field },
    kind: route.kind === 'GRPCRoute' ? ('grpc' as const) : ('http' as const),
  };
  const unserved = (objection: Objection): Action => ({
    intent: { ...base, backends: [] },
    uses: [],
    refusals: resolver.refusals,
    objection,
    partly: [],
  });
  if (rule.closed === true) {
    const intent = { ...base, refused: 503 as const, backends: [] };
    return { intent, uses: [], refusals: resolver.refusals, partly: [] };
  }
  // What a filter has to say is more exact than that the rule is unusable by it.
  if (isObjection(own)) return unserved(own);
  if (rule.unusable !== undefined) {
    const message = rule.unusable.startsWith('spec.') ? rule.unusable : `${field}.${rule.unusable}`;
    return unserved({ reason: 'UnsupportedValue', message });
  }
  if (own.redirect !== undefined && rule.backends.length > 0) {
    const message = `${place.field}: RequestRedirect can't be used together with backendRefs`;
    return unserved({ reason: 'IncompatibleFilters', message });
  }
  if (persistence !== undefined && isObjection(persistence)) return unserved(persistence);
  const written: GatewayActionIntent = {
    ...base,
    ...own,
    ...(externalAuth === undefined ? {} : { externalAuth }),
    ...(mirrors.length === 0 ? {} : { mirrors }),
    backends,
    ...patienceOf(rule),
    ...(persistence === undefined ? {} : { persistence }),
  };
  const held = applied === undefined ? undefined : policyAction(written, rule, applied, key, context);
  return {
    intent: held?.intent ?? written,
    uses: held === undefined ? resolver.uses : [...resolver.uses, ...held.uses],
    refusals: resolver.refusals,
    partly,
    ...(closed === undefined ? {} : { closed }),
  };
}

const emptyRule: GRPCRuleModel = { filters: [], backends: [], matches: [] };

type Resolver = {
  readonly uses: readonly BackendUse[];
  readonly refusals: readonly Refusal[];
  resolve(reference: BackendReference, speech: Speech, field: string): BackendUse | undefined;
};

/** Notes what was resolved and what was refused. */
function createResolver(route: HTTPRouteModel | GRPCRouteModel, context: EntryContext): Resolver {
  const uses = new Map<string, BackendUse>();
  const refusals: Refusal[] = [];
  return {
    get uses() {
      return [...uses.values()];
    },
    refusals,
    resolve(reference, speech, field) {
      const { use, refusal } = resolveBackend(reference, route, speech, context);
      if (refusal !== undefined) refusals.push({ ...refusal, message: `${field}: ${refusal.message}` });
      if (use !== undefined) uses.set(use.key, use);
      return use;
    },
  };
}

/** One that can't be resolved is dropped: nobody waits for its answer. */
function mirrorsOf(
  filters: readonly FilterModel[],
  { field }: FilterPlace,
  speech: Speech,
  resolver: Resolver,
): NonNullable<GatewayActionIntent['mirrors']> {
  return filters.flatMap((filter, at) => {
    if (filter.type !== 'RequestMirror') return [];
    const { backend, share } = filter;
    const use = resolver.resolve(backend, speech, `${field}[${at}].requestMirror.backendRef`);
    return use === undefined || share <= 0 ? [] : [{ backend: use.key, share }];
  });
}

/** Without its backend nobody is let in. */
function externalAuthOf(
  filters: readonly FilterModel[],
  { field }: FilterPlace,
  resolver: Resolver,
): GatewayExternalAuth | undefined {
  const at = filters.findIndex(({ type }) => type === 'ExternalAuth');
  const filter = filters[at] as FilterOf<'ExternalAuth'> | undefined;
  if (filter === undefined) return undefined;
  const { backend, path, allowedHeaders, allowedResponseHeaders, forwardBody } = filter;
  const protocol = filter.protocol === 'GRPC' ? 'grpc' : 'http';
  const use = resolver.resolve(backend, protocol, `${field}[${at}].externalAuth.backendRef`);
  return {
    protocol,
    ...(use === undefined ? {} : { backend: use.key }),
    path,
    allowedHeaders,
    allowedResponseHeaders,
    ...(forwardBody === undefined || forwardBody === 0 ? {} : { forwardBody }),
    ...(filter.asIngress === undefined ? {} : { asIngress: filter.asIngress }),
  };
}

function patienceOf(rule: HTTPRuleModel | GRPCRuleModel): Pick<GatewayActionIntent, 'timeouts' | 'retry'> {
  if (!('timeouts' in rule)) return {};
  const { request, backendRequest } = rule.timeouts;
  const timeouts = {
    ...(request === undefined ? {} : { request }),
    ...(backendRequest === undefined ? {} : { backend: backendRequest }),
  };
  return {
    ...(Object.keys(timeouts).length === 0 ? {} : { timeouts }),
    ...(rule.retry === undefined || rule.retry.attempts <= 0 ? {} : { retry: rule.retry }),
  };
}
