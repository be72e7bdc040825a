/** Values seen through their schema as trees of fields, map keys and keyed list items: field sets, merge, comparison, removal. */

import { mapListKey } from '../schema/lists.ts';
import { canonical, copy, equal, get, isObject, type PlainObject, put } from '../schema/plain.ts';
import { asResource, propertyOf } from '../schema/shape.ts';
import type { Schema } from '../types.ts';
import { below, emptySet, type FieldSet, fieldSet } from './fieldset.ts';

/** What a value is to a merge: one indivisible thing, a map or struct of fields, or a list of keyed items. */
type Kind = 'leaf' | 'fields' | 'items';

type Entry = {
  readonly element: string;
  readonly value: unknown;
  readonly schema: Schema;
  readonly named: boolean;
};

/** Free-form content: maps merge by key, lists are atomic. */
const deduced: Schema = { 'x-kubernetes-preserve-unknown-fields': true };

function kindOf(schema: Schema, value: unknown): Kind {
  if (Array.isArray(value)) return listType(schema) === 'atomic' ? 'leaf' : 'items';
  return isObject(value) && schema['x-kubernetes-map-type'] !== 'atomic' ? 'fields' : 'leaf';
}

function listType(schema: Schema): 'atomic' | 'set' | 'map' {
  const type = schema['x-kubernetes-list-type'];
  if (type === 'set' || type === 'map') return type;
  return 'atomic';
}

/** The parts of a value, in order; nothing for a leaf. */
function entries(schema: Schema, value: unknown): readonly Entry[] {
  const kind = kindOf(schema, value);
  if (kind === 'leaf') return [];
  if (kind === 'fields') {
    const fields = value as PlainObject;
    return Object.keys(fields).map((key) => ({
      element: `f:${key}`,
      value: fields[key],
      ...fieldOf(schema, key),
    }));
  }
  const items = schema.items ?? deduced;
  return (value as readonly unknown[]).map((item) => ({
    element: itemElement(schema, item),
    value: item,
    schema: items,
    named: false,
  }));
}

function fieldOf(given: Schema, key: string): { readonly schema: Schema; readonly named: boolean } {
  const schema = given['x-kubernetes-embedded-resource'] === true ? asResource(given) : given;
  const property = propertyOf(schema.properties, key);
  if (property !== undefined) return { schema: property, named: true };
  const rest = schema.additionalProperties;
  return { schema: isObject(rest) ? (rest as Schema) : deduced, named: false };
}

function itemElement(schema: Schema, item: unknown): string {
  if (listType(schema) === 'set') return `v:${canonical(item)}`;
  return `k:${canonical(mapListKey(schema, item) ?? item)}`;
}

/** Every field that a value sets: its leaves, its list items, its map keys, and its empty objects. */
export function toFieldSet(schema: Schema, value: unknown): FieldSet {
  const members: string[] = [];
  const children: (readonly [string, FieldSet])[] = [];
  for (const entry of entries(schema, value)) {
    const leaf = kindOf(entry.schema, entry.value) === 'leaf';
    const hollow = isObject(entry.value) && Object.keys(entry.value).length === 0;
    const listItem = !entry.element.startsWith('f:');
    // An empty list of keyed items sets nothing: nobody owns it.
    const list = Array.isArray(entry.value) && !leaf;
    if (leaf || hollow || listItem || (!entry.named && !list)) members.push(entry.element);
    children.push([entry.element, toFieldSet(entry.schema, entry.value)]);
  }
  return fieldSet(members, children);
}

/** The set with every struct field that has something below it as a member too, so that removal can take it when nothing is left. */
export function withNamedParents(schema: Schema, value: unknown, set: FieldSet): FieldSet {
  const members = new Set(set.members);
  const children: (readonly [string, FieldSet])[] = [];
  const byElement = new Map(entries(schema, value).map((entry) => [entry.element, entry]));
  for (const [element, child] of set.children) {
    const entry = byElement.get(element);
    if (entry?.named === true) members.add(element);
    children.push([
      element,
      entry === undefined ? child : withNamedParents(entry.schema, entry.value, child),
    ]);
  }
  return fieldSet(members, children);
}

/** Lays a configuration over a value: leaves replace, structs and maps merge by key, keyed lists by item in the configuration's order. */
export function mergeTyped(schema: Schema, live: unknown, config: unknown): unknown {
  const kind = kindOf(schema, config);
  if (kind === 'leaf' || kindOf(schema, live) !== kind) return copy(config);
  if (kind === 'items') return mergeItems(schema, entries(schema, live), entries(schema, config));
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(live as PlainObject)) put(out, key, (live as PlainObject)[key]);
  for (const entry of entries(schema, config)) {
    const key = entry.element.slice(2);
    put(
      out,
      key,
      Object.hasOwn(out, key) ? mergeTyped(entry.schema, out[key], entry.value) : copy(entry.value),
    );
  }
  return out;
}

function mergeItems(schema: Schema, live: readonly Entry[], config: readonly Entry[]): readonly unknown[] {
  const inLive = new Map(live.map((entry) => [entry.element, entry]));
  const inConfig = new Set(config.map((entry) => entry.element));
  const out: unknown[] = [];
  let next = 0;
  const take = (entry: Entry) => {
    const before = inLive.get(entry.element);
    out.push(
      before === undefined
        ? copy(entry.value)
        : mergeTyped(schema.items ?? deduced, before.value, entry.value),
    );
  };
  // What only the server has keeps its place before the shared item that follows it.
  for (const entry of live) {
    if (!inConfig.has(entry.element)) out.push(entry.value);
    else {
      const at = config.findIndex((each, i) => i >= next && each.element === entry.element);
      if (at === -1) continue;
      for (const each of config.slice(next, at + 1)) take(each);
      next = at + 1;
    }
  }
  for (const each of config.slice(next)) take(each);
  return out;
}

export type Comparison = {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
};

/** What changed from one value to another, field by field; an added or removed part counts with all that is below it. */
export function compareTyped(schema: Schema, before: unknown, after: unknown): Comparison {
  const old = new Map(entries(schema, before).map((entry) => [entry.element, entry]));
  const now = new Map(entries(schema, after).map((entry) => [entry.element, entry]));
  const sets = { added: new Parts(), modified: new Parts(), removed: new Parts() };
  for (const [element, entry] of now) {
    const was = old.get(element);
    if (was === undefined) sets.added.put(element, everything(entry.schema, entry.value));
    else compareEntry(element, was, entry, sets);
  }
  for (const [element, was] of old) {
    if (!now.has(element)) sets.removed.put(element, everything(was.schema, was.value));
  }
  return { added: sets.added.set(), modified: sets.modified.set(), removed: sets.removed.set() };
}

type PartsOf = { readonly added: Parts; readonly modified: Parts; readonly removed: Parts };

function compareEntry(element: string, was: Entry, entry: Entry, sets: PartsOf): void {
  const kind = kindOf(entry.schema, entry.value);
  if (kind === kindOf(was.schema, was.value) && kind !== 'leaf') {
    const inner = compareTyped(entry.schema, was.value, entry.value);
    for (const name of ['added', 'modified', 'removed'] as const) sets[name].descend(element, inner[name]);
  } else if (!equal(was.value, entry.value)) {
    sets.modified.put(element, everything(entry.schema, entry.value));
    sets.removed.descend(element, everything(was.schema, was.value));
  }
}

/** Members and children on their way to a set. */
class Parts {
  readonly #members = new Set<string>();
  readonly #children: (readonly [string, FieldSet])[] = [];

  put(element: string, child: FieldSet): void {
    this.#members.add(element);
    this.descend(element, child);
  }

  descend(element: string, child: FieldSet): void {
    this.#children.push([element, child]);
  }

  set(): FieldSet {
    return fieldSet(this.#members, this.#children);
  }
}

/** All paths of a value, structs and maps included. */
function everything(schema: Schema, value: unknown): FieldSet {
  const parts = entries(schema, value);
  return fieldSet(
    parts.map((entry) => entry.element),
    parts.map((entry) => [entry.element, everything(entry.schema, entry.value)] as const),
  );
}

/**
 * The value without the fields and items of a set; a member goes with all that is below it, and what is empty after that goes
 * as well, unless it is in `kept`.
 */
export function removeFields(
  schema: Schema,
  value: unknown,
  set: FieldSet,
  kept: FieldSet = emptySet,
): unknown {
  if (set.members.size === 0 && set.children.size === 0) return value;
  const kind = kindOf(schema, value);
  if (kind === 'leaf') return value;
  const left = entries(schema, value).filter((entry) => !set.members.has(entry.element));
  const inner = (entry: Entry) =>
    removeFields(entry.schema, entry.value, below(set, entry.element), below(kept, entry.element));
  if (kind === 'items') return left.map(inner);
  const out: Record<string, unknown> = {};
  for (const entry of left) {
    const part = inner(entry);
    const emptied = isHollow(part) && !isHollow(entry.value);
    if (!emptied || kept.members.has(entry.element)) put(out, entry.element.slice(2), part);
  }
  return out;
}

function isHollow(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : isObject(value) && Object.keys(value).length === 0;
}

/** The elements that lead to a value's field by plain names, for example `metadata`, `labels`. */
export function setOfFields(...all: readonly (readonly string[])[]): FieldSet {
  const heads = new Map<string, (readonly string[])[]>();
  const members: string[] = [];
  for (const [head, ...rest] of all) {
    if (head === undefined) continue;
    if (rest.length === 0) members.push(`f:${head}`);
    else heads.set(`f:${head}`, [...(heads.get(`f:${head}`) ?? []), rest]);
  }
  return members.length === 0 && heads.size === 0
    ? emptySet
    : fieldSet(
        members,
        [...heads].map(([element, rest]) => [element, setOfFields(...rest)] as const),
      );
}

/** A field of an object that may not be one. */
export function fieldAt(value: unknown, key: string): unknown {
  return isObject(value) ? get(value, key) : undefined;
}
