/** The intent as the engine keeps it, entry by entry. */
import type { IntentChange, NodeIntent } from '#intent/node.ts';
import { type LoweredDomain, loweredDomains } from './lower.ts';

export type Records = { [D in LoweredDomain]: Record<string, NodeIntent[D][string]> };

export function emptyRecords(): Records {
  const none = () => Object.create(null) as Record<string, never>;
  return {
    self: none(),
    subnets: none(),
    peers: none(),
    bgpNeighbors: none(),
    announcements: none(),
    endpoints: none(),
  };
}

/** Every entry as `domain/name`. */
export function* allEntries(intent: Records): Generator<string> {
  for (const domain of loweredDomains)
    for (const name of Object.keys(intent[domain])) yield `${domain}/${name}`;
}

/** Takes a change in; the entries that it names or, when it replaces, drops. */
export function merge(intent: Records, change: IntentChange): Set<string> {
  const changed = new Set<string>();
  for (const domain of loweredDomains) {
    const records: Record<string, unknown> = intent[domain];
    const put: Readonly<Record<string, unknown>> = change.put[domain] ?? {};
    const removed =
      change.replace && domain !== 'endpoints' ? Object.keys(records) : (change.remove[domain] ?? []);
    for (const name of removed) {
      delete records[name];
      changed.add(`${domain}/${name}`);
    }
    for (const [name, entry] of Object.entries(put)) {
      records[name] = entry;
      changed.add(`${domain}/${name}`);
    }
  }
  return changed;
}
