/** Actions, streams and backends as requests need them: what can be worked out once isn't worked out for each. */
import type {
  GatewayActionIntent,
  GatewayBackendIntent,
  GatewayStreamIntent,
  GatewayWeightedBackend,
} from '../../src/intent/gateway.ts';
import type { GatewayCanary, GatewayHash } from '../../src/intent/gateway-policy.ts';
import { retryClass } from './answers.ts';
import { createDictionary, type Dictionary } from './dictionary.ts';
import type { RouterTenant } from './policies.ts';

/** Backends by weight: one of them is drawn by `chooseBackend`. */
export type RouterChoices<B extends { readonly weight: number } = GatewayWeightedBackend> = {
  readonly backends: readonly B[];
  /** Sums of the weights so far: the last is the sum of all. */
  readonly cumulative: readonly number[];
  readonly total: number;
};

export type RouterAction = RouterChoices & {
  readonly key: string;
  readonly intent: GatewayActionIntent;
  /** As in retryClass; 0: nothing is tried again. */
  readonly retryClass: number;
  /** Whose route it is, if the whole of what that namespace has here is limited. */
  readonly tenant: RouterTenant | undefined;
  /**
   * Nothing is changed on the way in or out, whichever backend is drawn: no filter, redirect, CORS, mirror, authorization, persistence; and no
   * policy asks for anything.
   */
  readonly plain: boolean;
  readonly canaries: readonly RouterCanary[] | undefined;
};

export type RouterCanary = RouterChoices & { readonly intent: GatewayCanary };

export type RouterStream = RouterChoices<{ readonly backend?: string; readonly weight: number }> & {
  readonly key: string;
  readonly intent: GatewayStreamIntent;
};

export type RouterBackend = {
  readonly key: string;
  readonly intent: GatewayBackendIntent;
  readonly endpoints: readonly RouterEndpoint[];
  /** Index of the endpoint whose turn it is; -1: nobody was sent anywhere yet. */
  next: number;
  /** Index of each endpoint by its token: made when the first session asks. */
  tokens: Dictionary<number> | undefined;
  /** Undefined: by turns, and nobody looks what becomes of tries. */
  readonly spread: RouterSpread | undefined;
};

export type RouterSpread = {
  /** To those with the fewest requests. */
  readonly least: boolean;
  readonly hash: GatewayHash | undefined;
  readonly breaker: GatewayBackendIntent['breaker'];
  /** Requests at once to one endpoint; 0: any. */
  readonly most: number;
  /** Versions of what all workers know of failures, of any backend and of this one; -1: none was read. */
  seen: number;
  seenOwn: number;
};

export type RouterEndpoint = {
  /** IPv6 in brackets; `unix:PATH` whole. */
  readonly host: string;
  /** 0 of a path. */
  readonly port: number;
  /** `ADDRESS:PORT`, as in the intent. */
  readonly name: string;
  /** -1: nobody asked for it yet. */
  digest: number;
  /** Requests of this worker. */
  busy: number;
  /** Failures in a row, and the time (seconds since the epoch) until which it is left out, as far as this worker knows. */
  failures: number;
  out: number;
};

export function prepareAction(
  key: string,
  intent: GatewayActionIntent,
  tenants?: Dictionary<RouterTenant>,
): RouterAction {
  const cumulative = sums(intent.backends);
  const namespace = intent.origin.namespace;
  const tenant = namespace === undefined || tenants === undefined ? undefined : tenants[namespace];
  return {
    key,
    intent,
    backends: intent.backends,
    cumulative,
    total: totalOf(cumulative),
    retryClass: intent.retry === undefined ? 0 : retryClass(intent.retry.codes),
    tenant,
    plain: tenant === undefined && isPlain(intent),
    canaries: canariesOf(intent.canaries),
  };
}

export function prepareStream(key: string, intent: GatewayStreamIntent): RouterStream {
  const cumulative = sums(intent.backends);
  return { key, intent, backends: intent.backends, cumulative, total: totalOf(cumulative) };
}

/** `before`: the same backend until now; what is known of its endpoints stays known. */
export function prepareBackend(
  key: string,
  intent: GatewayBackendIntent,
  before?: RouterBackend,
): RouterBackend {
  const spread = spreadOf(intent);
  const known = createDictionary<RouterEndpoint>();
  if (spread !== undefined && before !== undefined) {
    for (let at = 0; at < before.endpoints.length; at++) {
      known[before.endpoints[at]!.name] = before.endpoints[at]!;
    }
  }
  const endpoints: RouterEndpoint[] = [];
  for (let at = 0; at < intent.endpoints.length; at++) {
    const name = intent.endpoints[at]!;
    const endpoint = known[name];
    endpoints.push(endpoint === undefined ? routerEndpoint(name) : endpoint);
  }
  return { key, intent, endpoints, next: -1, tokens: undefined, spread };
}

export function routerEndpoint(name: string): RouterEndpoint {
  const unix = name.indexOf('unix:') === 0;
  const bracket = name.indexOf(']');
  const colon = name.indexOf(':', bracket === -1 ? 0 : bracket);
  const host = unix ? name : name.slice(0, colon);
  const port = unix ? 0 : Number(name.slice(colon + 1));
  return { host, port, name, digest: -1, busy: 0, failures: 0, out: 0 };
}

/** What a route's own hash is looked up with where the backend asks for nothing. */
export const plainSpread: RouterSpread = {
  least: false,
  hash: undefined,
  breaker: undefined,
  most: 0,
  seen: -1,
  seenOwn: -1,
};

function spreadOf({ balance, breaker, mostRequests }: GatewayBackendIntent): RouterSpread | undefined {
  if (balance === undefined && breaker === undefined && mostRequests === undefined) return undefined;
  const least = balance === 'leastRequests';
  return {
    least,
    hash: balance === undefined || balance === 'leastRequests' ? undefined : balance,
    breaker,
    most: mostRequests === undefined ? 0 : mostRequests,
    seen: -1,
    seenOwn: -1,
  };
}

function canariesOf(canaries: readonly GatewayCanary[] | undefined): RouterCanary[] | undefined {
  if (canaries === undefined || canaries.length === 0) return undefined;
  const prepared: RouterCanary[] = [];
  for (let at = 0; at < canaries.length; at++) {
    const intent = canaries[at]!;
    const cumulative = sums(intent.backends);
    prepared.push({ intent, backends: intent.backends, cumulative, total: totalOf(cumulative) });
  }
  return prepared;
}

function sums(backends: readonly { readonly weight: number }[]): number[] {
  const cumulative: number[] = [];
  let total = 0;
  for (let at = 0; at < backends.length; at++) {
    total += backends[at]!.weight;
    cumulative.push(total);
  }
  return cumulative;
}

function totalOf(cumulative: readonly number[]): number {
  return cumulative.length === 0 ? 0 : cumulative[cumulative.length - 1]!;
}

function isPlain(intent: GatewayActionIntent): boolean {
  if (intent.policy !== undefined) return false;
  if (intent.filters !== undefined || intent.redirect !== undefined || intent.cors !== undefined)
    return false;
  if (intent.mirrors !== undefined && intent.mirrors.length > 0) return false;
  if (intent.policy !== undefined) return false;
  if (intent.externalAuth !== undefined || intent.persistence !== undefined) return false;
  if (intent.policy !== undefined || intent.canaries !== undefined || intent.hash !== undefined) return false;
  for (let at = 0; at < intent.backends.length; at++) {
    const backend = intent.backends[at]!;
    if (backend.filters !== undefined || backend.redirect !== undefined) return false;
  }
  return true;
}
