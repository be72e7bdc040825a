/** Who uses what: many users of one thing, who come and go by themselves. */

export type Users = {
  /** All that a user uses, in place of what it used before. What is new of it, and what isn't used by it any more. */
  set(
    user: string,
    things: Iterable<string>,
  ): { readonly added: readonly string[]; readonly removed: readonly string[] };
  of(thing: string): ReadonlySet<string>;
  /** Whether a user uses anything. */
  has(user: string): boolean;
};

const nobody: ReadonlySet<string> = new Set();

export function createUsers(): Users {
  const used = new Map<string, ReadonlySet<string>>();
  const users = new Map<string, Set<string>>();
  return {
    set(user, things) {
      const before = used.get(user) ?? nobody;
      const after = new Set(things);
      const added = [...after].filter((thing) => !before.has(thing));
      const removed = [...before].filter((thing) => !after.has(thing));
      for (const thing of added) users.set(thing, (users.get(thing) ?? new Set<string>()).add(user));
      for (const thing of removed) {
        const those = users.get(thing);
        those?.delete(user);
        if (those?.size === 0) users.delete(thing);
      }
      if (after.size === 0) used.delete(user);
      else used.set(user, after);
      return { added, removed };
    },
    of: (thing) => users.get(thing) ?? nobody,
    has: (user) => used.has(user),
  };
}
