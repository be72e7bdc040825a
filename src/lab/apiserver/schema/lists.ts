/** Lists of type set and map: unique items, keys, and which stored item an item goes on from. */
import type { FieldProblem, Schema } from '../types.ts';
import { canonical, get, isObject, type PlainObject } from './plain.ts';
import { duplicate, indexed } from './problems.ts';

/** Items of a set and keys of a map list are unique; so are items under `uniqueItems`. */
export function checkUnique(
  schema: Schema,
  value: readonly unknown[],
  path: string,
  problems: FieldProblem[],
) {
  const type = schema['x-kubernetes-list-type'];
  if (type !== 'set' && type !== 'map' && schema.uniqueItems !== true) return;
  const seen = new Set<string>();
  for (const [i, each] of value.entries()) {
    const key = type === 'map' ? mapListKey(schema, each) : each;
    if (key === undefined) continue;
    const text = canonical(key);
    if (seen.has(text)) problems.push(duplicate(indexed(path, i), key));
    seen.add(text);
  }
}

/** The key of an item of a list of type map, absent keys by their default; `undefined` when it isn't an object. */
export function mapListKey(schema: Schema, item: unknown): PlainObject | undefined {
  if (!isObject(item)) return undefined;
  const key: Record<string, unknown> = {};
  for (const name of (schema['x-kubernetes-list-map-keys'] as readonly string[] | undefined) ?? []) {
    const value = get(item, name) ?? schema.items?.properties?.[name]?.default;
    if (value !== undefined) key[name] = value;
  }
  return key;
}

/** Finds the stored item that an item goes on from: only lists of type map have such. */
export function oldItems(schema: Schema, old: unknown): (item: unknown) => unknown {
  if (schema['x-kubernetes-list-type'] !== 'map' || !Array.isArray(old)) return () => undefined;
  const byKey = new Map(old.map((each) => [canonical(mapListKey(schema, each)), each]));
  return (item) => byKey.get(canonical(mapListKey(schema, item)));
}
