/** What a change of the intent really changes. */
import type { Domain, IntentChange, NodeIntent } from '#intent/node.ts';

export type Entries = { -readonly [D in Domain]: Map<string, NodeIntent[D][string]> };

/** By domain and key; `undefined` removes. Equal entries are left out, so that repeating costs no rule. */
export function changedKeys(entries: Entries, change: IntentChange): { [D in Domain]: Map<string, unknown> } {
  const result = {} as { [D in Domain]: Map<string, unknown> };
  for (const domain of Object.keys(entries) as Domain[]) {
    const changed = new Map<string, unknown>();
    result[domain] = changed;
    const put: Readonly<Record<string, unknown>> = change.put[domain] ?? {};
    if (change.replace && domain !== 'endpoints') {
      for (const key of entries[domain].keys()) if (!Object.hasOwn(put, key)) changed.set(key, undefined);
    }
    for (const key of change.remove[domain] ?? []) {
      if (entries[domain].has(key)) changed.set(key, undefined);
    }
    for (const [key, entry] of Object.entries(put)) {
      if (equal(entries[domain].get(key), entry)) changed.delete(key);
      else changed.set(key, entry);
    }
  }
  return result;
}

/** Equality of plain JSON. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const left = Object.entries(a);
  if (left.length !== Object.keys(b).length) return false;
  return left.every(([key, value]) => equal(value, (b as Record<string, unknown>)[key]));
}
