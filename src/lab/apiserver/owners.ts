/** Who owns whom: an index by UID, kept with every write, that garbage collection reads. */
import type { Store } from './storage/store.ts';
import type { Change } from './storage/table.ts';

/** Where an object lives. */
export type Place = { readonly table: string; readonly namespace: string; readonly name: string };

export class Owners {
  readonly #places = new Map<string, Place>();
  readonly #dependents = new Map<string, Set<string>>();

  /** Indexes what the store holds and follows its writes. */
  constructor(store: Store) {
    for (const table of store.tables) {
      for (const version of table.list()) {
        this.#apply(table.name, { type: 'ADDED', revision: version.revision, version, previous: undefined });
      }
    }
    store.onChange((table, change) => this.#apply(table, change));
  }

  /** Where the object with this UID is; undefined when there is none. */
  place(uid: string): Place | undefined {
    return this.#places.get(uid);
  }

  /** UIDs of the objects that name this one as an owner. */
  dependents(uid: string): readonly string[] {
    return [...(this.#dependents.get(uid) ?? [])];
  }

  #apply(table: string, change: Change): void {
    const { metadata } = change.version.object;
    const uid = metadata.uid;
    if (uid === undefined) return;
    for (const owner of change.previous?.object.metadata.ownerReferences ?? []) {
      const set = this.#dependents.get(owner.uid);
      set?.delete(uid);
      if (set?.size === 0) this.#dependents.delete(owner.uid);
    }
    if (change.type === 'DELETED') {
      this.#places.delete(uid);
      return;
    }
    const { namespace, name } = change.version;
    this.#places.set(uid, { table, namespace, name });
    for (const owner of metadata.ownerReferences ?? []) {
      const set = this.#dependents.get(owner.uid) ?? new Set();
      this.#dependents.set(owner.uid, set.add(uid));
    }
  }
}
