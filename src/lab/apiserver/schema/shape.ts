/** Gives a value the shape of its schema: unknown fields pruned, nulls dropped, defaults filled in. */
import type { Schema } from '../types.ts';
import { builtinDefinition } from './builtins.ts';
import { copy, isObject, put } from './plain.ts';
import { child, indexed } from './problems.ts';
import { canonicalQuantity } from './quantity.ts';

export type Shaped = { readonly value: unknown; readonly unknown: readonly string[] };

/**
 * Prunes and defaults as an API server does: fields of `properties` and `additionalProperties` stay, others only under
 * `x-kubernetes-preserve-unknown-fields`; null for a field that isn't nullable counts as absent; a default fills what is
 * absent, at every depth, also inside defaults and list items. Values of a wrong type are left for the checks to refuse.
 * `unknown` has the paths of what was pruned. The input stays as it is. At the root, apiVersion, kind and metadata are known.
 */
export function shape(schema: Schema, value: unknown): Shaped {
  const unknown: string[] = [];
  return { value: walk(asResource(schema), value, '', unknown), unknown };
}

/** Only defaults, for values that are already pruned, such as the defaults of a CRD themselves. */
export function withDefaults(schema: Schema, value: unknown): unknown {
  return walk(schema, value, '', []);
}

const resources = new WeakMap<Schema, Schema>();

/** The schema with apiVersion, kind and metadata as every API object has them; what the schema says of metadata is checked elsewhere. */
export function asResource(schema: Schema): Schema {
  let made = resources.get(schema);
  if (made === undefined) {
    const properties = {
      ...schema.properties,
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: builtinDefinition('ObjectMeta'),
    } as const;
    made = { ...schema, type: 'object', properties };
    resources.set(schema, made);
  }
  return made;
}

function walk(schema: Schema, value: unknown, path: string, unknown: string[]): unknown {
  if (Array.isArray(value)) {
    const items = schema.items;
    if (items === undefined) return copy(value);
    return value.map((each, i) => walk(items, each, indexed(path, i), unknown));
  }
  if (!isObject(value)) return schema.format === 'quantity' ? (canonicalQuantity(value) ?? value) : value;
  const known = schema['x-kubernetes-embedded-resource'] === true ? asResource(schema) : schema;
  return walkObject(known, value, path, unknown);
}

function walkObject(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  path: string,
  unknown: string[],
) {
  const { properties, additionalProperties } = schema;
  const keeps = schema['x-kubernetes-preserve-unknown-fields'] === true || additionalProperties === true;
  const typeless = schema.type !== undefined && schema.type !== 'object';
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    const given = value[key];
    const property =
      propertyOf(properties, key) ?? (isObject(additionalProperties) ? additionalProperties : undefined);
    if (property !== undefined) {
      if (given === null && !acceptsNull(property)) continue;
      put(out, key, walk(property, given, child(path, key), unknown));
    } else if (keeps || typeless) put(out, key, copy(given));
    else unknown.push(child(path, key));
  }
  if (properties !== undefined) fillDefaults(properties, out, path);
  return out;
}

function fillDefaults(
  properties: Readonly<Record<string, Schema>>,
  out: Record<string, unknown>,
  path: string,
) {
  for (const key of defaulted(properties)) {
    const property = properties[key]!;
    if (!Object.hasOwn(out, key)) put(out, key, walk(property, property.default, child(path, key), []));
  }
}

const defaultsOf = new WeakMap<object, readonly string[]>();

function defaulted(properties: Readonly<Record<string, Schema>>): readonly string[] {
  let keys = defaultsOf.get(properties);
  if (keys === undefined) {
    keys = Object.keys(properties).filter((key) => properties[key]!.default !== undefined);
    defaultsOf.set(properties, keys);
  }
  return keys;
}

export function propertyOf(
  properties: Readonly<Record<string, Schema>> | undefined,
  key: string,
): Schema | undefined {
  return properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined;
}

function acceptsNull(schema: Schema): boolean {
  if (schema.nullable === true) return true;
  const free = schema['x-kubernetes-preserve-unknown-fields'] === true;
  return free && schema.type === undefined && schema.properties === undefined;
}
