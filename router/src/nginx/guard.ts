/** What a policy and a tenant's limits ask of a request before anything is done for it: who comes, how often, how many at once, how much. */
import { isLetIn, type Refusal, refusals } from '../main.ts';
import { answer } from './answer.ts';
import { limitBody } from './body-limit.ts';
import { clientOf, tellClient, tellHow } from './client.ts';
import { askRates, enterAll } from './limits.ts';
import { waitToRefuse } from './refusal-pace.ts';
import { hasVariable, variable, variableLength } from './request.ts';
import type { Serving } from './serving.ts';
import type { Visit } from './visits.ts';

/** Returns when it may go on. */
export function guard(serving: Serving): void {
  const { pointer, table, action } = serving;
  const key = action.intent.policy;
  const policy = key === undefined ? undefined : table.policies[key];
  // A policy that isn't there protects nothing, so nobody gets through.
  if (key !== undefined && policy === undefined) answer(pointer, 500);
  if (policy !== undefined && policy.trusted !== undefined) {
    tellClient(pointer, clientOf(serving));
    tellHow(pointer, policy);
  }
  if (policy !== undefined && policy.access.length > 0) {
    if (!isLetIn(policy.access, clientOf(serving).address)) turnAway(serving, 'access', 403);
  }
  const { tenant } = action;
  if (tenant !== undefined) {
    if (tenant.rate !== undefined) askRate(serving, 'tenant-rate', [tenant.rate]);
    if (tenant.concurrency !== undefined && !enterAll(serving, [tenant.concurrency]))
      turnAway(serving, 'tenant-concurrency', 503);
  }
  if (policy === undefined) return;
  if (policy.rates.length > 0) askRate(serving, 'rate', policy.rates);
  if (policy.concurrency.length > 0 && !enterAll(serving, policy.concurrency))
    turnAway(serving, 'concurrency', 503);
  const { maxBody } = policy.intent;
  if (maxBody !== undefined && maxBody > 0) measureBody(serving, maxBody);
}

/** The same for what somebody asks too often, or may never ask. */
function turnAway(serving: Serving, reason: Refusal, status: number): never {
  waitToRefuse(serving);
  refuse(serving, reason, status);
}

/** Ends the request, and says why in metrics. */
export function refuse(serving: Serving, reason: Refusal, status: number): never {
  note(serving.visit, reason);
  answer(serving.pointer, status);
}

/** Whoever must wait is told how long, in whole seconds. */
export function refuseUntil(serving: Serving, reason: Refusal, milliseconds: number): never {
  ngx.header['Retry-After'] = tostring(math.max(1, math.ceil(milliseconds / 1000)));
  turnAway(serving, reason, 429);
}

function note(visit: Visit, reason: Refusal): void {
  visit.refusal = refusals.indexOf(reason) + 1;
}

function askRate(serving: Serving, reason: Refusal, rates: Parameters<typeof askRates>[1]): void {
  const wait = askRates(serving, rates);
  if (wait > 0) refuseUntil(serving, reason, wait);
}

/** What says its length is judged by it; all else while it comes in. */
function measureBody(serving: Serving, most: number): void {
  const { pointer, visit } = serving;
  if (variableLength(pointer, 'content_length') > 0) {
    const length = tonumber(variable(pointer, 'content_length'));
    if (length === undefined || length > most) refuse(serving, 'body', 413);
    return;
  }
  // Over HTTP/1.1 that leaves chunks; over HTTP/2 nothing tells whether anything will come.
  if (!hasVariable(pointer, 'http_transfer_encoding') && variable(pointer, 'http2') === '') return;
  visit.mostBody = most;
  if (!limitBody(pointer, visit)) refuse(serving, 'body', 411);
}
