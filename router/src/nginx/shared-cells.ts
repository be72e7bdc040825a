/**
 * Memory of numbers that all workers share, and a lock around it. A dictionary of lua-nginx-module has no compare-and-set, and lets the keys
 * of one tenant push out another's; here a limit is exact however many workers count, and who may push out whom is our own decision.
 *
 *     0       the lock   16 secrets of digests (2)   18 evicted   19 refused for want of a place   64 to 127: process of each column
 *     512     buckets, then turnstiles
 *
 * Anonymous memory is there once it is written to: what nobody limits costs nothing. The lock is a robust mutex: of a worker that died with
 * it, the next learns so and goes on.
 */
import {
  bucketCells,
  type Cells,
  type CellTable,
  forgetWorker,
  turnstileCells,
  workerColumns,
} from '../main.ts';
import { requestKey } from './request.ts';

const ffi = require('ffi') as FFI;
const memories = ngx.shared['netloom_lock']!;

ffi.cdef(`
int pthread_mutexattr_init(void *attributes);
int pthread_mutexattr_setpshared(void *attributes, int shared);
int pthread_mutexattr_setrobust(void *attributes, int robust);
int pthread_mutexattr_settype(void *attributes, int type);
int pthread_mutex_init(void *mutex, void *attributes);
int pthread_mutex_lock(void *mutex);
int pthread_mutex_consistent(void *mutex);
int pthread_mutex_unlock(void *mutex);
int kill(int pid, int signal);
`);
const C = ffi.C as unknown as SharedMemoryFunctions;

const secretsAt = 16;
const evictedAt = 18;
const refusedAt = 19;
const processesAt = 64;
const tablesAt = 512;
/** 131,072 buckets (4 MB) and 16,384 turnstiles (8.5 MB). */
const bucketSets = 16_384;
const turnstileSets = 2_048;
const bucketsLength = bucketSets * 8 * bucketCells;
const length = tablesAt + bucketsLength + turnstileSets * 8 * turnstileCells;
/** Of pthread_mutex_lock: who had it is dead. */
const ownerDied = 130;

type SharedTable = CellTable & { cells: Cells };

let cells: Cells = {};
let mutex: FFIPointer;
/** Their cells are there from init_by_lua on. */
export const buckets: SharedTable = { cells, from: tablesAt, sets: bucketSets, stride: bucketCells };
export const turnstiles: SharedTable = {
  cells,
  from: tablesAt + bucketsLength,
  sets: turnstileSets,
  stride: turnstileCells,
};
/** This worker's among the columns of turnstiles. */
let column = workerColumns - 1;

/** In init_by_lua: workers are forked from here. The memory is found again after a reload. */
export function shareCells(): void {
  const [known] = memories.get('cells');
  // Readable and writable; shared and of no file.
  const memory =
    known === undefined
      ? ffi.C.mmap(undefined, length * 8, 3, 0x21, -1, 0)
      : ffi.cast('void *', known as number);
  const numbers = ffi.cast('double *', memory) as unknown as FFICells<number>;
  cells = numbers;
  mutex = memory;
  buckets.cells = cells;
  turnstiles.cells = cells;
  if (known !== undefined) return;
  const attributes = ffi.new<number>('char[64]');
  C.pthread_mutexattr_init(attributes);
  C.pthread_mutexattr_setpshared(attributes, 1);
  C.pthread_mutexattr_setrobust(attributes, 1);
  // Who has it already, since something failed meanwhile, is told so (and goes on) rather than waiting for himself.
  C.pthread_mutexattr_settype(attributes, 2);
  C.pthread_mutex_init(mutex, attributes);
  const [file] = io.open('/dev/urandom', 'r');
  const bytes = file === undefined ? undefined : file.read(6);
  if (file !== undefined) file.close();
  const drawn = bytes === undefined || bytes.length < 6 ? tostring(ngx.now() * 1000) : bytes;
  for (let at = 0; at < 2; at++) {
    const [one = 1, two = 2, three = 3] = [0, 1, 2].map((byte) => drawn.charCodeAt(3 * at + byte));
    cells[secretsAt + at] = ((one * 65_536 + two * 256 + three) % 900_000) + 100_000;
  }
  memories.set('cells', requestKey(memory));
}

/** In init_worker_by_lua: what workers held that are gone is given back, and this one gets a column of its own. */
export function enterWorker(): void {
  lock();
  let free = -1;
  for (let at = 0; at < workerColumns - 1; at++) {
    const pid = cells[processesAt + at]!;
    if (pid !== 0 && C.kill(pid, 0) !== 0) {
      forgetWorker(turnstiles, at);
      cells[processesAt + at] = 0;
    }
    if (free === -1 && cells[processesAt + at] === 0) free = at;
  }
  // With so many that drain, the last column is shared, and given back by none.
  column = free === -1 ? workerColumns - 1 : free;
  if (free !== -1) cells[processesAt + free] = ngx.worker.pid();
  unlock();
}

export function workerColumn(): number {
  return column;
}

/** Nothing that is done meanwhile may fail, or wait. */
export function lock(): void {
  if (C.pthread_mutex_lock(mutex) === ownerDied) C.pthread_mutex_consistent(mutex);
}

export function unlock(): void {
  C.pthread_mutex_unlock(mutex);
}

export function secret(which: number): number {
  return cells[secretsAt + which]!;
}

export function countEvicted(this: void): void {
  cells[evictedAt] = cells[evictedAt]! + 1;
}

export function countRefused(): void {
  cells[refusedAt] = cells[refusedAt]! + 1;
}

/** Since nginx began. */
export function cellCounts(): { readonly evicted: number; readonly refused: number } {
  return { evicted: cells[evictedAt]!, refused: cells[refusedAt]! };
}
