/** The built-in kinds with their schemas, read once from data/builtins.json. */
import { readFileSync } from 'node:fs';
import type { Schema, ServedKind } from '../types.ts';
import { builtinNames } from './builtin-names.ts';

type Data = {
  readonly source: string;
  readonly kinds: readonly { group: string; version: string; kind: string; definition: string }[];
  readonly definitions: Readonly<Record<string, Record<string, unknown>>>;
};

/** Where a built-in schema comes from: set on each kind's schema, so that the rules that go with the kind are found. */
export type BuiltinType = { readonly group: string; readonly version: string; readonly kind: string };

const nameOfDefinition = new WeakMap<Schema, string>();
let loaded: Loaded | undefined;

type Loaded = { readonly kinds: readonly ServedKind[]; readonly definitions: ReadonlyMap<string, Schema> };

/**
 * Every built-in kind, schema filled, `columns` empty. References are resolved to shared objects, so a schema may contain
 * itself (CustomResourceDefinition does): walk it beside a value, never on its own, and never print it as JSON.
 */
export function builtinKinds(): readonly ServedKind[] {
  return load().kinds;
}

/** A schema of a shared type by its last name, for example `ObjectMeta` or `PodSpec`. */
export function builtinDefinition(shortName: string): Schema {
  for (const [name, schema] of load().definitions) if (name.endsWith(`.${shortName}`)) return schema;
  throw new Error(`no definition ${shortName}`);
}

/** The full OpenAPI name of a schema that is a definition, for example `io.k8s.api.core.v1.PodSpec`. */
export function definitionName(schema: Schema): string | undefined {
  load();
  return nameOfDefinition.get(schema);
}

/** The kind that a schema is the root of, when it's a built-in kind. */
export function builtinTypeOf(schema: Schema): BuiltinType | undefined {
  return (schema['x-kubernetes-group-version-kind'] as readonly BuiltinType[] | undefined)?.[0];
}

function load(): Loaded {
  if (loaded !== undefined) return loaded;
  const data = JSON.parse(readFileSync(new URL('./data/builtins.json', import.meta.url), 'utf8')) as Data;
  const definitions = resolve(data.definitions);
  const kinds = builtinNames.map((name): ServedKind => {
    const entry = data.kinds.find((each) => each.group === name.group && each.kind === name.kind);
    const schema = entry && definitions.get(entry.definition);
    if (schema === undefined)
      throw new Error(`data/builtins.json has no ${name.group} ${name.kind}; generate it again`);
    (schema as Record<string, unknown>)['x-kubernetes-group-version-kind'] = [
      { group: name.group, version: name.version, kind: name.kind },
    ];
    return {
      ...name,
      listKind: `${name.kind}List`,
      storageVersion: name.version,
      schema,
      columns: [],
      fromCrd: false,
    };
  });
  loaded = { kinds, definitions };
  return loaded;
}

function resolve(definitions: Data['definitions']): ReadonlyMap<string, Schema> {
  const schemas = new Map<string, Record<string, unknown>>();
  for (const name of Object.keys(definitions)) schemas.set(name, {});
  const copies: (() => void)[] = [];
  const link = (raw: Record<string, unknown>): Schema => {
    if (typeof raw.$ref === 'string') {
      const { $ref, ...rest } = raw;
      const target = schemas.get($ref as string)!;
      if (Object.keys(rest).length === 0) return target;
      // Patch directives stand beside the reference; the target may not be filled yet, so the copy is made at the end.
      const copy: Record<string, unknown> = {};
      copies.push(() => {
        Object.assign(copy, target, rest);
        nameOfDefinition.set(copy as Schema, $ref as string);
      });
      return copy as Schema;
    }
    return linkChildren(raw);
  };
  const linkChildren = (raw: Record<string, unknown>): Schema => {
    const out: Record<string, unknown> = { ...raw };
    if (raw.items !== undefined) out.items = link(raw.items as Record<string, unknown>);
    if (raw.additionalProperties !== undefined) {
      out.additionalProperties = link(raw.additionalProperties as Record<string, unknown>);
    }
    if (raw.properties !== undefined) {
      out.properties = Object.fromEntries(
        Object.entries(raw.properties as Record<string, Record<string, unknown>>).map(([k, v]) => [
          k,
          link(v),
        ]),
      );
    }
    return out;
  };
  for (const [name, raw] of Object.entries(definitions)) {
    const schema = schemas.get(name)!;
    Object.assign(schema, linkChildren(raw));
    nameOfDefinition.set(schema as Schema, name);
  }
  for (const copy of copies) copy();
  return schemas as ReadonlyMap<string, Schema>;
}
