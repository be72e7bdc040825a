/**
 * Rate limits: a bucket of tokens for each key of a counter. A place holds the moment at which its bucket is full again, so that an idle one
 * needs no place at all, and time alone fills it.
 */
import { type CellKey, type CellTable, placeOf, setOf, waysOf, waysOfSet, writeKey } from './cells.ts';

export const bucketCells = 4;
/** Of a place, behind its key. */
const full = 3;

export type TokenRequest = {
  readonly key: CellKey;
  /** Tokens of a full bucket. */
  readonly most: number;
  /** Milliseconds until a token comes back. */
  readonly interval: number;
};

/** Rounding of sums that should be exact. Milliseconds. */
const tolerance = 0.001;

/**
 * Takes a token from each, or from none. Milliseconds until all had one; 0: taken. Whoever calls has the table for himself meanwhile. `evicted`
 * is told when a bucket that wasn't full had to make room.
 */
export function takeTokens(
  table: CellTable,
  asked: readonly TokenRequest[],
  now: number,
  evicted: (this: void) => void,
): number {
  let wait = 0;
  for (let at = 0; at < asked.length; at++) {
    const { key, most, interval } = asked[at]!;
    const place = placeOf(table, key);
    const until = place === -1 ? now : Math.max(now, table.cells[place + full]!);
    wait = Math.max(wait, most < 1 ? interval : until + interval - now - most * interval);
  }
  if (wait > tolerance) return wait;
  for (let at = 0; at < asked.length; at++) {
    const { key, interval } = asked[at]!;
    const known = placeOf(table, key);
    const place = known === -1 ? makeRoom(table, key, now, evicted) : known;
    const until = known === -1 ? now : Math.max(now, table.cells[place + full]!);
    if (known === -1) writeKey(table, place, key);
    table.cells[place + full] = until + interval;
  }
  return 0;
}

/** Of what shouldn't have cost one. */
export function returnTokens(table: CellTable, asked: readonly TokenRequest[]): void {
  for (let at = 0; at < asked.length; at++) {
    const { key, interval } = asked[at]!;
    const place = placeOf(table, key);
    if (place !== -1) table.cells[place + full] = table.cells[place + full]! - interval;
  }
}

/** A place whose bucket is full is as good as none; else the nearest to it of the counter that has most places in the set. */
function makeRoom(table: CellTable, key: CellKey, now: number, evicted: (this: void) => void): number {
  const set = setOf(table, key);
  const { cells, stride } = table;
  let found = set;
  let most = -1;
  for (let way = 0; way < waysOfSet; way++) {
    const place = set + way * stride;
    if (cells[place + full]! <= now) return place;
    // Of those that have as many, one's own comes first.
    const own = cells[place] === key.counter ? 0.5 : 0;
    const ways = waysOf(table, set, cells[place]!) + own;
    if (ways > most || (ways === most && cells[place + full]! < cells[found + full]!)) {
      most = ways;
      found = place;
    }
  }
  evicted();
  return found;
}
