/** What ModSecurity is told of a policy, and what is told of what it found. The rules themselves are constant, or a tenant's own as we print them. */
import type { GatewayFirewall } from '../../src/intent/gateway-policy.ts';

/** One rule that took a request. */
export type FirewallFinding = {
  readonly id: number;
  readonly message: string;
  /** Of syslog: 2 is critical. */
  readonly severity: number;
  /** Undefined: none. */
  readonly tags: readonly string[] | undefined;
  /** Where, and what there, shortened; of what may be a secret only where. */
  readonly matched: string;
};

/** A rule that is there, whoever wrote it. */
export type KnownRule = { readonly id: number; readonly tags: readonly string[] };

/** Directives of one policy: each takes memory for as long as its set is held. */
const mostDirectives = 2_000;

/**
 * Directives, to stand before the rules. `known`: all rules, in order: a target is left out of rules by their ids only, and a rule by its own id,
 * since those that decide have tags, too. `undefined`: what is asked for can't be said, and nothing may be served by it.
 */
export function firewallDirectives(
  firewall: GatewayFirewall,
  known: readonly KnownRule[],
): string | undefined {
  const level = firewall.paranoia;
  const threshold = firewall.threshold;
  if (!isWhole(level, 1, 4) || !isWhole(threshold, 1, 1_000_000)) return undefined;
  const lines = [
    firewall.mode === 'block' ? 'SecRuleEngine On' : 'SecRuleEngine DetectionOnly',
    `SecAction "id:200901,phase:1,nolog,pass,t:none,setvar:tx.paranoia_level=${level},setvar:tx.inbound_anomaly_score_threshold=${threshold}"`,
  ];
  for (const { rules, tags, target } of firewall.exclusions) {
    if (target !== undefined && !isTarget(target)) return undefined;
    const ranges = rules === undefined ? [] : rules;
    const names = tags === undefined ? [] : tags;
    if (ranges.length === 0 && names.length === 0) {
      if (target === undefined) return undefined;
      lines.push(`SecRuleUpdateTargetByTag "OWASP_CRS" "!${target}"`);
    }
    const said: Record<number, boolean | undefined> = {};
    for (const range of ranges) {
      const ends = rangeOf(range);
      if (ends === undefined) return undefined;
      for (const { id } of known) {
        if (id < ends.from || id > ends.to || isMachinery(id) || said[id] === true) continue;
        said[id] = true;
        lines.push(
          target === undefined ? `SecRuleRemoveById ${id}` : `SecRuleUpdateTargetById ${id} "!${target}"`,
        );
      }
    }
    for (const tag of names) {
      if (!isMadeOf(tag, tagCharacters, 64)) return undefined;
      // Rules that decide look at no part of a request, so they lose nothing by it.
      if (target !== undefined) lines.push(`SecRuleUpdateTargetByTag "${tag}" "!${target}"`);
      else
        for (const { id, tags } of known) {
          if (isMachinery(id) || said[id] === true || !tags.includes(tag)) continue;
          said[id] = true;
          lines.push(`SecRuleRemoveById ${id}`);
        }
    }
  }
  if (lines.length > mostDirectives) return undefined;
  return `${lines.join('\n')}\n`;
}

/** The rules in a file of rules, as they stand there: what is behind an id and before the next one is of that rule. */
export function knownRules(text: string): readonly KnownRule[] {
  const rules: KnownRule[] = [];
  let at = nextRule(text, 0);
  while (at !== -1) {
    let end = at + 3;
    while (isDigit(text.charCodeAt(end))) end += 1;
    const next = nextRule(text, end);
    const tags = tagsIn(text.slice(end, next === -1 ? text.length : next));
    rules.push({ id: Number(text.slice(at + 3, end)), tags });
    at = next;
  }
  return rules;
}

/**
 * Reads what ModSecurity says of a rule that matched. `server` is what it was told for the server's address: what a client sent can hold all else of
 * the line's form, so nothing behind it counts, nor anything before the last file's name in front of it (from there on quotes are escaped).
 */
export function findingOf(line: string, server: string): FirewallFinding | undefined {
  const end = line.indexOf(` [hostname "${server}"]`);
  if (end === -1) return undefined;
  const said = line.slice(0, end);
  let start = -1;
  let next = said.indexOf(file);
  while (next !== -1) {
    start = next;
    next = said.indexOf(file, start + 1);
  }
  if (start === -1) return undefined;
  const details = said.slice(start);
  const id = Number(fieldOf(details, 'id'));
  if (!isWhole(id, 1, 9_999_999)) return undefined;
  const data = fieldOf(details, 'data');
  const severity = fieldOf(details, 'severity');
  const tags: string[] = [];
  let at = details.indexOf(' [tag "');
  while (at !== -1) {
    const close = details.indexOf('"]', at + 7);
    if (close === -1) break;
    const tag = details.slice(at + 7, close);
    if (tag.indexOf('attack-') === 0 || tag.indexOf('paranoia-level/') === 0 || id < 200_000) tags.push(tag);
    at = details.indexOf(' [tag "', close);
  }
  return {
    id,
    message: fieldOf(details, 'msg').slice(0, 120),
    severity: isMadeOf(severity, digits, 1) ? Number(severity) : 5,
    // JSON in Lua can't tell an empty list from an empty object.
    tags: tags.length === 0 ? undefined : tags,
    matched: data === '' ? placeOf(said) : shortened(data),
  };
}

/** Rules by which the others begin, and by which is decided: without them nothing is blocked. */
function isMachinery(id: number): boolean {
  return (
    (id >= 200_000 && id < 200_100) ||
    (id >= 200_900 && id < 201_000) ||
    (id >= 901_000 && id < 902_000) ||
    (id >= 949_000 && id < 950_000)
  );
}

/** Where `id:` and a number stand next; -1: nowhere. */
function nextRule(text: string, from: number): number {
  let at = nextAction(text, 'id:', from);
  while (at !== -1 && !isDigit(text.charCodeAt(at + 3))) at = nextAction(text, 'id:', at + 1);
  return at;
}

/** `"id:942100,` and ` id:942100,`; not `uuid:1`. */
function nextAction(text: string, name: string, from: number): number {
  let at = text.indexOf(name, from);
  while (at > 0) {
    const before = text.charCodeAt(at - 1);
    if (before === 34 || before === 32 || before === 44) return at;
    at = text.indexOf(name, at + 1);
  }
  return at;
}

function tagsIn(actions: string): readonly string[] {
  const tags: string[] = [];
  let at = nextAction(actions, 'tag:', 0);
  while (at !== -1) {
    const begin = actions.charAt(at + 4) === "'" ? at + 5 : at + 4;
    let end = begin;
    while (end < actions.length && tagCharacters.indexOf(actions.charAt(end)) !== -1) end += 1;
    if (end > begin) tags.push(actions.slice(begin, end));
    at = nextAction(actions, 'tag:', end);
  }
  return tags;
}

const file = ' [file "';
const found = ' found within ';
const against = ' against variable `';
/** Names of what may hold a secret, wherever it is. */
const secrets = [
  'pass',
  'pwd',
  'secret',
  'token',
  'key',
  'auth',
  'session',
  'cookie',
  'credential',
  'request_body',
];
const matchedLimit = 100;

/** `Matched Data: WHAT found within WHERE: WHOLE`: the whole may be long, and not ours to tell. */
function shortened(data: string): string {
  const at = data.indexOf(found);
  if (at === -1) return data.slice(0, matchedLimit);
  const rest = data.slice(at + found.length);
  const colon = rest.indexOf(': ');
  const where = colon === -1 ? rest : rest.slice(0, colon);
  const lower = where.toLowerCase();
  for (const secret of secrets) if (lower.indexOf(secret) !== -1) return where.slice(0, matchedLimit);
  const begin = data.indexOf(': ');
  const what = begin === -1 || begin > at ? '' : data.slice(begin + 2, at);
  return `${where}: ${what}`.slice(0, matchedLimit);
}

/** Where, of a rule that says nothing of it. */
function placeOf(said: string): string {
  const begin = said.indexOf(against);
  if (begin === -1) return '';
  const rest = said.slice(begin + against.length);
  const end = rest.indexOf("' (Value");
  return end === -1 ? '' : rest.slice(0, end).slice(0, matchedLimit);
}

function fieldOf(details: string, name: string): string {
  const begin = details.indexOf(` [${name} "`);
  if (begin === -1) return '';
  const from = begin + name.length + 4;
  const close = details.indexOf('"]', from);
  return close === -1 ? '' : details.slice(from, close);
}

const digits = '0123456789';
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const tagCharacters = `${letters}${digits}-_/.:`;
const partCharacters = `${letters}${digits}-_.[]`;
/** What may be left out; each with `:NAME` behind it, or whole. */
const targets = [
  'ARGS',
  'ARGS_GET',
  'ARGS_GET_NAMES',
  'ARGS_NAMES',
  'ARGS_POST',
  'ARGS_POST_NAMES',
  'FILES',
  'FILES_NAMES',
  'REQUEST_BODY',
  'REQUEST_COOKIES',
  'REQUEST_COOKIES_NAMES',
  'REQUEST_FILENAME',
  'REQUEST_HEADERS',
  'REQUEST_HEADERS_NAMES',
  'REQUEST_URI',
  'XML',
];

function isTarget(text: string): boolean {
  const colon = text.indexOf(':');
  const name = colon === -1 ? text : text.slice(0, colon);
  if (!targets.includes(name)) return false;
  return colon === -1 || isMadeOf(text.slice(colon + 1), partCharacters, 128);
}

function rangeOf(text: string): { readonly from: number; readonly to: number } | undefined {
  const dash = text.indexOf('-');
  const first = dash === -1 ? text : text.slice(0, dash);
  const last = dash === -1 ? text : text.slice(dash + 1);
  if (!isMadeOf(first, digits, 7) || !isMadeOf(last, digits, 7)) return undefined;
  return { from: Number(first), to: Number(last) };
}

function isMadeOf(text: string, characters: string, longest: number): boolean {
  if (text === '' || text.length > longest) return false;
  for (let at = 0; at < text.length; at++) if (characters.indexOf(text.charAt(at)) === -1) return false;
  return true;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function isWhole(value: number, least: number, most: number): boolean {
  return value >= least && value <= most && Math.floor(value) === value;
}
