/** Whether an object already has all that is wished of it; pure. */

/**
 * True when everything in `wished` stands in `held` too. What else is in `held` (defaults, fields of others, further elements of lists
 * whose elements have a name) doesn't matter.
 */
export function covers(held: unknown, wished: unknown): boolean {
  if (Array.isArray(wished)) {
    if (!Array.isArray(held)) return false;
    const named = wished.every((each) => nameOf(each) !== undefined);
    if (!named) return held.length === wished.length && wished.every((each, at) => covers(held[at], each));
    const byName = new Map(held.map((each) => [nameOf(each), each]));
    return wished.every((each) => covers(byName.get(nameOf(each)), each));
  }
  if (typeof wished === 'object' && wished !== null) {
    if (typeof held !== 'object' || held === null) return isEmpty(wished);
    return Object.entries(wished).every(
      ([field, value]) => value === undefined || covers((held as Record<string, unknown>)[field], value),
    );
  }
  return held === wished;
}

/** `{}` and a field that isn't there say the same. */
function isEmpty(wished: object): boolean {
  return Object.values(wished).every(
    (value) => value === undefined || (typeof value === 'object' && value !== null && isEmpty(value)),
  );
}

function nameOf(element: unknown): string | undefined {
  const name = (element as { name?: unknown } | null | undefined)?.name;
  return typeof name === 'string' ? name : undefined;
}
