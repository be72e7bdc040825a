/** Checks a shaped value against its schema: types, bounds, formats, junctors, list types. */
import type { FieldProblem, Schema } from '../types.ts';
import { hasFormat } from './formats.ts';
import { checkUnique, oldItems } from './lists.ts';
import { equal, get, isObject, type PlainObject } from './plain.ts';
import {
  child,
  indexed,
  invalid,
  jsonType,
  notSupported,
  required,
  tooLong,
  tooMany,
  wrongType,
} from './problems.ts';
import { canonicalQuantity } from './quantity.ts';
import { compileRe2 } from './regex.ts';
import { asResource, propertyOf } from './shape.ts';

export type CheckOptions = {
  /** Built-in kinds take '' for an absent enum value. */
  readonly builtin: boolean;
  /** The stored value: what is unchanged in it is not judged again (validation ratcheting, KEP-4008). */
  readonly old?: unknown;
};

/** Every violation, in document order. The value must have gone through `shape`. */
export function check(schema: Schema, value: unknown, options: CheckOptions): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  checkValue(schema, value, '', problems, options);
  return problems;
}

function checkValue(
  schema: Schema,
  value: unknown,
  path: string,
  problems: FieldProblem[],
  options: CheckOptions,
) {
  if (options.old !== undefined && equal(value, options.old)) return;
  if (value === null && schema.nullable === true) return;
  if (!hasType(schema, value)) {
    problems.push(wrongType(path, value, expectedType(schema)));
    return;
  }
  checkBounds(schema, value, path, problems, options);
  checkJunctors(schema, value, path, problems, options);
  if (Array.isArray(value)) checkItems(schema, value, path, problems, options);
  else if (isObject(value)) checkFields(schema, value, path, problems, options);
}

function hasType(schema: Schema, value: unknown): boolean {
  if (schema['x-kubernetes-int-or-string'] === true) {
    return (
      typeof value === 'string' ||
      (typeof value === 'number' && (schema.format === 'quantity' || Number.isInteger(value)))
    );
  }
  switch (schema.type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'string':
      return typeof value === 'string';
    case 'boolean':
      return typeof value === 'boolean';
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value);
    case 'number':
      return typeof value === 'number';
    default:
      return true;
  }
}

function expectedType(schema: Schema): string {
  return schema['x-kubernetes-int-or-string'] === true ? 'integer,string' : (schema.type ?? 'any');
}

function checkBounds(
  schema: Schema,
  value: unknown,
  path: string,
  problems: FieldProblem[],
  options: CheckOptions,
) {
  if (schema.enum !== undefined && !schema.enum.some((each) => equal(each, value))) {
    if (!(options.builtin && value === '')) problems.push(notSupported(path, value, schema.enum));
  }
  if (typeof value === 'string') checkString(schema, value, path, problems);
  else if (typeof value === 'number') checkNumber(schema, value, path, problems);
  if (schema.format === 'quantity' && canonicalQuantity(value) === undefined) {
    problems.push(
      invalid(
        path,
        value,
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
      ),
    );
  }
}

type StringBounds = {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly format?: string;
};

function checkString(schema: Schema, value: string, path: string, problems: FieldProblem[]) {
  const { minLength, maxLength, pattern, format } = schema as StringBounds;
  if (maxLength !== undefined || minLength !== undefined) {
    const length = Array.from(value).length;
    if (maxLength !== undefined && length > maxLength) problems.push(tooLong(path, maxLength));
    if (minLength !== undefined && length < minLength) {
      problems.push(invalid(path, value, `${path} in body should be at least ${minLength} chars long`));
    }
  }
  if (pattern !== undefined) {
    const compiled = compileRe2(pattern);
    if ('problem' in compiled)
      problems.push(invalid(path, value, `pattern cannot be used: ${compiled.problem}`));
    else if (!compiled.value.test(value))
      problems.push(invalid(path, value, `${path} in body should match '${pattern}'`));
  }
  if (format !== undefined && !hasFormat(format, value)) {
    problems.push(
      invalid(path, value, `${path} in body must be of type ${format}: ${JSON.stringify(value)}`),
    );
  }
}

const integerRanges: Readonly<Record<string, readonly [number, number]>> = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int64: [-(2 ** 63), 2 ** 63],
  'int-or-string': [-(2 ** 31), 2 ** 31 - 1],
};

function checkNumber(schema: Schema, value: number, path: string, problems: FieldProblem[]) {
  const { minimum, maximum, multipleOf } = schema as Record<string, number>;
  const above = schema.exclusiveMinimum === true;
  const below = schema.exclusiveMaximum === true;
  if (minimum !== undefined && (above ? value <= minimum : value < minimum)) {
    problems.push(
      invalid(path, value, `${path} in body should be greater than ${above ? '' : 'or equal to '}${minimum}`),
    );
  }
  if (maximum !== undefined && (below ? value >= maximum : value > maximum)) {
    problems.push(
      invalid(path, value, `${path} in body should be less than ${below ? '' : 'or equal to '}${maximum}`),
    );
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) {
    problems.push(invalid(path, value, `${path} in body should be a multiple of ${multipleOf}`));
  }
  const range = schema.format === undefined ? undefined : integerRanges[schema.format];
  if (range !== undefined && (value < range[0] || value > range[1])) {
    problems.push(invalid(path, value, `${path} in body must be of type ${schema.format}: "integer"`));
  }
}

function checkJunctors(
  schema: Schema,
  value: unknown,
  path: string,
  problems: FieldProblem[],
  options: CheckOptions,
) {
  const holds = (each: Schema) => {
    const found: FieldProblem[] = [];
    checkValue(each, value, path, found, { builtin: options.builtin });
    return found.length === 0;
  };
  const list = (keyword: string) => schema[keyword] as readonly Schema[] | undefined;
  for (const each of list('allOf') ?? []) checkValue(each, value, path, problems, options);
  const any = list('anyOf');
  if (any !== undefined && !any.some(holds)) {
    problems.push(invalid(path, typed(value), `"${path}" must validate at least one schema (anyOf)`));
  }
  const one = list('oneOf');
  const matching = one?.filter(holds).length;
  if (matching !== undefined && matching !== 1) {
    const found = matching === 0 ? 'Found none valid' : `Found ${matching} valid alternatives`;
    problems.push(
      invalid(path, typed(value), `"${path}" must validate one and only one schema (oneOf). ${found}`),
    );
  }
  if (schema.not !== undefined && holds(schema.not as Schema)) {
    problems.push(invalid(path, typed(value), `"${path}" must not validate the schema (not)`));
  }
}

/** Objects and lists are shown by their type, as a message with a whole object in it helps nobody. */
function typed(value: unknown): unknown {
  return typeof value === 'object' ? jsonType(value) : value;
}

function checkItems(
  schema: Schema,
  value: readonly unknown[],
  path: string,
  problems: FieldProblem[],
  options: CheckOptions,
) {
  const { minItems, maxItems } = schema as Record<string, number>;
  if (maxItems !== undefined && value.length > maxItems) problems.push(tooMany(path, value.length, maxItems));
  if (minItems !== undefined && value.length < minItems) {
    problems.push(invalid(path, value.length, `${path} in body should have at least ${minItems} items`));
  }
  const items = schema.items;
  const correlate = oldItems(schema, options.old);
  if (items !== undefined) {
    for (const [i, each] of value.entries()) {
      checkValue(items, each, indexed(path, i), problems, { builtin: options.builtin, old: correlate(each) });
    }
  }
  // Built-in kinds say themselves what must be unique: a variable may be set twice, a dual-stack node has two addresses of a type.
  if (!options.builtin) checkUnique(schema, value, path, problems);
}

function checkFields(
  given: Schema,
  value: PlainObject,
  path: string,
  problems: FieldProblem[],
  options: CheckOptions,
) {
  const schema =
    given['x-kubernetes-embedded-resource'] === true ? embedded(given, value, path, problems) : given;
  const { minProperties, maxProperties } = schema as Record<string, number>;
  const keys = Object.keys(value);
  if (maxProperties !== undefined && keys.length > maxProperties)
    problems.push(tooMany(path, keys.length, maxProperties));
  if (minProperties !== undefined && keys.length < minProperties) {
    problems.push(
      invalid(path, keys.length, `${path} in body should have at least ${minProperties} properties`),
    );
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) problems.push(required(child(path, name)));
  }
  const rest = isObject(schema.additionalProperties) ? (schema.additionalProperties as Schema) : undefined;
  const old = isObject(options.old) ? options.old : undefined;
  for (const key of keys) {
    const property = propertyOf(schema.properties, key) ?? rest;
    if (property === undefined) continue;
    const before = old === undefined ? undefined : get(old, key);
    checkValue(property, value[key], child(path, key), problems, { builtin: options.builtin, old: before });
  }
}

/** An embedded object must say what it is. */
function embedded(schema: Schema, value: PlainObject, path: string, problems: FieldProblem[]): Schema {
  for (const name of ['apiVersion', 'kind']) {
    const text = get(value, name);
    if (text === undefined || text === '') problems.push(required(child(path, name), 'must not be empty'));
  }
  return asResource(schema);
}
