/** Two changes of what an instance holds, one after the other, as one; pure. */
import type { GatewayChanges } from '#compile/gateway/types.ts';
import type { GatewayChange } from '#intent/gateway.ts';

type Entries = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
type Removed = Readonly<Record<string, readonly string[]>>;

export type Delta = { readonly put: Entries; readonly remove: Removed };

/** What both do. An entry is in one of both parts only: whatever was said of it last. */
export function foldDeltas(first: Delta, second: Delta): Delta {
  const put: Record<string, Record<string, unknown>> = {};
  const remove: Record<string, string[]> = {};
  const domains = new Set(
    [first.put, first.remove, second.put, second.remove].flatMap((part) => Object.keys(part)),
  );
  for (const domain of domains) {
    const gone = new Set(first.remove[domain]);
    const entries = new Map(Object.entries(first.put[domain] ?? {}));
    for (const key of second.remove[domain] ?? []) {
      entries.delete(key);
      gone.add(key);
    }
    for (const [key, entry] of Object.entries(second.put[domain] ?? {})) {
      entries.set(key, entry);
      gone.delete(key);
    }
    if (entries.size > 0) put[domain] = Object.fromEntries(entries);
    if (gone.size > 0) remove[domain] = [...gone];
  }
  return { put, remove };
}

/** `second` follows `first`. A whole with a delta behind it is a whole. */
export function foldChanges(first: GatewayChange, second: GatewayChange): GatewayChange {
  if (second.replace) return second;
  const { put, remove } = foldDeltas(first as Delta, second as Delta);
  return {
    generation: second.generation,
    after: first.after,
    replace: first.replace,
    put,
    // What a whole does not name isn't there.
    remove: first.replace ? {} : remove,
  } as GatewayChange;
}

export function isEmptyDelta({ put, remove }: Delta): boolean {
  return Object.keys(put).length === 0 && Object.keys(remove).length === 0;
}

/** What the book said twice, one after the other. */
export function foldBooks(first: GatewayChanges, second: GatewayChanges): GatewayChanges {
  const instances = new Map(first.instances);
  for (const [instance, delta] of second.instances) {
    const before = instances.get(instance);
    instances.set(instance, delta === undefined || before === undefined ? delta : foldDeltas(before, delta));
  }
  return { instances, statuses: new Map([...first.statuses, ...second.statuses]) };
}
