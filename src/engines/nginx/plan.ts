/** What nginx holds, what it is to hold ─► the parts of a change, in an order in which no part leaves a reference to nothing; pure. */
import { digest, type Entry, entryName, heldDomains, printEntry, printRemoval } from './objects.ts';

export type Operation =
  | { readonly kind: 'put'; readonly entry: Entry }
  | { readonly kind: 'remove'; readonly entry: Pick<Entry, 'domain' | 'key'> };

/** Bytes of a change that is said at once. A larger one comes in parts, so that no worker stands still for long. */
const partLimit = 128 * 1024;

/** What differs: `held` is by entryName, as `parseList` gives it. */
export function plan(
  held: ReadonlyMap<string, { readonly entry: Pick<Entry, 'domain' | 'key'>; readonly digest: string }>,
  wanted: ReadonlyMap<string, Entry>,
): Operation[] {
  const operations: Operation[] = [];
  for (const [name, entry] of wanted)
    if (held.get(name)?.digest !== digest(entry.text)) operations.push({ kind: 'put', entry });
  for (const [name, { entry }] of held) if (!wanted.has(name)) operations.push({ kind: 'remove', entry });
  return inOrder(operations);
}

/** What is referred to comes before what refers to it, and goes after it. */
export function inOrder(operations: readonly Operation[]): Operation[] {
  const place = (operation: Operation): number => {
    const index = heldDomains.indexOf(operation.entry.domain);
    return operation.kind === 'put' ? index : 2 * heldDomains.length - index;
  };
  return operations
    .map((operation) => ({ operation, place: place(operation) }))
    .sort((a, b) => a.place - b.place)
    .map(({ operation }) => operation);
}

/** Texts of parts, each at most `limit` bytes unless one entry alone is more; at least one. */
export function partsOf(operations: readonly Operation[], limit: number = partLimit): string[] {
  const parts: string[] = [];
  let lines: string[] = [];
  let size = 0;
  for (const operation of operations) {
    const line = print(operation);
    const length = Buffer.byteLength(line);
    if (size > 0 && size + length > limit) {
      parts.push(lines.join(''));
      lines = [];
      size = 0;
    }
    lines.push(line);
    size += length;
  }
  if (lines.length > 0 || parts.length === 0) parts.push(lines.join(''));
  return parts;
}

/** For reports: what was done, without what is in it. */
export function printOperation({ kind, entry }: Operation): string {
  return `${kind} ${entryName(entry)}`;
}

function print(operation: Operation): string {
  return operation.kind === 'put' ? printEntry(operation.entry) : printRemoval(operation.entry);
}
