/** The write-ahead log: records of many writers reach the disk with one fsync. */
import { closeSync, fdatasync, ftruncateSync, openSync, writev } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { syncDirectory } from '#system/files.ts';
import { frame } from './frames.ts';

const write = promisify(writev);
const sync = promisify(fdatasync);

/** Appends to one segment file after another. Nothing here reads: recovery does (recovery.ts). */
export class WriteAheadLog {
  #file: number;
  #bytes: number;
  #queue: Buffer[] = [];
  #queuedRevision = 0;
  #unwritten = 0;
  #flushing: Promise<void> | undefined;
  #failure: Error | undefined;
  #nextPath: string | undefined;
  readonly #onDurable: (revision: number) => void;
  readonly #onFailure: (error: Error) => void;

  /** `bytes` is where the last whole record ends: what follows is cut off. */
  constructor(
    path: string,
    bytes: number,
    onDurable: (revision: number) => void,
    onFailure: (error: Error) => void,
  ) {
    this.#file = openSegment(path);
    ftruncateSync(this.#file, bytes);
    this.#bytes = bytes;
    this.#onDurable = onDurable;
    this.#onFailure = onFailure;
  }

  /** Bytes of the present segment. */
  get size(): number {
    return this.#bytes;
  }

  /** Bytes that are queued or on their way to the disk. */
  get unwritten(): number {
    return this.#unwritten;
  }

  /** Queues a record; `onDurable` is called with its revision, or a later one, when it is on the disk. */
  append(revision: number, payload: string): void {
    const record = frame(payload);
    this.#queue.push(record);
    this.#unwritten += record.length;
    this.#queuedRevision = revision;
    this.#start();
  }

  /** From the next batch on, records go to a new segment file. */
  rotate(path: string): void {
    this.#nextPath = path;
    this.#start();
  }

  /** Waits for all that is queued, then closes the file. */
  async close(): Promise<void> {
    while (this.#flushing !== undefined) await this.#flushing;
    closeSync(this.#file);
  }

  #start(): void {
    if (this.#failure !== undefined || this.#flushing !== undefined) return;
    this.#flushing = this.#flush().then(
      () => {
        this.#flushing = undefined;
        if (this.#queue.length > 0 || this.#nextPath !== undefined) this.#start();
      },
      (error: Error) => {
        this.#flushing = undefined;
        this.#failure = error;
        this.#onFailure(error);
      },
    );
  }

  async #flush(): Promise<void> {
    // One turn of the loop lets requests that arrived together share the fsync.
    await new Promise(setImmediate);
    if (this.#nextPath !== undefined) {
      closeSync(this.#file);
      this.#file = openSegment(this.#nextPath);
      this.#nextPath = undefined;
      this.#bytes = 0;
    }
    if (this.#queue.length === 0) return;
    const batch = this.#queue;
    const revision = this.#queuedRevision;
    this.#queue = [];
    await writeAll(this.#file, batch);
    await sync(this.#file);
    for (const { length } of batch) {
      this.#bytes += length;
      this.#unwritten -= length;
    }
    this.#onDurable(revision);
  }
}

function openSegment(path: string): number {
  const file = openSync(path, 'a');
  syncDirectory(dirname(path));
  return file;
}

async function writeAll(file: number, buffers: readonly Buffer[]): Promise<void> {
  let rest: Buffer[] = buffers.length > 64 ? [Buffer.concat(buffers)] : [...buffers];
  while (rest.length > 0) {
    let { bytesWritten } = await write(file, rest);
    while (rest.length > 0 && bytesWritten >= rest[0]!.length) bytesWritten -= rest.shift()!.length;
    if (bytesWritten > 0) rest = [rest[0]!.subarray(bytesWritten), ...rest.slice(1)];
  }
}
