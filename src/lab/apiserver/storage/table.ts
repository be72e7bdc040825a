/** One resource in memory: its objects in order, and the window of recent changes that watches resume from. */
import type { KubeObject } from '#api/object.ts';

/** One object at one revision. `json` is the object's encoding, made once and shared by the log, lists and watches. */
export type Version = {
  readonly namespace: string;
  readonly name: string;
  readonly revision: number;
  readonly object: KubeObject;
  readonly json: string;
};

export type ChangeType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One write. For DELETED, `version` is the last state under the revision of the deletion. */
export type Change = {
  readonly type: ChangeType;
  readonly revision: number;
  readonly version: Version;
  readonly previous: Version | undefined;
};

/** Objects of one namespace, with their names sorted when somebody asks. */
class Bucket {
  readonly items = new Map<string, Version>();
  #names: string[] | undefined;

  set(version: Version): void {
    if (!this.items.has(version.name)) this.#names = undefined;
    this.items.set(version.name, version);
  }

  delete(name: string): void {
    if (this.items.delete(name)) this.#names = undefined;
  }

  sorted(): Version[] {
    this.#names ??= [...this.items.keys()].toSorted();
    return this.#names.map((name) => this.items.get(name)!);
  }
}

/** Revisions that a table no longer remembers can't be listed or resumed from. */
export class ExpiredRevision extends Error {
  readonly revision: number;
  constructor(revision: number, oldest: number) {
    super(`too old resource version: ${revision} (${oldest})`);
    this.revision = revision;
  }
}

export class Table {
  /** `group/plural`; '' is the core group. */
  readonly name: string;
  readonly #buckets = new Map<string, Bucket>();
  #history: Change[] = [];
  #oldest: number;
  readonly #historySize: number;
  /** Called after changes became durable. */
  readonly watchers = new Set<() => void>();

  /** `oldest`: the revision that the first remembered change follows. */
  constructor(name: string, oldest: number, historySize: number) {
    this.name = name;
    this.#oldest = oldest;
    this.#historySize = historySize;
  }

  get(namespace: string, name: string): Version | undefined {
    return this.#buckets.get(namespace)?.items.get(name);
  }

  /** Objects in key order, of one namespace or of all. */
  list(namespace?: string): Version[] {
    if (namespace !== undefined) return this.#buckets.get(namespace)?.sorted() ?? [];
    if (this.#buckets.size === 1) return [...this.#buckets.values()][0]!.sorted();
    return [...this.#buckets.keys()].toSorted().flatMap((key) => this.#buckets.get(key)!.sorted());
  }

  /** How many objects there are in the namespace, or in all. */
  count(namespace?: string): number {
    if (namespace !== undefined) return this.#buckets.get(namespace)?.items.size ?? 0;
    let total = 0;
    for (const bucket of this.#buckets.values()) total += bucket.items.size;
    return total;
  }

  /** As `list`, but as it was when `revision` was the newest. Throws ExpiredRevision. */
  listAt(revision: number, namespace?: string): Version[] {
    const before = new Map<string, Version | undefined>();
    const key = (version: Version): string => `${version.namespace}/${version.name}`;
    for (const change of this.changesAfter(revision)) {
      if (namespace !== undefined && change.version.namespace !== namespace) continue;
      if (!before.has(key(change.version))) before.set(key(change.version), change.previous);
    }
    if (before.size === 0) return this.list(namespace);
    const kept = this.list(namespace).filter((version) => !before.has(key(version)));
    const restored = [...before.values()].filter((version) => version !== undefined);
    return [...kept, ...restored].toSorted(
      (a, b) => compare(a.namespace, b.namespace) || compare(a.name, b.name),
    );
  }

  /** Remembered changes with a revision above the given one, oldest first. Throws ExpiredRevision. */
  changesAfter(revision: number): readonly Change[] {
    if (revision < this.#oldest) throw new ExpiredRevision(revision, this.#oldest);
    let low = 0;
    let high = this.#history.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#history[middle]!.revision <= revision) low = middle + 1;
      else high = middle;
    }
    return low === this.#history.length ? [] : this.#history.slice(low);
  }

  apply(change: Change): void {
    const { namespace, name } = change.version;
    if (change.type === 'DELETED') {
      const bucket = this.#buckets.get(namespace);
      bucket?.delete(name);
      if (bucket?.items.size === 0) this.#buckets.delete(namespace);
    } else {
      this.load(change.version);
    }
    this.#history.push(change);
    // Forgetting in steps keeps the cost of a write flat.
    if (this.#history.length >= this.#historySize * 1.25) this.#forget(this.#historySize);
  }

  /** Loads an object from a snapshot: no change to remember. */
  load(version: Version): void {
    const bucket = this.#buckets.get(version.namespace) ?? new Bucket();
    this.#buckets.set(version.namespace, bucket);
    bucket.set(version);
  }

  #forget(keep: number): void {
    const dropped = this.#history.length - keep;
    this.#oldest = this.#history[dropped - 1]!.revision;
    this.#history = this.#history.slice(dropped);
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
