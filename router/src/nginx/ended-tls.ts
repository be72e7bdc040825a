/**
 * Requests whose TLS ended before the gateway, at a trusted proxy: what only sends clients to HTTPS would send these in a circle. They are
 * served as the listener for HTTPS would have it, unless that asks for certificates of clients, which nobody here has seen.
 */
import { findListener, findRule, wayOf } from '../main.ts';
import { answer } from './answer.ts';
import { schemeOf } from './client.ts';
import { reader } from './reader.ts';
import type { Serving } from './serving.ts';

export function atHTTPS(serving: Serving): Serving {
  const { pointer, table, action, visit, host } = serving;
  const to = action.intent.redirect;
  if (to === undefined || to.scheme !== 'https' || to.hostname !== undefined || to.path !== undefined)
    return serving;
  const key = action.intent.policy;
  const policy = key === undefined ? undefined : table.policies[key];
  if (table.ports[serving.port]?.kind !== 'http' || schemeOf(pointer, policy) !== 'https') return serving;
  const port = `tcp/${to.port === undefined ? 443 : to.port}`;
  const listener = findListener(table, port, host);
  const intent = listener === undefined ? undefined : listener.intent;
  if (listener === undefined || intent?.kind !== 'https' || intent.clientValidation?.mode === 'require')
    return serving;
  visit.listener = listener;
  const rule = findRule(listener, serving, reader);
  if (rule === undefined) answer(pointer, 404);
  const way = wayOf(table, rule);
  const there = way.action;
  if (there === undefined) answer(pointer, rule.action === '' ? 404 : 500);
  visit.action = there;
  visit.way = way;
  const { written, path, target, method } = serving;
  return {
    pointer,
    table,
    listener,
    port,
    rule,
    action: there,
    visit,
    written,
    path,
    target,
    host,
    method,
  };
}
