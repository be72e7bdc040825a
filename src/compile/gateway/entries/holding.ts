/** Entries of one instance by who needs them: an entry goes when the last who needs it goes. */
import type { GatewayIntent } from '#intent/gateway.ts';
import { createDeltaOutput, type Delta } from '../../delta.ts';
import { byText } from '../age.ts';

export type Holding = {
  /** All that one of them needs, by domain and key, in place of what it needed before. Two who need the same say the same. */
  need(who: string, entries: Partial<GatewayIntent>): void;
  /** What changed since the last call; `undefined` when nothing did. */
  take(): Delta | undefined;
  whole(): GatewayIntent;
};

type Place = { readonly domain: keyof GatewayIntent; readonly key: string };

export function createHolding(): Holding {
  const output = createDeltaOutput();
  const needs = new Map<string, Map<string, Place>>();
  const entries = new Map<string, Place & { readonly by: Map<string, unknown> }>();
  const changed = new Map<string, Place>();

  /** While entries change it may be that two say different things: the first of them is heard, so that the order of changes is no matter. */
  const entryOf = (id: string): unknown => {
    const by = entries.get(id)?.by;
    if (by === undefined || by.size === 0) return undefined;
    if (by.size === 1) for (const entry of by.values()) return entry;
    return by.get([...by.keys()].sort(byText)[0] ?? '');
  };

  return {
    need(who, wanted) {
      const before = needs.get(who);
      const after = new Map<string, Place>();
      for (const domain of Object.keys(wanted) as (keyof GatewayIntent)[]) {
        for (const [key, entry] of Object.entries(wanted[domain] ?? {})) {
          const place = { domain, key };
          const id = `${domain} ${key}`;
          const known = entries.get(id) ?? { ...place, by: new Map<string, unknown>() };
          known.by.set(who, entry);
          entries.set(id, known);
          after.set(id, place);
          changed.set(id, place);
        }
      }
      for (const [id, place] of before ?? []) {
        if (after.has(id)) continue;
        const by = entries.get(id)?.by;
        by?.delete(who);
        if (by?.size === 0) entries.delete(id);
        changed.set(id, place);
      }
      if (after.size === 0) needs.delete(who);
      else needs.set(who, after);
    },
    take() {
      for (const [id, { domain, key }] of changed) output.set(domain, key, entryOf(id));
      changed.clear();
      return output.take();
    },
    whole() {
      const domains: Record<keyof GatewayIntent, [string, unknown][]> = {
        ports: [],
        listeners: [],
        rules: [],
        actions: [],
        streams: [],
        backends: [],
        certificates: [],
        authorities: [],
        identities: [],
        policies: [],
        users: [],
        tenants: [],
        firewallRules: [],
      };
      for (const [id, { domain, key }] of entries) domains[domain].push([key, entryOf(id)]);
      const sorted = Object.entries(domains).map(([domain, list]) => [
        domain,
        Object.fromEntries(list.sort(([a], [b]) => byText(a, b))),
      ]);
      return Object.fromEntries(sorted) as GatewayIntent;
    },
  };
}
