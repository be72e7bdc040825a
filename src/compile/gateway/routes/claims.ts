/** Who wants which hostnames of a listener, found by what they have in common. */
import { wider } from '../hostnames.ts';

export type ClaimIndex = {
  add(hostname: string, id: string): void;
  remove(hostname: string, id: string): void;
  at(hostname: string): readonly string[];
  /** All who want a name that one of these stands for, too; some more than once. Read as it is, so nothing may change meanwhile. */
  overlapping(hostnames: readonly string[]): Iterable<string>;
  isEmpty(): boolean;
};

export function createClaimIndex(): ClaimIndex {
  const claims = new Map<string, Set<string>>();
  /** By wildcard: the hostnames within it that somebody wants. */
  const within = new Map<string, Set<string>>();
  return {
    add(hostname, id) {
      const ids = claims.get(hostname);
      if (ids !== undefined) {
        ids.add(id);
        return;
      }
      claims.set(hostname, new Set([id]));
      for (const wide of wider(hostname))
        within.set(wide, (within.get(wide) ?? new Set<string>()).add(hostname));
    },
    remove(hostname, id) {
      const ids = claims.get(hostname);
      if (ids?.delete(id) !== true || ids.size > 0) return;
      claims.delete(hostname);
      for (const wide of wider(hostname)) {
        const those = within.get(wide);
        those?.delete(hostname);
        if (those?.size === 0) within.delete(wide);
      }
    },
    at: (hostname) => [...(claims.get(hostname) ?? [])],
    *overlapping(hostnames) {
      for (const hostname of hostnames) {
        for (const each of [hostname, ...wider(hostname)]) yield* claims.get(each) ?? [];
        for (const each of within.get(hostname) ?? []) yield* claims.get(each) ?? [];
      }
    },
    isEmpty: () => claims.size === 0,
  };
}
