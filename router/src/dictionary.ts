/** Tables by names that strangers choose: a plain table in Lua, an object without a prototype in Node (`constructor` is a fine host). */

export type Dictionary<T> = Record<string, T>;

/** An empty one. `__proto__: null` is JavaScript for "inherits nothing", and nothing at all in Lua. */
export function createDictionary<T>(): Dictionary<T> {
  return { __proto__: null } as unknown as Dictionary<T>;
}
