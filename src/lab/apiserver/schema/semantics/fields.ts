/** Reading and filling fields of objects whose types may still be wrong. */
import type { FieldProblem } from '../../types.ts';
import { equal, isObject } from '../plain.ts';
import { child, invalid } from '../problems.ts';

/** An object that `admit` owns and may fill in place. */
export type Fields = Record<string, unknown>;

/** The object at a path of names; an empty one when there is none. */
export function at(value: unknown, ...path: readonly string[]): Fields {
  let found = value;
  for (const name of path) found = isObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
  return isObject(found) ? (found as Fields) : {};
}

/** The objects of a list, each with its index. */
export function objects(value: unknown): readonly (readonly [number, Fields])[] {
  if (!Array.isArray(value)) return [];
  return [...value.entries()].filter((entry): entry is [number, Fields] => isObject(entry[1]));
}

export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** '' for anything that isn't a string. */
export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

export function number(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** Absent, or the zero value that Go's codecs write for absent. */
export function isUnset(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** Sets fields that are unset. */
export function fill(target: Fields, defaults: Fields): void {
  for (const [key, value] of Object.entries(defaults)) if (isUnset(target[key])) target[key] = value;
}

/** The object under a name, made when it's absent; a detached one when something else is there, for the checks to refuse. */
export function ensure(target: Fields, name: string): Fields {
  if (isUnset(target[name])) target[name] = {};
  const found = target[name];
  return isObject(found) ? (found as Fields) : {};
}

/** One problem when a field changed that may not. */
export function immutable(
  now: Fields,
  old: Fields,
  path: string,
  ...names: readonly string[]
): readonly FieldProblem[] {
  return names
    .filter((name) => !equal(now[name] ?? null, old[name] ?? null))
    .map((name) => invalid(child(path, name), now[name] ?? null, 'field is immutable'));
}

/** A number that must not be negative. */
export function notNegative(value: unknown, path: string): readonly FieldProblem[] {
  const given = number(value);
  return given !== undefined && given < 0 ? [invalid(path, given, 'must be greater than or equal to 0')] : [];
}

/** A number or a percentage: not negative, percentages up to 100 when they're a share. */
export function countOrShare(value: unknown, path: string, upTo100 = true): readonly FieldProblem[] {
  if (typeof value === 'number') return notNegative(value, path);
  if (typeof value !== 'string') return [];
  if (!/^[0-9]+%$/.test(value))
    return [
      invalid(path, value, "a valid percent string must be a numeric string followed by an ending '%'"),
    ];
  if (upTo100 && Number.parseInt(value, 10) > 100)
    return [invalid(path, value, 'must not be greater than 100%')];
  return [];
}
