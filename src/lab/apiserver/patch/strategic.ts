/** Strategic merge patch: merge patch with lists merged by key as the built-in kinds' schemas say. */

import { asText, copy, equal, isObject, type PlainObject, put } from '../schema/plain.ts';
import { propertyOf } from '../schema/shape.ts';
import type { Schema } from '../types.ts';
import type { Patched } from './json.ts';

const order = '$setElementOrder/';
const removal = '$deleteFromPrimitiveList/';

/**
 * Applies a strategic merge patch with its directives: `$patch: replace|delete|merge`, `$retainKeys`,
 * `$setElementOrder/<list>` and `$deleteFromPrimitiveList/<list>`. All or nothing: with problems, `value` is the input.
 * Source: "Strategic Merge Patch" of the Kubernetes API conventions and kubectl's documentation.
 */
export function applyStrategicPatch<T>(schema: Schema, object: T, patch: unknown): Patched<T> {
  if (!isObject(patch)) return { value: object, problems: ['a strategic merge patch must be an object'] };
  const problems: string[] = [];
  const value = mergeObject(schema, isObject(object) ? object : {}, patch, '', problems);
  return problems.length > 0 ? { value: object, problems } : { value: (value ?? {}) as T, problems };
}

/** The merged object; `undefined` when the patch deletes it. */
function mergeObject(
  schema: Schema,
  target: PlainObject,
  patch: PlainObject,
  path: string,
  problems: string[],
): PlainObject | undefined {
  const directive = patch.$patch;
  if (directive === 'delete') return undefined;
  if (directive === 'replace') return cleaned(patch) as PlainObject;
  if (directive !== undefined && directive !== 'merge') {
    problems.push(`${path || '<root>'}: Unrecognized value for $patch: ${JSON.stringify(directive)}`);
    return target;
  }
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(target)) put(out, key, target[key]);
  const fields = new Set(
    Object.keys(patch).map((key) => (isListDirective(key) ? key.slice(key.indexOf('/') + 1) : key)),
  );
  for (const key of fields) {
    if (key === '$patch' || key === '$retainKeys') continue;
    const at = path === '' ? key : `${path}.${key}`;
    const value = mergeField(fieldSchema(schema, key), out, patch, key, at, problems);
    if (value === undefined) delete out[key];
    else put(out, key, value);
  }
  return retainKeys(out, patch, path, problems);
}

function isListDirective(key: string): boolean {
  return key.startsWith(order) || key.startsWith(removal);
}

function fieldSchema(schema: Schema, key: string): Schema {
  const rest = isObject(schema.additionalProperties) ? (schema.additionalProperties as Schema) : {};
  return propertyOf(schema.properties, key) ?? rest;
}

function mergeField(
  schema: Schema,
  target: PlainObject,
  patch: PlainObject,
  key: string,
  path: string,
  problems: string[],
): unknown {
  const before = Object.hasOwn(target, key) ? target[key] : undefined;
  const given = Object.hasOwn(patch, key) ? patch[key] : undefined;
  if (given === null) return undefined;
  const merges = strategyOf(schema).includes('merge');
  const removed = directiveList(patch, removal + key, path, problems);
  const wanted = directiveList(patch, order + key, path, problems);
  if (Array.isArray(given) || (given === undefined && (removed !== undefined || wanted !== undefined))) {
    const list = (given ?? []) as readonly unknown[];
    if (!merges) return given === undefined ? before : cleaned(list);
    return mergeList(
      schema,
      Array.isArray(before) ? before : [],
      list,
      removed ?? [],
      wanted,
      path,
      problems,
    );
  }
  if (isObject(given)) {
    if (strategyOf(schema).includes('replace')) return cleaned(given);
    return mergeObject(schema, isObject(before) ? before : {}, given, path, problems);
  }
  return given === undefined ? before : given;
}

function strategyOf(schema: Schema): readonly string[] {
  return asText(schema['x-kubernetes-patch-strategy'] ?? '').split(',');
}

function directiveList(
  patch: PlainObject,
  key: string,
  path: string,
  problems: string[],
): readonly unknown[] | undefined {
  if (!Object.hasOwn(patch, key)) return undefined;
  if (Array.isArray(patch[key])) return patch[key];
  problems.push(`${path}: ${key} must be a list`);
  return [];
}

function mergeList(
  schema: Schema,
  before: readonly unknown[],
  given: readonly unknown[],
  removed: readonly unknown[],
  wanted: readonly unknown[] | undefined,
  path: string,
  problems: string[],
): readonly unknown[] {
  const mergeKey = schema['x-kubernetes-patch-merge-key'] as string | undefined;
  if (mergeKey === undefined) {
    const kept = before.filter((each) => !removed.some((gone) => equal(each, gone)));
    for (const each of given) if (!kept.some((other) => equal(other, each))) kept.push(copy(each));
    return ordered(kept, before, wanted, (each) => each);
  }
  const keyOf = (item: unknown) => (isObject(item) ? item[mergeKey] : undefined);
  const merged = mergeByKey(schema, mergeKey, before, given, path, problems);
  for (const each of wanted ?? []) {
    if (keyOf(each) === undefined)
      problems.push(`${path}: an element of $setElementOrder has no ${mergeKey}`);
  }
  return ordered(merged, before, wanted, keyOf);
}

function mergeByKey(
  schema: Schema,
  mergeKey: string,
  before: readonly unknown[],
  given: readonly unknown[],
  path: string,
  problems: string[],
): readonly unknown[] {
  const replaces = given.some((each) => isObject(each) && each.$patch === 'replace');
  if (replaces) return given.filter((each) => !(isObject(each) && each.$patch === 'replace')).map(cleaned);
  let out = [...before];
  for (const each of given) {
    if (!isObject(each)) {
      problems.push(`${path}: every element must be an object`);
      continue;
    }
    const key = each[mergeKey];
    if (key === undefined) {
      problems.push(`${path}: map: ${JSON.stringify(each)} does not contain declared merge key: ${mergeKey}`);
      continue;
    }
    const same = (item: unknown) => isObject(item) && equal(item[mergeKey], key);
    if (each.$patch === 'delete') out = out.filter((item) => !same(item));
    else {
      const at = out.findIndex(same);
      const target = at === -1 ? {} : (out[at] as PlainObject);
      const value = mergeObject(
        schema.items ?? {},
        target,
        each,
        `${path}[${JSON.stringify(key)}]`,
        problems,
      );
      if (at === -1) out.push(value);
      else out[at] = value;
    }
  }
  return out;
}

/** The wanted order for what it names; what only the server has keeps its place among what was there before. */
function ordered(
  items: readonly unknown[],
  before: readonly unknown[],
  wanted: readonly unknown[] | undefined,
  keyOf: (item: unknown) => unknown,
): readonly unknown[] {
  if (wanted === undefined) return items;
  const place = (list: readonly unknown[], item: unknown) =>
    list.findIndex((each) => equal(keyOf(each), keyOf(item)));
  const by = (list: readonly unknown[]) => (a: unknown, b: unknown) => place(list, a) - place(list, b);
  const named = items.filter((each) => place(wanted, each) !== -1).sort(by(wanted));
  const others = items.filter((each) => place(wanted, each) === -1).sort(by(before));
  const out: unknown[] = [];
  while (named.length > 0 && others.length > 0) {
    const left = place(before, others[0]);
    const right = place(before, named[0]);
    out.push(left !== -1 && right !== -1 && left < right ? others.shift() : named.shift());
  }
  return [...out, ...named, ...others];
}

function retainKeys(
  out: Record<string, unknown>,
  patch: PlainObject,
  path: string,
  problems: string[],
): PlainObject {
  if (!Object.hasOwn(patch, '$retainKeys')) return out;
  const retained = patch.$retainKeys;
  if (!Array.isArray(retained)) {
    problems.push(`${path || '<root>'}: $retainKeys must be a list`);
    return out;
  }
  for (const key of Object.keys(patch)) {
    if (key.startsWith('$') || patch[key] === null || retained.includes(key)) continue;
    problems.push(
      `${path || '<root>'}: $retainKeys must have every key that the patch sets, but lacks ${key}`,
    );
  }
  for (const key of Object.keys(out)) if (!retained.includes(key)) delete out[key];
  return out;
}

/** A copy without directives and nulls: what a patch brings anew. */
function cleaned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cleaned);
  if (!isObject(value)) return value;
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(value)) {
    if (key === '$patch' || key === '$retainKeys' || isListDirective(key) || value[key] === null) continue;
    put(out, key, cleaned(value[key]));
  }
  return out;
}
