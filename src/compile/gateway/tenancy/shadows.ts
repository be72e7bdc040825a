/** Matches that no request ever reaches, since another one of the same listener and host is the same and comes first. */
import type { GatewayIntent, GatewayRuleIntent } from '#intent/gateway.ts';
import type { Origin } from '#intent/origin.ts';
import { byText } from '../age.ts';
import { condition } from '../listeners/listener-conditions.ts';
import type { GatewayCondition } from '../types.ts';

export type Shadows = {
  /** What a route says to a Gateway, in place of what it said before. `fields`: of its rules, where they were made of something else. */
  set(
    id: string,
    gateway: string,
    origin: Origin,
    rules: GatewayIntent['rules'],
    fields?: readonly (string | undefined)[],
  ): void;
  /** Routes of which something else may be so than before. */
  settle(): readonly string[];
  /** None: all of its matches can be reached. */
  conditions(id: string, gateway: string): readonly GatewayCondition[];
};

/** All of one route and Gateway; the rules are those that the data plane's holding has, so that an entry costs a few bytes more. */
type Told = {
  readonly id: string;
  readonly origin: Origin;
  readonly rules: GatewayIntent['rules'];
  readonly fields: readonly (string | undefined)[];
};
type Entry = { readonly told: Told; readonly rule: GatewayRuleIntent };

export function createShadows(): Shadows {
  const known = new Map<string, Told>();
  /** By what a match is like, as a number: two that are like each other have the same one, and very few others. */
  const buckets = new Map<number, Entry | readonly Entry[]>();
  const changed = new Set<string>();

  const entriesAt = (at: number): readonly Entry[] => {
    const found = buckets.get(at);
    return found === undefined ? [] : 'told' in found ? [found] : found;
  };
  const put = (at: number, entries: readonly Entry[]): void => {
    const [first] = entries;
    if (first === undefined) buckets.delete(at);
    else buckets.set(at, entries.length === 1 ? first : entries);
    if (entries.length > 0) for (const { told } of entries) changed.add(told.id);
  };
  const firstLike = (rule: GatewayRuleIntent): Entry | undefined => {
    const entries = entriesAt(numberOf(textOf(rule)));
    if (entries.length < 2) return undefined;
    const text = textOf(rule);
    const same = entries.filter((each) => textOf(each.rule) === text);
    return same.reduce((first, each) => (byText(each.rule.rank, first.rule.rank) < 0 ? each : first));
  };

  return {
    set(id, gateway, origin, rules, fields = []) {
      const before = known.get(`${id} ${gateway}`);
      for (const rule of Object.values(before?.rules ?? {})) {
        const at = numberOf(textOf(rule));
        const all = entriesAt(at);
        const rest = all.filter((each) => each.told !== before || each.rule !== rule);
        if (all.length > 1) put(at, rest);
        else buckets.delete(at);
      }
      const list = Object.values(rules);
      if (list.length === 0) {
        known.delete(`${id} ${gateway}`);
        return;
      }
      const told = { id, origin, rules, fields };
      known.set(`${id} ${gateway}`, told);
      for (const rule of list) {
        const at = numberOf(textOf(rule));
        const others = entriesAt(at);
        if (others.length === 0) buckets.set(at, { told, rule });
        else put(at, [...others, { told, rule }]);
      }
    },
    settle() {
      const result = [...changed].sort(byText);
      changed.clear();
      return result;
    },
    conditions(id, gateway) {
      const own = known.get(`${id} ${gateway}`);
      if (own === undefined) return [];
      const found = new Map<string, string>();
      for (const [key, rule] of Object.entries(own.rules)) {
        const first = firstLike(rule);
        if (first === undefined || first.rule === rule) continue;
        const place = placeOf(key, own.fields);
        if (!found.has(place))
          found.set(place, `${place}${atHost(rule)}: ${winnerText(own.origin, first.told.origin)}`);
      }
      if (found.size === 0) return [];
      return [condition('netloom.dev/Shadowed', 'True', 'MatchTaken', joined([...found.values()]))];
    },
  };
}

/** What is like what: all that a rule matches on, in an order of its own. */
function textOf({ listener, host, path, method, headers, query, clients }: GatewayRuleIntent): string {
  const values = (list: GatewayRuleIntent['headers']) =>
    list?.map(({ name, value, regex }) => JSON.stringify([name, value, regex])).sort(byText);
  return JSON.stringify([
    listener,
    host,
    path.type,
    path.value,
    path.loose,
    method,
    values(headers),
    values(query),
    clients,
  ]);
}

/** Of 53 bits: FNV-1a twice. */
function numberOf(text: string): number {
  let [low, high] = [0x811c9dc5, 0x01000193];
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    low = Math.imul(low ^ code, 0x01000193);
    high = Math.imul(high ^ (code + at), 0x85ebca6b);
  }
  return (high & 0x1fffff) * 0x1_0000_0000 + (low >>> 0);
}

/** A rule's key ends with its number and that of its match. */
function placeOf(key: string, fields: Told['fields']): string {
  const [rule = '', match = ''] = key.slice(key.lastIndexOf('|') + 1).split('.');
  return fields[Number(rule)] ?? `spec.rules[${rule}].matches[${match}]`;
}

function atHost({ host }: GatewayRuleIntent): string {
  return host === '' ? '' : ` at ${host}`;
}

/** Objects of other namespaces aren't named. */
function winnerText(own: Origin, winner: Origin): string {
  if (own.kind === winner.kind && own.namespace === winner.namespace && own.name === winner.name)
    return 'an earlier rule of it has the same match';
  return own.namespace === winner.namespace
    ? `${winner.kind} ${winner.name} has the same match, and comes first`
    : `a route of namespace ${winner.namespace} has the same match, and comes first`;
}

const shown = 8;

function joined(list: readonly string[]): string {
  const text = `Requests never reach ${list.slice(0, shown).join('; ')}`;
  return list.length > shown ? `${text}; and ${list.length - shown} more` : text;
}
