/** The lowered intent, entry by entry, so that a change of one entry costs what that entry holds. */
import { claimed, type Lowered, type Problem } from './lower.ts';
import { identity, type NetlinkObject, sameObject } from './objects.ts';

export type Wanted = {
  /** By identity; of two entries that claim one the first by name has it, as in `lower`. */
  readonly objects: ReadonlyMap<string, NetlinkObject>;
  /** Puts what an entry lowers to in the place of what it did before; adds the identities it had or has to `touched`. */
  set(entry: string, lowered: Lowered, touched: Set<string>): void;
  /** Problems of one entry: those of lowering, and claims that another entry has. */
  problemsOf(entry: string): Problem[];
  /** Entries that hold or held anything, and those with problems. */
  entries(): Iterable<string>;
  /** The entries that claim an identity. */
  claimants(id: string): readonly string[];
};

type Claim = { readonly entry: string; readonly object: NetlinkObject };

export function createWanted(): Wanted {
  const objects = new Map<string, NetlinkObject>();
  const claims = new Map<string, readonly Claim[]>();
  const lowerings = new Map<string, Lowered>();

  const update = (id: string, next: readonly Claim[]): void => {
    const first = next[0];
    if (first === undefined) {
      claims.delete(id);
      objects.delete(id);
    } else {
      claims.set(id, next);
      objects.set(id, first.object);
    }
  };

  return {
    objects,
    set(entry, lowered, touched) {
      for (const object of lowerings.get(entry)?.objects ?? []) {
        const id = identity(object);
        touched.add(id);
        update(
          id,
          (claims.get(id) ?? []).filter((claim) => claim.entry !== entry),
        );
      }
      for (const object of lowered.objects) {
        const id = identity(object);
        touched.add(id);
        const others = claims.get(id) ?? [];
        const at = others.findIndex((claim) => claim.entry > entry);
        update(id, others.toSpliced(at === -1 ? others.length : at, 0, { entry, object }));
      }
      if (lowered.objects.length + lowered.problems.length > 0) lowerings.set(entry, lowered);
      else lowerings.delete(entry);
    },
    problemsOf(entry) {
      const lowered = lowerings.get(entry);
      if (lowered === undefined) return [];
      const lost = lowered.objects.filter((object) => {
        const holder = claims.get(identity(object))?.[0];
        return holder !== undefined && holder.entry !== entry && !sameObject(holder.object, object);
      });
      return [...lowered.problems, ...lost.map((object) => claimed(entry, identity(object)))];
    },
    entries: () => lowerings.keys(),
    claimants: (id) => (claims.get(id) ?? []).map((claim) => claim.entry),
  };
}
