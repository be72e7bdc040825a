/** Walks a packet through the policy chains as the kernel does, for tests: the rules' own text is what is followed. */
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { parseRange, rangeHas } from '#net/range.ts';
import { handleText } from './lower-policy.ts';
import type { Chain } from './objects.ts';
import { classChainOnDemand, markedItself, policyChains } from './policy-chains.ts';
import type { Connection, PolicyVerdict } from './verdict.ts';

/** Elements by set, then data by key. */
export type Held = ReadonlyMap<string, ReadonlyMap<string, string>>;

type Walk = {
  readonly held: Held;
  readonly packet: Connection;
  priority: number;
  logged: boolean;
  /** Names of the counters of rules, in order. */
  readonly counted: string[];
};

const chainsBy = [false, true].map(
  (audits) => new Map(policyChains(audits).map((chain) => [chain.name, chain])),
);

/** Begins at one chain after the other, with `priority` as it is found; ends with what the last says. */
export function walk(
  held: Held,
  packet: Connection,
  from: readonly string[],
  priority = 0,
  counted: string[] = [],
): PolicyVerdict {
  const state: Walk = { held, packet, priority, logged: false, counted };
  for (const name of from) {
    if (packet.from === packet.to) state.priority = numberOf(markedItself);
    if (follow(state, name) === 'drop') return 'deny';
  }
  return state.logged ? 'audit' : 'allow';
}

function chainOf({ held }: Walk, name: string): Chain {
  const audits = (held.get('policyAudited')?.size ?? 0) > 0;
  const chain = chainsBy[audits ? 1 : 0]!.get(name) ?? classChainOnDemand(name);
  if (chain === undefined) throw new Error(`no chain ${name}`);
  return chain;
}

function follow(state: Walk, name: string): 'drop' | 'end' {
  for (const { statement } of chainOf(state, name).rules) {
    const verdict = ruleVerdict(state, statement);
    if (verdict === undefined) continue;
    if (verdict === 'drop') return 'drop';
    if (verdict === 'return') return 'end';
    const [how, target] = verdict.split(' ') as ['goto' | 'jump', string];
    const result = follow(state, target);
    if (how === 'goto' || result === 'drop') return result;
  }
  return 'end';
}

const field = '(?:meta priority(?: \\| [0-9a-f]+:0)?|meta l4proto|th dport|ip6? [sd]addr)';
const key = `${field}(?: \\. ${field})*`;

/** What part of a rule does: false, the rule doesn't match; a verdict; or undefined, and the next part follows. */
type Part = (state: Walk, ...groups: readonly string[]) => string | false | undefined;

const parts: readonly (readonly [RegExp, Part])[] = (
  [
    [
      `meta priority set (${key}) map @(\\w+)`,
      (state, fields, set) => {
        const data = look(state, fields!, set!);
        if (data === undefined) return false;
        state.priority = numberOf(data);
      },
    ],
    [
      'meta priority set meta priority ([|&]) (\\S+)',
      (state, operator, text) => {
        const operand = numberOf(text!);
        state.priority = (operator === '|' ? state.priority | operand : state.priority & operand) >>> 0;
      },
    ],
    [
      'meta priority set (none|[0-9a-f]+:[0-9a-f]+)',
      (state, text) => {
        state.priority = numberOf(text!);
      },
    ],
    ['meta priority (ffff:2)', (state, text) => (state.priority === numberOf(text!) ? undefined : false)],
    ['meta priority != none', (state) => (state.priority === 0 ? false : undefined)],
    [
      'limit rate \\S+ burst \\d+ packets log prefix "[^"]*" group \\d+ snaplen \\d+',
      (state) => {
        state.logged = true;
      },
    ],
    [`(${key}) vmap @(\\w+)`, (state, fields, set) => look(state, fields!, set!) ?? false],
    [
      `(${key}) (!= )?@(\\w+)`,
      (state, fields, not, set) => {
        const found = look(state, fields!, set!) !== undefined;
        return found === (not !== undefined) ? false : undefined;
      },
    ],
    [
      'meta l4proto (\\d+)',
      (state, number) => (state.packet.protocol === Number(number) ? undefined : false),
    ],
    [
      `counter name (${key}) map @(\\w+)`,
      (state, fields, set) => {
        const data = look(state, fields!, set!);
        if (data === undefined) return false;
        state.counted.push(data.slice(1, -1));
      },
    ],
    ['counter name "\\w+"', () => undefined],
    ['(drop|return|(?:goto|jump) \\w+)', (_, verdict) => verdict],
  ] satisfies [string, Part][]
).map(([pattern, part]) => [new RegExp(`^${pattern}(?: |$)`), part]);

/** What a rule decides; undefined: it doesn't match, or goes on. */
function ruleVerdict(state: Walk, statement: string): string | undefined {
  // Of errors nothing is asked here.
  if (statement.startsWith('icmp')) return undefined;
  for (let rest = statement; rest !== ''; ) {
    const matching = parts.find(([pattern]) => pattern.test(rest));
    if (matching === undefined) throw new Error(`what is ${statement}?`);
    const [whole, ...groups] = matching[0].exec(rest)!;
    const result = matching[1](state, ...groups);
    if (result === false) return undefined;
    if (result !== undefined) return result;
    rest = rest.slice(whole.length);
  }
  return undefined;
}

function look(state: Walk, fields: string, set: string): string | undefined {
  const values = fields.split(' . ').map((name) => fieldOf(state, name));
  if (values.includes(undefined)) return undefined;
  const text = values.join(' . ');
  const elements = state.held.get(set) ?? new Map<string, string>();
  const exact = elements.get(text);
  if (exact !== undefined || !/Prefixes|Subnets|Ranges/.test(set)) return exact;
  return [...elements].find(([element]) => covers(element, text))?.[1];
}

function fieldOf({ packet, priority }: Walk, name: string): string | undefined {
  if (name.startsWith('meta priority')) {
    const [, more = 'none'] = name.split(' | ');
    return handleText((priority | numberOf(more)) >>> 0);
  }
  if (name === 'meta l4proto') return String(packet.protocol);
  if (name === 'th dport') return String(packet.port);
  const address = name.endsWith('saddr') ? packet.from : packet.to;
  return address.includes(':') === name.startsWith('ip6') ? address : undefined;
}

function covers(element: string, text: string): boolean {
  const ports = /^(.* \. )(\d+)-(\d+)$/.exec(element);
  if (ports !== null) {
    const [, of = '', first, last] = ports;
    const port = Number(text.slice(of.length));
    return text.startsWith(of) && Number(first) <= port && port <= Number(last);
  }
  const addr = parseAddr(text);
  if (addr === undefined) return false;
  const prefix = parsePrefix(element);
  if (prefix !== undefined) return prefixHas(prefix, addr);
  const range = parseRange(element);
  return range !== undefined && rangeHas(range, addr);
}

function numberOf(handle: string): number {
  if (handle === 'none') return 0;
  const [major = '', minor = ''] = handle.split(':');
  return Number.parseInt(major, 16) * 65_536 + Number.parseInt(minor, 16);
}
