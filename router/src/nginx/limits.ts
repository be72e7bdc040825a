/** Rate limits and limits of requests at once, as nginx's workers count them together. */
import type { GatewayCountedBy } from '../../../src/intent/gateway-policy.ts';
import {
  type CellKey,
  clientName,
  enter,
  keyedDigest,
  leave,
  objectOf,
  type RouterConcurrency,
  type RouterRate,
  returnTokens,
  type TokenRequest,
  takeTokens,
} from '../main.ts';
import { clientOf } from './client.ts';
import { headerOf } from './request.ts';
import type { Serving } from './serving.ts';
import {
  buckets,
  countEvicted,
  countRefused,
  lock,
  secret,
  turnstiles,
  unlock,
  workerColumn,
} from './shared-cells.ts';
import type { Visit } from './visits.ts';

/** Milliseconds until it may come again; 0: now. All are asked, and charged only together. */
export function askRates(serving: Serving, rates: readonly RouterRate[]): number {
  const asked: TokenRequest[] = [];
  for (const { counter, by, most, interval } of rates) {
    asked.push({ key: keyOf(counter, nameOf(serving, by)), most, interval });
  }
  return takeFrom(asked);
}

/** Of what isn't a policy's: tokens of `name` in `counter`. */
export function tokensOf(counter: string, name: string, most: number, interval: number): TokenRequest {
  return { key: keyOf(counter, name), most, interval };
}

export function takeFrom(asked: readonly TokenRequest[]): number {
  const now = ngx.now() * 1000;
  lock();
  const wait = takeTokens(buckets, asked, now, countEvicted);
  unlock();
  return wait;
}

export function giveBack(asked: readonly TokenRequest[]): void {
  lock();
  returnTokens(buckets, asked);
  unlock();
}

/** False: there are enough already. What it is let through by is given back by `leaveAll`, when the request is over. */
export function enterAll(serving: Serving, limits: readonly RouterConcurrency[]): boolean {
  for (const { counter, by, most } of limits) {
    const key = keyOf(counter, nameOf(serving, by));
    lock();
    const place = enter(turnstiles, key, most, workerColumn());
    // Room for others must never be what lets a request through.
    if (place === -2) countRefused();
    unlock();
    if (place < 0) return false;
    const { visit } = serving;
    if (visit.inside === undefined) visit.inside = [place];
    else visit.inside.push(place);
  }
  return true;
}

/** In log_by_lua, which runs once for each request, however it ends. */
export function leaveAll(visit: Visit): void {
  const { inside } = visit;
  if (inside === undefined) return;
  lock();
  for (let at = 0; at < inside.length; at++) leave(turnstiles, inside[at]!, workerColumn());
  unlock();
  visit.inside = undefined;
}

function keyOf(counter: string, name: string): CellKey {
  return {
    // 0 stands for a place that was never used.
    counter: keyedDigest(counter, secret(0)) + 1,
    one: keyedDigest(name, secret(0)),
    other: keyedDigest(name, secret(1)),
  };
}

/** What a request is counted under: what it says is hashed, so that no name of a stranger takes more room than another. */
function nameOf(serving: Serving, by: readonly GatewayCountedBy[]): string {
  let name = '';
  for (const one of by) {
    let part: string | undefined;
    if (one === 'client') {
      const { address, text } = clientOf(serving);
      part = address === undefined ? text : clientName(address);
    } else if (one === 'route') part = objectOf(serving.action);
    else if (one === 'tenant') part = serving.action.intent.origin.namespace;
    else part = headerOf(serving.pointer, one.header.toLowerCase());
    // Its length in front: two values can't be shifted into one another.
    name = part === undefined ? `${name}-;` : `${name}${part.length}:${part};`;
  }
  return name;
}
