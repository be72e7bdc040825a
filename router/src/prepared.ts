/** Actions, streams and backends as requests need them: what can be worked out once isn't worked out for each. */
import type {
  GatewayActionIntent,
  GatewayBackendIntent,
  GatewayStreamIntent,
  GatewayWeightedBackend,
} from '../../src/intent/gateway.ts';
import { retryClass } from './answers.ts';
import type { Dictionary } from './dictionary.ts';
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
   * Nothing is asked of a request, and nothing changed on the way in or out, whichever backend is drawn: no policy, filter, redirect, CORS,
   * mirror, authorization, persistence.
   */
  readonly plain: boolean;
};

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
};

export type RouterEndpoint = {
  /** IPv6 in brackets; `unix:PATH` whole. */
  readonly host: string;
  /** 0 of a path. */
  readonly port: number;
  /** `ADDRESS:PORT`, as in the intent. */
  readonly name: string;
};

export function prepareAction(
  key: string,
  intent: GatewayActionIntent,
  tenants: Dictionary<RouterTenant>,
): RouterAction {
  const cumulative = sums(intent.backends);
  const namespace = intent.origin.namespace;
  const tenant = namespace === undefined ? undefined : tenants[namespace];
  return {
    key,
    intent,
    backends: intent.backends,
    cumulative,
    total: totalOf(cumulative),
    retryClass: intent.retry === undefined ? 0 : retryClass(intent.retry.codes),
    tenant,
    plain: tenant === undefined && isPlain(intent),
  };
}

export function prepareStream(key: string, intent: GatewayStreamIntent): RouterStream {
  const cumulative = sums(intent.backends);
  return { key, intent, backends: intent.backends, cumulative, total: totalOf(cumulative) };
}

export function prepareBackend(key: string, intent: GatewayBackendIntent): RouterBackend {
  const endpoints: RouterEndpoint[] = [];
  for (let at = 0; at < intent.endpoints.length; at++) endpoints.push(routerEndpoint(intent.endpoints[at]!));
  return { key, intent, endpoints, next: -1, tokens: undefined };
}

function routerEndpoint(name: string): RouterEndpoint {
  if (name.indexOf('unix:') === 0) return { host: name, port: 0, name };
  const bracket = name.indexOf(']');
  const colon = name.indexOf(':', bracket === -1 ? 0 : bracket);
  return { host: name.slice(0, colon), port: Number(name.slice(colon + 1)), name };
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
  for (let at = 0; at < intent.backends.length; at++) {
    const backend = intent.backends[at]!;
    if (backend.filters !== undefined || backend.redirect !== undefined) return false;
  }
  return true;
}
