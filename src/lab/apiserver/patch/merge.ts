/** JSON Merge Patch (RFC 7386) on plain JSON values. */
import { copy, isObject, put } from '../schema/plain.ts';
import type { Patched } from './json.ts';

/** Merges: null removes, objects merge, anything else replaces. The input isn't changed; an API object's patch must be an object. */
export function applyMergePatch<T>(object: T, patch: unknown): Patched<T> {
  if (!isObject(patch))
    return { value: object, problems: ['a merge patch of an API object must be an object'] };
  return { value: merge(object, patch) as T, problems: [] };
}

/** RFC 7386 §2, for any JSON value. */
export function merge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return copy(patch);
  const out: Record<string, unknown> = {};
  if (isObject(target)) for (const key of Object.keys(target)) put(out, key, target[key]);
  for (const key of Object.keys(patch)) {
    const value = patch[key];
    if (value === null) delete out[key];
    else put(out, key, merge(Object.hasOwn(out, key) ? out[key] : undefined, value));
  }
  return out;
}
