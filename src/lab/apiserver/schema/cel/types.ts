/** Schemas as CEL types, and JSON values as values of these types. */
import type { Environment } from '@marcbachmann/cel-js';
import type { Schema } from '../../types.ts';
import { canonical, isObject } from '../plain.ts';
import { listConcat, listEqual, tagList } from './functions.ts';

/** A type by its CEL name, with the way from JSON; `fields`, `items` and `values` lead to the parts' types. */
export type CelType = {
  readonly name: string;
  readonly of: (json: unknown) => unknown;
  /** By the name in JSON. */
  readonly fields?: ReadonlyMap<string, CelType>;
  readonly items?: CelType;
  readonly values?: CelType;
};

type FieldRecord = Record<string, unknown>;

const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

/** A property's name as rules write it; `undefined` when no rule can name it. */
export function fieldName(property: string): string | undefined {
  if (reserved.has(property)) return `__${property}__`;
  if (!/^[A-Za-z_./-][A-Za-z0-9_./-]*$/.test(property)) return undefined;
  const escaped = property.replaceAll(/__|[./-]/g, (found) => {
    const names: Readonly<Record<string, string>> = {
      __: 'underscores',
      '.': 'dot',
      '-': 'dash',
      '/': 'slash',
    };
    return `__${names[found]}__`;
  });
  return escaped;
}

/** Declares a schema's types in an environment. `root` adds apiVersion, kind and metadata's names, as every resource has them. */
export function celTypeOf(environment: Environment, schema: Schema, root = false): CelType {
  let count = 0;
  const operators = new Set<string>();
  const build = (each: Schema, resource: boolean): CelType => {
    const plain = buildPlain(each, resource);
    return each.nullable === true ? nullable(plain) : plain;
  };
  const buildPlain = (each: Schema, resource: boolean): CelType => {
    if (each['x-kubernetes-int-or-string'] === true) return free;
    switch (each.type) {
      case 'array':
        return listType(each, build(each.items ?? {}, false));
      case 'object':
        return objectType(each, resource || each['x-kubernetes-embedded-resource'] === true);
      default:
        return scalars[`${each.type}:${each.format ?? ''}`] ?? scalars[`${each.type}:`] ?? free;
    }
  };
  const listType = (each: Schema, items: CelType): CelType => {
    const name = `list<${items.name}>`;
    const keyed = each['x-kubernetes-list-type'] === 'set' || each['x-kubernetes-list-type'] === 'map';
    if (keyed && items.name !== 'dyn' && !operators.has(name)) {
      operators.add(name);
      environment.registerOperator(`${name} == ${name}`, listEqual);
      environment.registerOperator(`${name} + ${name}: ${name}`, listConcat);
    }
    const of = (json: unknown) => {
      const list = (json as readonly unknown[]).map(items.of);
      if (keyed) tagList(list, keyOf(each));
      return list;
    };
    return { name, of, items };
  };
  const objectType = (each: Schema, resource: boolean): CelType => {
    if (isObject(each.additionalProperties) && each.properties === undefined) {
      const values = build(each.additionalProperties as Schema, false);
      return { name: `map<string, ${values.name}>`, of: mapOf(values), values };
    }
    const properties = resource ? { ...each.properties, ...resourceFields } : each.properties;
    if (properties === undefined) {
      return each['x-kubernetes-preserve-unknown-fields'] === true
        ? free
        : { name: 'map<string, dyn>', of: mapOf(free) };
    }
    const fields = new Map(
      Object.entries(properties).map(([name, property]) => [name, build(property, false)]),
    );
    const name = `T${count++}`;
    const { ctor, of } = recordOf(fields);
    const named = [...fields].flatMap(([property, type]) => {
      const escaped = fieldName(property);
      return escaped === undefined ? [] : [[escaped, type.name] as const];
    });
    environment.registerType(name, { ctor, fields: Object.fromEntries(named) });
    environment.registerOperator(`${name} == ${name}`, recordEqual);
    // An object may be compared with null; it never is null, since nullable fields are dyn.
    environment.registerOperator(`${name} == null`, () => false);
    return { name, of, fields };
  };
  return build(schema, root);
}

/** Of a resource's metadata, rules see the names alone. */
const resourceFields: Readonly<Record<string, Schema>> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } },
};

function recordOf(fields: ReadonlyMap<string, CelType>): { ctor: new () => FieldRecord; of: CelType['of'] } {
  const ctor = class {} as new () => FieldRecord;
  const of = (json: unknown) => {
    const record = new ctor();
    for (const key of Object.keys(json as object)) {
      const type = fields.get(key);
      const name = type === undefined ? undefined : fieldName(key);
      if (name !== undefined) record[name] = type!.of((json as FieldRecord)[key]);
    }
    return record;
  };
  return { ctor, of };
}

function recordEqual(a: FieldRecord, b: FieldRecord): boolean {
  return listEqual([Object.keys(a).sort()], [Object.keys(b).sort()]) && listEqual(valuesOf(a), valuesOf(b));
}

function valuesOf(record: FieldRecord): readonly unknown[] {
  return Object.keys(record)
    .sort()
    .map((key) => record[key]);
}

function mapOf(values: CelType): CelType['of'] {
  return (json) => new Map(Object.entries(json as object).map(([key, value]) => [key, values.of(value)]));
}

/** The key of an item of a set or map list, as text. */
function keyOf(schema: Schema): (item: unknown) => string {
  const keys = schema['x-kubernetes-list-map-keys'] as readonly string[] | undefined;
  if (schema['x-kubernetes-list-type'] === 'set' || keys === undefined) return textOf;
  return (item) => keys.map((key) => textOf((item as FieldRecord)[fieldName(key) ?? key])).join('\0');
}

function textOf(value: unknown): string {
  return typeof value === 'bigint' ? `${value}` : canonical(value);
}

/** A value whose type only its content tells. */
const free: CelType = { name: 'dyn', of: freeValue };

function freeValue(json: unknown): unknown {
  if (typeof json === 'number') return Number.isInteger(json) ? BigInt(json) : json;
  if (Array.isArray(json)) return json.map(freeValue);
  return isObject(json) ? mapOf(free)(json) : json;
}

function nullable(type: CelType): CelType {
  return { ...type, name: 'dyn', of: (json) => (json === null ? null : type.of(json)) };
}

const text: CelType = { name: 'string', of: (json) => json };
const timestamp: CelType = { name: 'google.protobuf.Timestamp', of: (json) => new Date(json as string) };

const scalars: Readonly<Record<string, CelType>> = {
  'string:': text,
  'string:date-time': timestamp,
  'string:date': timestamp,
  'string:byte': { name: 'bytes', of: (json) => new Uint8Array(Buffer.from(json as string, 'base64')) },
  'integer:': { name: 'int', of: (json) => BigInt(json as number) },
  'number:': { name: 'double', of: Number },
  'boolean:': { name: 'bool', of: (json) => json },
};
