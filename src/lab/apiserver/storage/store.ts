/** The server's memory of objects: versioned by one global revision, on the disk before anybody hears of a write. */
import { mkdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { KubeObject } from '#api/object.ts';
import { type FileLock, lock } from '#system/files.ts';
import { WriteAheadLog } from './log.ts';
import { encodeRecord, newestSnapshot, recover, segmentPath, writeSnapshot } from './recovery.ts';
import { type Change, Table, type Version } from './table.ts';

export type StoreOptions = {
  readonly directory: string;
  /** Changes remembered per resource, for watches to resume from. */
  readonly historySize?: number;
  /** Log bytes after which a snapshot is written. */
  readonly snapshotBytes?: number;
};

/** Stays free for removals, which take little, and for what others write there. */
const reservedBytes = 256 * 1024;

/** Told of each write at once, before it is durable: for what belongs to the write itself, such as indexes. */
export type Listener = (table: string, change: Change) => void;

/**
 * Writes change memory at once, and reads see them; but nothing of a write may leave the process before it is durable:
 * an answer waits for `settled`, and watches are woken only after the fsync.
 */
export class Store {
  readonly #tables = new Map<string, Table>();
  readonly #listeners: Listener[] = [];
  readonly #directory: string;
  readonly #historySize: number;
  readonly #snapshotBytes: number;
  readonly #lock: FileLock;
  readonly #log: WriteAheadLog;
  #waiting: { readonly revision: number; resolve(): void; reject(error: Error): void }[] = [];
  #undelivered: { readonly table: Table; readonly revision: number }[] = [];
  #revision = 0;
  #durable = 0;
  readonly #oldest: number;
  #failure: Error | undefined;
  #snapshot: Promise<void> | undefined;
  /** Resolves with the reason when the disk fails; the process should end then. */
  readonly failed: Promise<Error>;
  #fail: (error: Error) => void = () => {};
  /** Bytes of an unfinished write that recovery cut off. */
  readonly cutBytes: number;

  /** Opens or makes the directory and recovers what it holds. Throws when another process has it open. */
  constructor(options: StoreOptions) {
    this.#directory = options.directory;
    this.#historySize = options.historySize ?? 8192;
    this.#snapshotBytes = options.snapshotBytes ?? 64 * 1024 * 1024;
    this.failed = new Promise((resolve) => {
      this.#fail = resolve;
    });
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#lock = lock(join(options.directory, 'lock'));
    this.#oldest = newestSnapshot(options.directory);
    this.#revision = this.#oldest;
    const recovered = recover(
      options.directory,
      (table, version) => this.#table(table).load(version),
      (table, version, deleted) => this.#replay(table, version, deleted),
    );
    this.#durable = this.#revision;
    this.cutBytes = recovered.cutBytes;
    this.#log = new WriteAheadLog(
      recovered.segment,
      recovered.segmentBytes,
      (revision) => this.#delivered(revision),
      (error) => this.#broken(error),
    );
  }

  /** The newest revision, durable or not. */
  get revision(): number {
    return this.#revision;
  }

  /** The newest revision that is on the disk. */
  get durable(): number {
    return this.#durable;
  }

  table(name: string): Table {
    return this.#table(name);
  }

  get tables(): Iterable<Table> {
    return this.#tables.values();
  }

  onChange(listener: Listener): void {
    this.#listeners.push(listener);
  }

  /**
   * Stores an object as its next version; the caller has checked what it replaces. Throws, and changes nothing, when the disk has no room
   * for it: a write that fails later would end the server.
   */
  put(tableName: string, object: KubeObject): Version {
    const table = this.#table(tableName);
    const { namespace = '', name } = object.metadata;
    const revision = this.#revision + 1;
    const stored: KubeObject = {
      ...object,
      metadata: { ...object.metadata, resourceVersion: String(revision) },
    };
    const version: Version = { namespace, name, revision, object: stored, json: JSON.stringify(stored) };
    this.#requireSpace(Buffer.byteLength(version.json));
    this.#next();
    const previous = table.get(namespace, name);
    this.#write(table, { type: previous === undefined ? 'ADDED' : 'MODIFIED', revision, version, previous });
    return version;
  }

  /** Removes an object; undefined when there is none. The result is its last state under the deletion's revision. */
  remove(tableName: string, namespace: string, name: string): Version | undefined {
    const table = this.#table(tableName);
    const previous = table.get(namespace, name);
    if (previous === undefined) return undefined;
    const revision = this.#next();
    const version = tombstone(previous, revision);
    this.#write(table, { type: 'DELETED', revision, version, previous });
    return version;
  }

  /** Resolves when every write up to the revision is on the disk; rejects when the disk failed. */
  settled(revision: number = this.#revision): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (revision <= this.#durable) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ revision, resolve, reject }));
  }

  /** Waits for what is queued and closes the files. */
  async close(): Promise<void> {
    await this.#snapshot;
    await this.#log.close();
    this.#lock.release();
  }

  #table(name: string): Table {
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = new Table(name, this.#oldest, this.#historySize);
      this.#tables.set(name, table);
    }
    return table;
  }

  #requireSpace(bytes: number): void {
    const { bavail, bsize } = statfsSync(this.#directory);
    if (bavail * bsize < this.#log.unwritten + bytes + reservedBytes)
      throw new Error(`the disk of the lab's state is full (${this.#directory}): free some space there`);
  }

  #next(): number {
    if (this.#failure !== undefined) throw this.#failure;
    return ++this.#revision;
  }

  #write(table: Table, change: Change): void {
    table.apply(change);
    const { namespace, name, json } = change.version;
    const deleted = change.type === 'DELETED';
    this.#log.append(
      change.revision,
      encodeRecord(change.revision, table.name, namespace, name, deleted ? undefined : json),
    );
    this.#undelivered.push({ table, revision: change.revision });
    for (const listener of this.#listeners) listener(table.name, change);
  }

  #replay(tableName: string, version: Version, deleted: boolean): void {
    const table = this.#table(tableName);
    const previous = table.get(version.namespace, version.name);
    this.#revision = version.revision;
    if (!deleted) {
      table.apply({ type: previous ? 'MODIFIED' : 'ADDED', revision: version.revision, version, previous });
    } else if (previous !== undefined) {
      const { revision } = version;
      table.apply({ type: 'DELETED', revision, version: tombstone(previous, revision), previous });
    }
  }

  #delivered(revision: number): void {
    this.#durable = revision;
    const ready = this.#waiting.filter((waiter) => waiter.revision <= revision);
    this.#waiting = this.#waiting.filter((waiter) => waiter.revision > revision);
    for (const waiter of ready) waiter.resolve();
    const count = this.#undelivered.findIndex((entry) => entry.revision > revision);
    const changed = this.#undelivered.splice(0, count < 0 ? this.#undelivered.length : count);
    for (const table of new Set(changed.map((entry) => entry.table))) {
      for (const wake of table.watchers) wake();
    }
    if (this.#log.size > this.#snapshotBytes && this.#snapshot === undefined) this.#startSnapshot();
  }

  #startSnapshot(): void {
    const revision = this.#revision;
    const versions = [...this.#tables.values()].flatMap((table) =>
      table.list().map((version) => ({ table: table.name, version })),
    );
    this.#log.rotate(segmentPath(this.#directory, revision));
    this.#snapshot = this.settled(revision)
      .then(() => writeSnapshot(this.#directory, revision, versions))
      .then(
        () => {
          this.#snapshot = undefined;
        },
        (error: Error) => this.#broken(error),
      );
  }

  #broken(error: Error): void {
    this.#failure = new Error(`storage failed: ${error.message}`, { cause: error });
    for (const waiter of this.#waiting) waiter.reject(this.#failure);
    this.#waiting = [];
    this.#fail(this.#failure);
  }
}

function tombstone(previous: Version, revision: number): Version {
  const metadata = { ...previous.object.metadata, resourceVersion: String(revision) };
  const object: KubeObject = { ...previous.object, metadata };
  return { ...previous, revision, object, json: JSON.stringify(object) };
}
