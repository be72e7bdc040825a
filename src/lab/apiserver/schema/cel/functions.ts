/** Registering functions on a CEL environment: synchronous, namespaced, with errors in CEL's own form. */
import { type Environment, EvaluationError } from '@marcbachmann/cel-js';

// biome-ignore lint/suspicious/noExplicitAny: cel-js hands over values of the types that the signature names.
type Handler = (...values: any[]) => unknown;

/** Registers a function or method; it never waits, which lets cel-js skip its promise handling. */
export function define(environment: Environment, signature: string, handler: Handler): void {
  environment.registerFunction(signature, handler, { async: false });
}

/** Registers `name.function(…)`: a constant whose methods are the functions. Signatures are without the name. */
export function defineNamespace(
  environment: Environment,
  name: string,
  functions: Readonly<Record<string, Handler>>,
): void {
  const typeName = `${name}Namespace`;
  const holder = class {};
  environment.registerType(typeName, { ctor: holder, fields: {} });
  environment.registerConstant(name, typeName, new holder());
  for (const [signature, handler] of Object.entries(functions)) {
    define(environment, `${typeName}.${signature}`, (_, ...values) => handler(...values));
  }
}

/** Ends the evaluation: the rule fails with this reason. */
export function fail(message: string): never {
  throw new EvaluationError(message);
}

/** Equality as CEL has it, over converted values. */
export function celEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a === 'bigint' || typeof a === 'number') {
    // biome-ignore lint/suspicious/noDoubleEquals: CEL compares numbers across types by value.
    return (typeof b === 'bigint' || typeof b === 'number') && a == b;
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) && Array.isArray(b)) return listEqual(a, b);
  if (a.constructor !== b.constructor) return false;
  if (a instanceof Date || a instanceof Uint8Array) return compareValues(a, b) === 0;
  if (a instanceof Map) return mapEqual(a, b as Map<unknown, unknown>);
  const keys = Object.keys(a);
  if (keys.length === 0 && Object.keys(b).length === 0) return compareValues(a, b) === 0;
  if (keys.length !== Object.keys(b).length) return false;
  const other = b as Readonly<Record<string, unknown>>;
  return keys.every((key) => Object.hasOwn(b, key) && celEqual((a as typeof other)[key], other[key]));
}

function mapEqual(a: ReadonlyMap<unknown, unknown>, b: ReadonlyMap<unknown, unknown>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.has(key) && celEqual(value, b.get(key)));
}

/** How a list of type set or map says what it is; see `tagList`. */
const listKeys = new WeakMap<readonly unknown[], (item: unknown) => string>();

/** Marks a list as a set (key: the item) or a map list (key: its keys): such lists are equal in any order, and `+` is a union. */
export function tagList(list: readonly unknown[], key: (item: unknown) => string): void {
  listKeys.set(list, key);
}

export function listEqual(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  const key = listKeys.get(a) ?? listKeys.get(b);
  if (key === undefined) return a.every((each, i) => celEqual(each, b[i]));
  const byKey = new Map(b.map((each) => [key(each), each]));
  return a.every((each) => byKey.has(key(each)) && celEqual(each, byKey.get(key(each))));
}

/** The union that `+` is on sets and map lists: the left's places, the right's values. */
export function listConcat(a: readonly unknown[], b: readonly unknown[]): readonly unknown[] {
  const key = listKeys.get(a);
  if (key === undefined) return [...a, ...b];
  const right = new Map(b.map((each) => [key(each), each]));
  const kept = a.map((each) => {
    const replaced = right.get(key(each));
    right.delete(key(each));
    return replaced ?? each;
  });
  const out = [...kept, ...right.values()];
  tagList(out, key);
  return out;
}

/** Order of two values of one comparable type. */
export function compareValues(a: unknown, b: unknown): number {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  const [left, right] = [a, b].map((each) => (each as { valueOf(): string | number | bigint }).valueOf());
  return left! < right! ? -1 : left! > right! ? 1 : 0;
}
