/**
 * How many requests of a key there are at once. Each worker's share stands beside the sum, so that what a worker held that died is given
 * back. A place is free once nobody is inside; none is ever taken away from whoever is.
 */
import { type CellKey, type CellTable, placeOf, setOf, waysOfSet, writeKey } from './cells.ts';

/** Workers that are told apart, those before a reload among them. */
export const workerColumns = 64;
export const turnstileCells = 4 + workerColumns;
/** Of a place, behind its key: the sum, then the workers' shares. */
const sum = 3;
/** So many of a set one counter may have: a tenant with many clients leaves room for others. */
const mostWays = 4;

/** Index of the place; -1: there are `most` inside already; -2: there is no place for another key. */
export function enter(table: CellTable, key: CellKey, most: number, column: number): number {
  const { cells } = table;
  const known = placeOf(table, key);
  const place = known === -1 ? freePlace(table, key) : known;
  if (place === -1) return -2;
  const inside = known === -1 ? 0 : cells[place + sum]!;
  if (inside >= most) return -1;
  if (known === -1) writeKey(table, place, key);
  cells[place + sum] = inside + 1;
  cells[place + sum + 1 + column] = cells[place + sum + 1 + column]! + 1;
  return place;
}

export function leave(table: CellTable, place: number, column: number): void {
  const { cells } = table;
  const share = place + sum + 1 + column;
  if (cells[share]! <= 0) return;
  cells[share] = cells[share]! - 1;
  cells[place + sum] = cells[place + sum]! - 1;
}

/** Whoever had this column is gone, and whatever it served. */
export function forgetWorker(table: CellTable, column: number): void {
  const { cells, stride } = table;
  const end = table.from + table.sets * waysOfSet * stride;
  for (let place = table.from; place < end; place += stride) {
    const share = cells[place + sum + 1 + column]!;
    if (share > 0) {
      cells[place + sum] = cells[place + sum]! - share;
      cells[place + sum + 1 + column] = 0;
    }
  }
}

function freePlace(table: CellTable, key: CellKey): number {
  const set = setOf(table, key);
  let free = -1;
  let own = 0;
  for (let way = waysOfSet - 1; way >= 0; way--) {
    const place = set + way * table.stride;
    if (table.cells[place + sum] === 0) free = place;
    else if (table.cells[place] === key.counter) own += 1;
  }
  return own >= mostWays ? -1 : free;
}
