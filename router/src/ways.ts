/**
 * Where a rule leads, looked up once for each generation of the table rather than for each request: what lies behind a rule is spread over a
 * dozen tables, and with thousands of routes none of them is in the processor's caches.
 */
import { chooseBackend } from './backends.ts';
import type { RouterAction, RouterBackend } from './prepared.ts';
import type { RouterRule } from './rules.ts';
import type { RouterTable } from './table.ts';

export type RouterWay = {
  /** Of the table when the rest was looked up. */
  generation: number;
  action: RouterAction | undefined;
  /** Where all requests go that ask for nothing more, as they are and by HTTP/1.1; undefined: there is more to it. */
  backend: RouterBackend | undefined;
  /** Kept here by who counts requests. */
  count: RouterCount | undefined;
};

/** What was counted since it was last written. */
export type RouterCount = {
  readonly name: string;
  readonly numbers: number[];
  /** It is among those that are to be written. */
  dirty: boolean;
};

export function createWay(): RouterWay {
  return { generation: -1, action: undefined, backend: undefined, count: undefined };
}

/** `rule` is of this table. */
export function wayOf(table: RouterTable, rule: RouterRule): RouterWay {
  const way = rule.way;
  if (way.generation !== table.generation) lookUp(table, rule, way);
  return way;
}

/** Of such an action a request is sent on as it is, to whichever backend is drawn. */
export function isQuick(action: RouterAction): boolean {
  return action.plain && action.intent.retry === undefined && action.intent.timeouts === undefined;
}

function lookUp(table: RouterTable, rule: RouterRule, way: RouterWay): void {
  const action = table.actions[rule.action];
  way.generation = table.generation;
  way.action = action;
  way.backend = action === undefined ? undefined : onlyBackend(table, action);
}

function onlyBackend(table: RouterTable, action: RouterAction): RouterBackend | undefined {
  if (!isQuick(action) || action.backends.length !== 1) return undefined;
  const choice = chooseBackend(action, 0);
  const key = choice === undefined ? undefined : choice.backend;
  const backend = key === undefined ? undefined : table.backends[key];
  if (backend === undefined || backend.endpoints.length === 0 || backend.spread !== undefined)
    return undefined;
  return backend.intent.protocol === 'h2c' ? undefined : backend;
}
