/** What is left when some entries stop wanting things and others start: elements and chains that several entries share are counted. */
import type { Element } from './objects.ts';
import { sharedSets } from './sets.ts';

/** How many entries want an element of a shared set (`SET KEY`) or a shared chain or counter (`chain NAME`). */
export type References = Map<string, number>;

type Slot = { readonly element: Element; held: string | undefined; after: string | undefined };

/** What is left of removing and adding: an element wanted before and after in the same way is untouched. */
export function net(
  references: References,
  removed: readonly Element[],
  added: readonly Element[],
): { readonly removed: readonly Element[]; readonly added: readonly Element[] } {
  const slots = new Map<string, Slot>();
  const slot = (element: Element): Slot => {
    const id = `${element.set} ${element.key}`;
    let found = slots.get(id);
    if (found === undefined) {
      const held = references.has(id) ? '' : undefined;
      found = { element, held, after: held };
      slots.set(id, found);
    }
    return found;
  };
  for (const element of removed) {
    const each = slot(element);
    if (sharedSets.has(element.set)) {
      if (count(references, `${element.set} ${element.key}`, -1) === 0) each.after = undefined;
    } else {
      each.held = element.data ?? '';
      each.after = undefined;
    }
  }
  for (const element of added) {
    const each = slot(element);
    if (sharedSets.has(element.set)) count(references, `${element.set} ${element.key}`, 1);
    each.after = element.data ?? '';
  }
  const result = { removed: [] as Element[], added: [] as Element[] };
  for (const { element, held, after } of slots.values()) {
    if (held === after) continue;
    const data = (text: string) => (text === '' ? {} : { data: text });
    if (held !== undefined) result.removed.push({ set: element.set, key: element.key, ...data(held) });
    if (after !== undefined) result.added.push({ set: element.set, key: element.key, ...data(after) });
  }
  return result;
}

/** Of what is known by its name alone and wanted by several entries. */
export function netNames(
  references: References,
  kind: 'chain' | 'counter',
  removed: readonly string[],
  added: readonly string[],
): { readonly removed: readonly string[]; readonly added: readonly string[] } {
  const held = new Map<string, boolean>();
  for (const name of [...removed, ...added]) held.set(name, references.has(`${kind} ${name}`));
  for (const name of removed) count(references, `${kind} ${name}`, -1);
  for (const name of added) count(references, `${kind} ${name}`, 1);
  const now = (name: string) => references.has(`${kind} ${name}`);
  return {
    removed: [...held].filter(([name, was]) => was && !now(name)).map(([name]) => name),
    added: [...held].filter(([name, was]) => !was && now(name)).map(([name]) => name),
  };
}

function count(references: References, id: string, by: 1 | -1): number {
  const now = (references.get(id) ?? 0) + by;
  if (now === 0) references.delete(id);
  else references.set(id, now);
  return now;
}
