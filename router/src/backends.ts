/** Which backend a request goes to, and which of its endpoints. Chance comes in as a number: 0 ≤ dice < 1. */
import { createDictionary } from './dictionary.ts';
import type { RouterAction, RouterBackend, RouterChoices, RouterEndpoint } from './prepared.ts';
import type { RouterTable } from './table.ts';

/** One of them by weight; `undefined`: there is none. One without a `backend` can't be resolved, and gets 500. */
export function chooseBackend<B extends { readonly weight: number }>(
  choices: RouterChoices<B>,
  dice: number,
): B | undefined {
  const backends = choices.backends;
  if (backends.length <= 1) return backends[0];
  return drawn(choices, dice * choices.total, 0);
}

/** Whose turn it is, beginning anywhere (by `dice`), so that many workers don't all begin with the first. `undefined`: no endpoints, 503. */
export function nextEndpoint(backend: RouterBackend, dice: number): RouterEndpoint | undefined {
  const count = backend.endpoints.length;
  if (count <= 1) return backend.endpoints[0];
  const at = backend.next === -1 ? Math.floor(dice * count) : backend.next;
  backend.next = at + 1 === count ? 0 : at + 1;
  return backend.endpoints[at];
}

/** The endpoint that `value` always leads to, as long as it is there: rendezvous hashing, so that others' coming and going moves little. */
export function hashedEndpoint(backend: RouterBackend, value: string): RouterEndpoint | undefined {
  const endpoints = backend.endpoints;
  const wanted = digest(value, 7, 33);
  let best: RouterEndpoint | undefined;
  let highest = -1;
  for (let at = 0; at < endpoints.length; at++) {
    const endpoint = endpoints[at]!;
    if (endpoint.digest === -1) endpoint.digest = digest(endpoint.name, 11, 33);
    const score = mixed(wanted, endpoint.digest);
    if (score > highest) {
      highest = score;
      best = endpoint;
    }
  }
  return best;
}

/**
 * What a session's cookie or header says: names backend and endpoint without telling the pod's address at a glance. It is no secret, and
 * whoever makes up another one may at most choose among the endpoints of the same rule.
 */
export function sessionToken(backend: RouterBackend, endpoint: RouterEndpoint): string {
  const text = `${backend.key} ${endpoint.name}`;
  return `${digest(text, 5381, 33)}-${digest(text, 5381, 65_599)}`;
}

/** A token of a session that is over at `until` (seconds since the epoch). Who makes up a later time only keeps to one endpoint longer. */
export function endingToken(token: string, until: number): string {
  return `${token}.${until}`;
}

/** The token of a session that ends, without its end; `undefined`: it is over, or has no end. */
export function liveToken(text: string, now: number): string | undefined {
  const dot = text.indexOf('.');
  if (dot === -1 || dot + 1 === text.length) return undefined;
  let until = 0;
  for (let at = dot + 1; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return undefined;
    until = until * 10 + digit;
  }
  return until > now ? text.slice(0, dot) : undefined;
}

export type RouterSession = { readonly backend: RouterBackend; readonly endpoint: RouterEndpoint };

/** Where a session goes on; `undefined`: its endpoint is gone, or the token was never ours, and another one is chosen. */
export function sessionEndpoint(
  table: RouterTable,
  action: RouterAction,
  token: string,
): RouterSession | undefined {
  const found = sessionAmong(table, action.backends, token);
  if (found !== undefined || action.canaries === undefined) return found;
  for (let at = 0; at < action.canaries.length; at++) {
    const among = sessionAmong(table, action.canaries[at]!.backends, token);
    if (among !== undefined) return among;
  }
  return undefined;
}

function sessionAmong(
  table: RouterTable,
  choices: RouterAction['backends'],
  token: string,
): RouterSession | undefined {
  for (let at = 0; at < choices.length; at++) {
    const key = choices[at]!.backend;
    const backend = key === undefined ? undefined : table.backends[key];
    if (backend !== undefined) {
      const index = tokensOf(backend)[token];
      if (index !== undefined) return { backend, endpoint: backend.endpoints[index]! };
    }
  }
  return undefined;
}

/** Whether this request is one of the `share` in a million that are mirrored. */
export function isMirrored(share: number, dice: number): boolean {
  return dice * 1_000_000 < share;
}

function drawn<B extends { readonly weight: number }>(
  choices: RouterChoices<B>,
  point: number,
  at: number,
): B | undefined {
  if (at >= choices.backends.length - 1 || point < choices.cumulative[at]!) return choices.backends[at];
  return drawn(choices, point, at + 1);
}

function tokensOf(backend: RouterBackend): Record<string, number> {
  if (backend.tokens !== undefined) return backend.tokens;
  const tokens = createDictionary<number>();
  for (let at = 0; at < backend.endpoints.length; at++) {
    tokens[sessionToken(backend, backend.endpoints[at]!)] = at;
  }
  backend.tokens = tokens;
  return tokens;
}

/** Below 2^32. Only sums and products under 2^53, which are exact in both languages. */
export function digest(text: string, seed: number, factor: number): number {
  let hash = seed;
  for (let at = 0; at < text.length; at++) hash = (hash * factor + text.charCodeAt(at)) % 4_294_967_291;
  return hash;
}

/** Two squares modulo a prime below 2^26, since a sum alone would only shift all scores by the same. */
export function mixed(one: number, other: number): number {
  const prime = 67_108_859;
  const sum = (one + other) % prime;
  const once = ((sum * sum) % prime) + (other % prime);
  const twice = (once % prime) + 1;
  return (twice * twice) % prime;
}
