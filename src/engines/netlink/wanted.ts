/** The lowered intent, entry by entry, so that a change of one entry costs what that entry holds. */
import type { Problem } from './context.ts';
import { claimed, type Lowered } from './lower.ts';
import { identity, type NetlinkObject, sameObject } from './objects.ts';

export type Wanted = {
  /** By identity; of two entries that claim one the first by name has it, as in `lower`. */
  readonly objects: ReadonlyMap<string, NetlinkObject>;
  /** Puts what an entry lowers to in the place of what it did before; adds the identities that changed to `touched`. */
  set(entry: string, lowered: Lowered, touched: Set<string>): void;
  /** Problems of one entry: those of lowering, and claims that another entry has. */
  problemsOf(entry: string): Problem[];
  /** Entries that hold anything, and those with problems. */
  entries(): Iterable<string>;
  /** The entries that claim an identity. */
  claimants(id: string): readonly string[];
};

type Claim = { readonly entry: string; readonly object: NetlinkObject };

export function createWanted(): Wanted {
  const objects = new Map<string, NetlinkObject>();
  const holders = new Map<string, string>();
  /** Only where more than one entry claims; sorted by entry, the holder first. */
  const rivals = new Map<string, readonly Claim[]>();
  const lowerings = new Map<string, Lowered>();

  const hold = (id: string, claims: readonly Claim[]): void => {
    const [first] = claims;
    if (first === undefined) {
      holders.delete(id);
      objects.delete(id);
    } else {
      holders.set(id, first.entry);
      objects.set(id, first.object);
    }
    if (claims.length > 1) rivals.set(id, claims);
    else rivals.delete(id);
  };
  const claimsOf = (id: string): readonly Claim[] => {
    const several = rivals.get(id);
    if (several !== undefined) return several;
    const entry = holders.get(id);
    return entry === undefined ? [] : [{ entry, object: objects.get(id)! }];
  };

  return {
    objects,
    set(entry, lowered, touched) {
      const before = lowerings.get(entry);
      if (before !== undefined && sameObjects(before.objects, lowered.objects)) {
        lowerings.set(entry, { objects: before.objects, problems: lowered.problems });
        return;
      }
      for (const object of before?.objects ?? []) {
        const id = identity(object);
        touched.add(id);
        hold(
          id,
          claimsOf(id).filter((claim) => claim.entry !== entry),
        );
      }
      for (const object of lowered.objects) {
        const id = identity(object);
        touched.add(id);
        const claims = [...claimsOf(id), { entry, object }];
        hold(id, claims.length === 1 ? claims : claims.toSorted((a, b) => (a.entry < b.entry ? -1 : 1)));
      }
      if (lowered.objects.length + lowered.problems.length > 0) lowerings.set(entry, lowered);
      else lowerings.delete(entry);
    },
    problemsOf(entry) {
      const lowered = lowerings.get(entry);
      if (lowered === undefined) return [];
      const lost = lowered.objects.filter((object) => {
        const id = identity(object);
        return holders.get(id) !== entry && !sameObject(objects.get(id)!, object);
      });
      return [...lowered.problems, ...lost.map((object) => claimed(entry, identity(object)))];
    },
    entries: () => lowerings.keys(),
    claimants: (id) => claimsOf(id).map((claim) => claim.entry),
  };
}

function sameObjects(a: readonly NetlinkObject[], b: readonly NetlinkObject[]): boolean {
  return a.length === b.length && a.every((object, index) => sameObject(object, b[index]!));
}
