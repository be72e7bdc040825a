/** The table of this worker: made from what nginx holds when it starts, and brought up to date before each request that finds it behind. */
import type { GatewayChange } from '../../../src/intent/gateway.ts';
import { applyChange, createTable, type RouterTable } from '../main.ts';
import { changeLines, countPlaces, eachLine, entryAt, storedVersion } from './store.ts';

const json = require('cjson.safe') as { readonly decode: (this: void, text: string) => unknown };

/** Entries that are put into the table at a time when all are read. */
const batch = 500;

let table: RouterTable = createTable();
let position = 0;

/** As of the last change that nginx took. Runs for every request. */
export function currentTable(): RouterTable {
  const version = storedVersion();
  if (version !== position) advance(version);
  return table;
}

/** Nothing was ever said to this nginx, and it found nothing to start from: it knows nobody. */
export function knowsNothing(): boolean {
  return position === 0;
}

/** Mutable, while it is put together. */
type Changes = {
  put: Record<string, Record<string, unknown>>;
  remove: Record<string, string[]>;
};

function advance(version: number): void {
  if (position === 0 || version < position || !follow(version)) rebuild();
}

/** False: some change between isn't kept any more. */
function follow(version: number): boolean {
  for (let next = position + 1; next <= version; next++) {
    const lines = changeLines(next);
    if (lines === undefined) return false;
    const change = noChanges();
    eachLine(lines, 0, (domain, key, _start, end, valueStart) => {
      take(change, domain, key, valueStart > end ? undefined : lines.slice(valueStart, end));
    });
    apply(change);
    position = next;
  }
  return true;
}

/** Reads all; what is changed meanwhile comes once more as changes, which does no harm. */
function rebuild(): void {
  const version = storedVersion();
  const places = countPlaces();
  table = createTable();
  let change = noChanges();
  let size = 0;
  for (let place = 1; place <= places; place++) {
    const line = entryAt(place);
    if (line !== undefined) {
      eachLine(line, 0, (domain, key, _start, end, valueStart) => {
        take(change, domain, key, line.slice(valueStart, end));
      });
      size += 1;
      if (size === batch) {
        apply(change);
        change = noChanges();
        size = 0;
      }
    }
  }
  apply(change);
  position = version;
}

/** In Lua there is no walking over what isn't there: every domain is. */
function noChanges(): Changes {
  const put: Record<string, Record<string, unknown>> = {
    ports: {},
    listeners: {},
    rules: {},
    actions: {},
    streams: {},
    backends: {},
    certificates: {},
    authorities: {},
    identities: {},
  };
  return { put, remove: {} };
}

function take(change: Changes, domain: string, key: string, text: string | undefined): void {
  if (domain === 'slots') {
    if (text !== undefined) table.slots[key] = text;
    return;
  }
  if (text === undefined) {
    const removed = change.remove[domain];
    if (removed === undefined) change.remove[domain] = [key];
    else removed.push(key);
    return;
  }
  const value = json.decode(text);
  if (value === undefined) {
    ngx.log(ngx.ERR, 'not JSON: ', domain, '/', key);
    return;
  }
  const put = change.put[domain];
  if (put !== undefined) put[key] = value;
}

/** Of one change no entry is both put and removed, so their order says nothing. */
function apply(change: Changes): void {
  applyChange(table, {
    generation: table.generation + 1,
    after: table.generation,
    replace: false,
    put: change.put as GatewayChange['put'],
    remove: change.remove as GatewayChange['remove'],
  });
}
