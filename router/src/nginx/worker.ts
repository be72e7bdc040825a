/** The table of this worker: made from what nginx holds when it starts, and brought up to date before each request that finds it behind. */
import type { GatewayChange } from '../../../src/intent/gateway.ts';
import { applyChange, createTable, type RouterTable } from '../main.ts';
import { changeLines, countPlaces, eachLine, entryAt, isPart, storedVersion } from './store.ts';

const json = require('cjson.safe') as { readonly decode: (this: void, text: string) => unknown };

/** Entries that are put into the table at a time when all are read. */
const batch = 500;
/** A worker that begins reads so many changes one after the other, or else all entries: of a change that isn't whole these show a part. */
const patience = 64;

const domains = [
  'ports',
  'listeners',
  'rules',
  'actions',
  'streams',
  'backends',
  'certificates',
  'authorities',
  'identities',
  'policies',
  'firewallRules',
  'users',
  'tenants',
];

let table: RouterTable = createTable();
/** Version that was read last. */
let position = 0;
/** Parts of a change that isn't whole yet: no request sees any of it. */
let pending: Changes | undefined;
let known = false;

/** As of the last change that nginx took. Runs for every request. */
export function currentTable(): RouterTable {
  const version = storedVersion();
  if (version !== position) advance(version);
  return table;
}

/** Nothing was ever said to this nginx, and it found nothing to start from: it knows nobody. */
export function knowsNothing(): boolean {
  return !known;
}

/** Mutable, while it is put together. The later of two words about one entry counts. */
type Changes = {
  put: Record<string, Record<string, unknown>>;
  remove: Record<string, Record<string, boolean>>;
  slots: Record<string, string>;
};

function advance(version: number): void {
  if (version < position || (position === 0 && version > patience) || !follow(version)) rebuild();
}

/** False: some change between isn't kept any more. */
function follow(version: number): boolean {
  for (let next = position + 1; next <= version; next++) {
    const lines = changeLines(next);
    if (lines === undefined) return false;
    const change = pending === undefined ? noChanges() : pending;
    eachLine(lines, 0, (domain, key, _start, end, valueStart) => {
      take(change, domain, key, valueStart > end ? undefined : lines.slice(valueStart, end));
    });
    pending = isPart(lines) ? change : undefined;
    if (pending === undefined) apply(change);
    position = next;
  }
  return true;
}

/** Reads all; what is changed meanwhile comes once more as changes, which does no harm. */
function rebuild(): void {
  const version = storedVersion();
  const places = countPlaces();
  table = createTable();
  pending = undefined;
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
  const put: Record<string, Record<string, unknown>> = {};
  const remove: Record<string, Record<string, boolean>> = {};
  for (const domain of domains) {
    put[domain] = {};
    remove[domain] = {};
  }
  return { put, remove, slots: {} };
}

function take(change: Changes, domain: string, key: string, text: string | undefined): void {
  if (domain === 'slots') {
    if (text !== undefined) change.slots[key] = text;
    return;
  }
  const put = change.put[domain];
  const removed = change.remove[domain];
  if (put === undefined || removed === undefined) return;
  if (text === undefined) {
    delete put[key];
    removed[key] = true;
    return;
  }
  const value = json.decode(text);
  if (value === undefined) {
    ngx.log(ngx.ERR, 'not JSON: ', domain, '/', key);
    return;
  }
  delete removed[key];
  put[key] = value;
}

function apply(change: Changes): void {
  const remove: Record<string, string[]> = {};
  for (const domain of domains) {
    const keys: string[] = [];
    for (const key in change.remove[domain]) keys.push(key);
    remove[domain] = keys;
  }
  applyChange(table, {
    generation: table.generation + 1,
    after: table.generation,
    replace: false,
    put: change.put as GatewayChange['put'],
    remove: remove as GatewayChange['remove'],
  });
  for (const slot in change.slots) table.slots[slot] = change.slots[slot]!;
  known = true;
}
