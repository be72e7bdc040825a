/** Maps that change entry by entry. */

/** Undefined removes. */
export function store<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

export function index(map: Map<string, Set<string>>, key: string, value: string, isIn: boolean): void {
  const values = map.get(key) ?? new Set();
  if (isIn) map.set(key, values.add(value));
  else if (values.delete(value) && values.size === 0) map.delete(key);
}
