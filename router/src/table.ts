/**
 * What a gateway holds, indexed so that a request is decided without looking at more than its own host and path. Change by change: each
 * costs what it touches, and the result is that of a table built from all at once.
 */

import type {
  GatewayCertificateIntent,
  GatewayChange,
  GatewayIdentityIntent,
  GatewayListenerIntent,
  GatewayPortIntent,
  GatewayRuleIntent,
  GatewayStreamIntent,
} from '../../src/intent/gateway.ts';
import type { GatewayTenantIntent, GatewayUsersIntent } from '../../src/intent/gateway-policy.ts';
import { createDictionary, type Dictionary } from './dictionary.ts';
import { createNames, getName, type Names, removeName, setName } from './names.ts';
import { preparePolicy, prepareTenant, type RouterPolicy, type RouterTenant } from './policies.ts';
import {
  prepareAction,
  prepareBackend,
  prepareStream,
  type RouterAction,
  type RouterBackend,
  type RouterStream,
} from './prepared.ts';
import {
  addRule,
  createHostRules,
  type HostRules,
  type RouterRule,
  removeRule,
  routerRule,
} from './rules.ts';

export type RouterTable = {
  /** Of the change that came last; 0: nothing came yet. */
  generation: number;
  /** By `PROTOCOL/PORT`. */
  ports: Dictionary<GatewayPortIntent>;
  /**
   * By `KIND/SLOT`: the key in `ports` that the listening socket serves. One whose port went elsewhere goes on serving it until another port
   * takes the slot: the Service changes a moment after we do.
   */
  slots: Dictionary<string>;
  listeners: Dictionary<RouterListener>;
  /** By `PROTOCOL/PORT`: the listeners there, by hostname. */
  listenersOn: Dictionary<Names<RouterListener>>;
  rules: Dictionary<RouterRule>;
  actions: Dictionary<RouterAction>;
  streams: Dictionary<GatewayStreamIntent>;
  backends: Dictionary<RouterBackend>;
  certificates: Dictionary<GatewayCertificateIntent>;
  authorities: Dictionary<{ readonly certificates: string }>;
  identities: Dictionary<GatewayIdentityIntent>;
  policies: Dictionary<RouterPolicy>;
  users: Dictionary<GatewayUsersIntent>;
  /** By namespace. */
  tenants: Dictionary<RouterTenant>;
  firewallRules: Dictionary<{ readonly rules: string }>;
};

export type RouterListener = {
  readonly key: string;
  /** `undefined` while only rules or streams speak of it. */
  intent: GatewayListenerIntent | undefined;
  readonly hosts: Names<HostRules>;
  readonly streams: Names<RouterStream>;
};

export function createTable(): RouterTable {
  return {
    generation: 0,
    ports: createDictionary<GatewayPortIntent>(),
    slots: createDictionary<string>(),
    listeners: createDictionary<RouterListener>(),
    listenersOn: createDictionary<Names<RouterListener>>(),
    rules: createDictionary<RouterRule>(),
    actions: createDictionary<RouterAction>(),
    streams: createDictionary<GatewayStreamIntent>(),
    backends: createDictionary<RouterBackend>(),
    certificates: createDictionary<GatewayCertificateIntent>(),
    authorities: createDictionary<{ readonly certificates: string }>(),
    identities: createDictionary<GatewayIdentityIntent>(),
    policies: createDictionary<RouterPolicy>(),
    users: createDictionary<GatewayUsersIntent>(),
    tenants: createDictionary<RouterTenant>(),
    firewallRules: createDictionary<{ readonly rules: string }>(),
  };
}

/** False, and nothing is changed: it is a delta on another generation than the table's. */
export function applyChange(table: RouterTable, change: GatewayChange): boolean {
  if (change.replace) clear(table);
  else if (change.after !== table.generation) return false;
  table.generation = change.generation;
  const put = change.put;
  const remove = change.remove;

  drop(table.ports, remove.ports);
  const ports = given(put.ports);
  for (const key in ports) setPort(table, key, ports[key]!);

  // All that moves leaves its place first: two listeners may change hostnames with each other in one change.
  each(remove.listeners, table, leaveListener);
  const listeners = given(put.listeners);
  for (const key in listeners) leaveListener(table, key);
  for (const key in listeners) enterListener(table, key, listeners[key]!);

  each(remove.rules, table, leaveRule);
  const rules = given(put.rules);
  for (const key in rules) {
    leaveRule(table, key);
    enterRule(table, key, rules[key]!);
  }
  each(remove.streams, table, leaveStream);
  const streams = given(put.streams);
  for (const key in streams) leaveStream(table, key);
  for (const key in streams) enterStream(table, key, streams[key]!);

  drop(table.users, remove.users);
  store(table.users, put.users);
  drop(table.policies, remove.policies);
  const policies = given(put.policies);
  for (const key in policies) table.policies[key] = preparePolicy(key, policies[key]!);
  changeTenants(table, given(put.tenants), remove.tenants);

  drop(table.actions, remove.actions);
  const actions = given(put.actions);
  for (const key in actions) table.actions[key] = prepareAction(key, actions[key]!, table.tenants);
  drop(table.backends, remove.backends);
  const backends = given(put.backends);
  for (const key in backends) table.backends[key] = prepareBackend(key, backends[key]!, table.backends[key]);

  drop(table.certificates, remove.certificates);
  store(table.certificates, put.certificates);
  drop(table.authorities, remove.authorities);
  store(table.authorities, put.authorities);
  drop(table.identities, remove.identities);
  store(table.identities, put.identities);
  drop(table.firewallRules, remove.firewallRules);
  store(table.firewallRules, put.firewallRules);
  return true;
}

/** All but `slots`, which is about sockets that stay open. */
function clear(table: RouterTable): void {
  const empty = createTable();
  table.ports = empty.ports;
  table.listeners = empty.listeners;
  table.listenersOn = empty.listenersOn;
  table.rules = empty.rules;
  table.actions = empty.actions;
  table.streams = empty.streams;
  table.backends = empty.backends;
  table.certificates = empty.certificates;
  table.authorities = empty.authorities;
  table.identities = empty.identities;
  table.policies = empty.policies;
  table.firewallRules = empty.firewallRules;
  table.users = empty.users;
  table.tenants = empty.tenants;
}

function setPort(table: RouterTable, key: string, port: GatewayPortIntent): void {
  table.ports[key] = port;
  table.slots[`${port.kind}/${port.slot}`] = key;
}

/** Each action says itself whether its tenant is limited, so that a request of one that isn't need not ask. Tenants seldom change. */
function changeTenants(
  table: RouterTable,
  put: Readonly<Record<string, GatewayTenantIntent>>,
  remove: readonly string[] | undefined,
): void {
  let changed = remove !== undefined && remove.length > 0;
  drop(table.tenants, remove);
  for (const namespace in put) {
    table.tenants[namespace] = prepareTenant(namespace, put[namespace]!);
    changed = true;
  }
  if (!changed) return;
  for (const key in table.actions) {
    const action = table.actions[key]!;
    table.actions[key] = prepareAction(key, action.intent, table.tenants);
  }
}

function enterListener(table: RouterTable, key: string, intent: GatewayListenerIntent): void {
  const listener = listenerAt(table, key);
  listener.intent = intent;
  let names = table.listenersOn[intent.port];
  if (names === undefined) {
    names = createNames<RouterListener>();
    table.listenersOn[intent.port] = names;
  }
  setName(names, intent.hostname, listener);
}

function leaveListener(table: RouterTable, key: string): void {
  const listener = table.listeners[key];
  if (listener === undefined || listener.intent === undefined) return;
  const port = listener.intent.port;
  const hostname = listener.intent.hostname;
  const names = table.listenersOn[port];
  if (names !== undefined && getName(names, hostname) === listener) {
    removeName(names, hostname);
    if (names.size === 0) delete table.listenersOn[port];
  }
  listener.intent = undefined;
  forgetListener(table, listener);
}

function enterRule(table: RouterTable, key: string, intent: GatewayRuleIntent): void {
  const rule = routerRule(key, intent);
  table.rules[key] = rule;
  const hosts = listenerAt(table, rule.listener).hosts;
  let rules = getName(hosts, rule.host);
  if (rules === undefined) {
    rules = createHostRules();
    setName(hosts, rule.host, rules);
  }
  addRule(rules, rule);
}

function leaveRule(table: RouterTable, key: string): void {
  const rule = table.rules[key];
  if (rule === undefined) return;
  delete table.rules[key];
  const listener = listenerAt(table, rule.listener);
  const rules = getName(listener.hosts, rule.host);
  if (rules === undefined) return;
  removeRule(rules, rule);
  if (rules.size > 0) return;
  removeName(listener.hosts, rule.host);
  forgetListener(table, listener);
}

function enterStream(table: RouterTable, key: string, intent: GatewayStreamIntent): void {
  table.streams[key] = intent;
  setName(listenerAt(table, intent.listener).streams, intent.host, prepareStream(key, intent));
}

function leaveStream(table: RouterTable, key: string): void {
  const intent = table.streams[key];
  if (intent === undefined) return;
  delete table.streams[key];
  const listener = listenerAt(table, intent.listener);
  const stream = getName(listener.streams, intent.host);
  if (stream !== undefined && stream.key === key) removeName(listener.streams, intent.host);
  forgetListener(table, listener);
}

/** Rules and streams may be told of before their listener, or outlive it. */
function listenerAt(table: RouterTable, key: string): RouterListener {
  const known = table.listeners[key];
  if (known !== undefined) return known;
  const listener: RouterListener = {
    key,
    intent: undefined,
    hosts: createNames<HostRules>(),
    streams: createNames<RouterStream>(),
  };
  table.listeners[key] = listener;
  return listener;
}

function forgetListener(table: RouterTable, listener: RouterListener): void {
  if (listener.intent !== undefined || listener.hosts.size > 0 || listener.streams.size > 0) return;
  delete table.listeners[listener.key];
}

function each(
  keys: readonly string[] | undefined,
  table: RouterTable,
  leave: (this: void, table: RouterTable, key: string) => void,
): void {
  if (keys === undefined) return;
  for (let at = 0; at < keys.length; at++) leave(table, keys[at]!);
}

function drop<T>(dictionary: Dictionary<T>, keys: readonly string[] | undefined): void {
  if (keys === undefined) return;
  for (let at = 0; at < keys.length; at++) delete dictionary[keys[at]!];
}

function store<T>(dictionary: Dictionary<T>, put: Readonly<Record<string, T>> | undefined): void {
  const all = given(put);
  for (const key in all) dictionary[key] = all[key]!;
}

/** Lua walks through no `undefined`. */
function given<T>(put: Readonly<Record<string, T>> | undefined): Readonly<Record<string, T>> {
  return put === undefined ? {} : put;
}
