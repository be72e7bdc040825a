/**
 * Rules as ModSecurity holds them in this worker: the Core Rule Set once (14 MB, read when the first policy asks for it), and for each thing that
 * policies say a set of its own that refers to it (some 30 kB). So a policy changes without a reload, and nobody's rules are in another's set.
 */
import type { GatewayFirewall } from '../../../src/intent/gateway-policy.ts';
import { firewallDirectives, type KnownRule, knownRules, type RouterTable } from '../main.ts';
import { dropRuleSet, makeRuleSet, type RuleSet } from './modsecurity.ts';

const base = '/opt/netloom/src/engines/nginx/waf/base.conf';
/** Behind all others. */
const last = '/opt/netloom/src/engines/nginx/waf/last.conf';
const directory = '/usr/share/modsecurity-crs/rules';
/** Of requests, and what is of use without an address's history. */
const files = [
  'REQUEST-901-INITIALIZATION',
  'REQUEST-911-METHOD-ENFORCEMENT',
  'REQUEST-913-SCANNER-DETECTION',
  'REQUEST-920-PROTOCOL-ENFORCEMENT',
  'REQUEST-921-PROTOCOL-ATTACK',
  'REQUEST-922-MULTIPART-ATTACK',
  'REQUEST-930-APPLICATION-ATTACK-LFI',
  'REQUEST-931-APPLICATION-ATTACK-RFI',
  'REQUEST-932-APPLICATION-ATTACK-RCE',
  'REQUEST-933-APPLICATION-ATTACK-PHP',
  'REQUEST-934-APPLICATION-ATTACK-NODEJS',
  'REQUEST-941-APPLICATION-ATTACK-XSS',
  'REQUEST-942-APPLICATION-ATTACK-SQLI',
  'REQUEST-943-APPLICATION-ATTACK-SESSION-FIXATION',
  'REQUEST-944-APPLICATION-ATTACK-JAVA',
  'REQUEST-949-BLOCKING-EVALUATION',
];
/** Sets that are kept; they are made anew in a tenth of a millisecond, or some for large ones. */
const setLimit = 128;
/** Bytes of text that they are made of together: ten times that in memory. What needs more is made for its request, and held until the next. */
const textLimit = 1024 * 1024;

type Held = {
  readonly firewall: GatewayFirewall;
  /** What each of its own rules is; `undefined`: it isn't there. */
  readonly own: readonly (string | undefined)[];
  readonly set: RuleSet | undefined;
  readonly size: number;
  readonly uses: Uses;
};

/** What looks at requests by one set. */
type Uses = {
  /** Of each request: the thread sets it to 0, also when nobody waits for the answer any more. */
  readonly busy: Busy[];
  /** Somebody didn't wait: that a cell is 0 is not yet to know that the thread has let go. */
  left: boolean;
};

/** To be given back by `endUse` when the thread's answer is there. */
export type RuleUse = { readonly cell: Busy; readonly among: Busy[] };

/** An int. */
export type Busy = FFICells<number>;

const ffi = require('ffi') as FFI;

type CoreRules = { readonly set: RuleSet; readonly rules: readonly KnownRule[] };
let core: CoreRules | undefined;
/** By key of the policy. */
const held: Record<string, Held | undefined> = {};
/** Nobody's any more, but a thread may be at work by them. `idle`: nothing was when it was last looked. */
let retired: { readonly set: RuleSet; readonly busy: Busy[]; idle: boolean }[] = [];
let count = 0;
let size = 0;

/** `undefined`: it can't be made, which is logged, and nothing may pass that is to be blocked. */
export function ruleSetOf(key: string, firewall: GatewayFirewall, table: RouterTable): RuleSet | undefined {
  const known = held[key];
  if (known !== undefined) {
    if (known.firewall === firewall && isCurrent(known, table)) return known.set;
    forget(key, known);
  }
  const own: (string | undefined)[] = [];
  const names = namesOf(firewall);
  for (let at = 0; at < names.length; at++) own[at] = table.firewallRules[names[at]!]?.rules;
  const [made, value] = pcall(() => make(firewall, names, table));
  if (!made) ngx.log(ngx.ERR, 'rules of the firewall can not be used: ', key, ': ', tostring(value));
  const found = made ? (value as Made) : { set: undefined, size: 0 };
  if (count >= setLimit || size + found.size > textLimit) forgetAll();
  held[key] = { firewall, own, set: found.set, size: found.size, uses: { busy: [], left: false } };
  count += 1;
  size += found.size;
  return found.set;
}

/** Of the set that `ruleSetOf` just gave: it stays until the thread is done. */
export function useRuleSet(key: string): RuleUse {
  const { uses } = held[key]!;
  const { busy } = uses;
  while (busy.length > 0 && busy[0]![0] === 0) {
    busy.shift();
    uses.left = true;
  }
  const cell = ffi.new<number>('int[1]');
  cell[0] = 1;
  busy.push(cell);
  return { cell, among: busy };
}

/** Who has the thread's answer knows that it has let go. */
export function endUse({ cell, among }: RuleUse): void {
  for (let at = 0; at < among.length; at++) {
    if (among[at] !== cell) continue;
    among[at] = among[among.length - 1]!;
    among.pop();
    return;
  }
}

/** By a timer. */
export function dropRetiredRules(): void {
  if (retired.length === 0) return;
  const kept: typeof retired = [];
  for (const one of retired) {
    const idle = !isBusy(one.busy);
    // A look apart: what the thread wrote before it said so has come to all processors by then.
    if (idle && one.idle) dropRuleSet(one.set);
    else kept.push({ ...one, idle });
  }
  retired = kept;
}

function isBusy(busy: readonly Busy[]): boolean {
  for (const cell of busy) if (cell[0] !== 0) return true;
  return false;
}

type Made = { readonly set: RuleSet | undefined; readonly size: number };

function forget(key: string, one: Held): void {
  if (one.set !== undefined) {
    const { busy, left } = one.uses;
    if (busy.length === 0 && !left) dropRuleSet(one.set);
    else retired.push({ set: one.set, busy, idle: false });
  }
  delete held[key];
  count -= 1;
  size -= one.size;
}

function forgetAll(): void {
  const keys: string[] = [];
  for (const key in held) keys.push(key);
  for (const key of keys) forget(key, held[key]!);
}

/** Whether its own rules are still those that it was made of. */
function isCurrent({ firewall, own }: Held, table: RouterTable): boolean {
  const names = namesOf(firewall);
  for (let at = 0; at < names.length; at++)
    if (table.firewallRules[names[at]!]?.rules !== own[at]) return false;
  return true;
}

function namesOf(firewall: GatewayFirewall): readonly string[] {
  return firewall.rules === undefined ? [] : firewall.rules;
}

function make(this: void, firewall: GatewayFirewall, names: readonly string[], table: RouterTable): Made {
  const core = coreRules();
  const own: string[] = [];
  const known = [...core.rules];
  for (const name of names) {
    const rules = table.firewallRules[name];
    if (rules === undefined) error(`${name} is not there`);
    own.push(rules.rules);
    for (const rule of knownRules(rules.rules)) known.push(rule);
  }
  const directives = firewallDirectives(firewall, known);
  if (directives === undefined) error('its settings can not be said');
  const text = `${directives}${own.join('\n')}\n`;
  return { set: makeRuleSet([{ text }, { set: core.set }]), size: text.length };
}

function coreRules(): CoreRules {
  if (core !== undefined) return core;
  const paths = [base];
  for (const file of files) paths.push(`${directory}/${file}.conf`);
  paths.push(last);
  const parts: { readonly path: string }[] = [];
  const rules: KnownRule[] = [];
  for (const path of paths) {
    parts.push({ path });
    const [file] = io.open(path, 'r');
    const text = file === undefined ? undefined : file.read('*a');
    if (file !== undefined) file.close();
    if (text !== undefined) for (const rule of knownRules(text)) rules.push(rule);
  }
  core = { set: makeRuleSet(parts), rules };
  return core;
}
