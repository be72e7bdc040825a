/**
 * Counters in numbered cells, which nginx's workers share: places in sets of eight, found by what is counted (a counter's number and two of
 * its key, all drawn by a secret, so that nobody can choose whose place he gets). Fixed in size: what is not there any more is the oldest of
 * whoever has most.
 */

/** Doubles, counted from 0 in both languages: an array of C in nginx. */
export type Cells = { [index: number]: number };

/** What is counted, by its numbers. */
export type CellKey = {
  /** Of the counter. */
  readonly counter: number;
  readonly one: number;
  readonly other: number;
};

export type CellTable = {
  readonly cells: Cells;
  /** Index of its first cell. */
  readonly from: number;
  readonly sets: number;
  /** Cells of a place; the first three are its key. */
  readonly stride: number;
};

export const waysOfSet = 8;

/** Below 2^32. `secret` is below 2^20, so that every product is exact in both languages. */
export function keyedDigest(text: string, secret: number): number {
  let hash = text.length + 1;
  for (let at = 0; at < text.length; at++) hash = (hash * secret + text.charCodeAt(at) + 1) % 4_294_967_291;
  return hash;
}

/** Index of the first cell of the set that a key's place is in. */
export function setOf(table: CellTable, key: CellKey): number {
  return table.from + ((key.one + key.counter) % table.sets) * waysOfSet * table.stride;
}

/** Index of its place; -1: it has none. */
export function placeOf(table: CellTable, key: CellKey): number {
  const { cells, stride } = table;
  let place = setOf(table, key);
  for (let way = 0; way < waysOfSet; way++) {
    if (cells[place] === key.counter && cells[place + 1] === key.one && cells[place + 2] === key.other)
      return place;
    place += stride;
  }
  return -1;
}

/** How many places of a set a counter has. */
export function waysOf(table: CellTable, set: number, counter: number): number {
  let ways = 0;
  for (let way = 0; way < waysOfSet; way++) {
    if (table.cells[set + way * table.stride] === counter) ways += 1;
  }
  return ways;
}

export function writeKey(table: CellTable, place: number, key: CellKey): void {
  table.cells[place] = key.counter;
  table.cells[place + 1] = key.one;
  table.cells[place + 2] = key.other;
}
