/** What programs/gateway says to nginx and asks of it, over the unix socket: changes, status, entries. */
import {
  countPlaces,
  eachLine,
  entryAt,
  freeMemory,
  lockStore,
  recoverStore,
  type StoreProblem,
  setBoot,
  storedBoot,
  storedGeneration,
  storedVersion,
  storeLines,
  unlockStore,
} from './store.ts';
import { currentTable } from './worker.ts';

const json = require('cjson.safe') as {
  readonly encode: (this: void, value: unknown) => string;
  readonly decode: (this: void, text: string) => unknown;
};

type Head = { readonly boot?: string; readonly after?: number; readonly generation?: number };

/** Seconds that a change waits for another one. */
const lockPatience = 2;
/** Entries that are listed before others get their turn. */
const listBatch = 200;

/** Reads what nginx starts from, where no memory of an earlier start is left (a reload, a new binary). In init_by_lua. */
export function loadStart(path: string): void {
  if (storedBoot() !== undefined) return;
  setBoot(`${ngx.time()}-${ngx.worker.pid()}-${randomDigits()}`);
  const [file] = io.open(path, 'r');
  if (file === undefined) return;
  const text = file.read('*a');
  file.close();
  if (text === undefined) return;
  const { head, from } = readHead(text);
  if (head === undefined || head.generation === undefined) {
    ngx.log(ngx.ERR, path, ' is no list of entries');
    return;
  }
  const problems = storeLines(text, from, head.generation);
  for (const { entry, reason } of problems) ngx.log(ngx.ERR, entry, ': ', reason);
}

/** POST /v1/change: a head and lines. 409: it is for something else than is held. */
export function takeChange(): void {
  if (ngx.req.get_method() !== 'POST') ngx.exit(405);
  ngx.req.read_body();
  const text = bodyText();
  if (text === undefined) ngx.exit(400);
  const { head, from } = readHead(text!);
  if (head === undefined) ngx.exit(400);
  lock();
  recoverStore();
  if (head!.boot !== storedBoot() || head!.after !== storedVersion()) {
    unlockStore();
    ngx.status = 409;
    sayStatus();
    return;
  }
  const [done, found] = pcall(() => storeLines(text!, from, head!.generation));
  unlockStore();
  if (!done) {
    ngx.log(ngx.ERR, 'a change failed: ', tostring(found));
    ngx.exit(500);
  }
  currentTable();
  say(
    json.encode({
      version: storedVersion(),
      generation: storedGeneration(),
      problems: found as StoreProblem[],
    }),
  );
}

/** GET /v1/status. */
export function sayStatus(): void {
  say(
    json.encode({
      boot: storedBoot(),
      version: storedVersion(),
      generation: storedGeneration(),
      freeMemory: freeMemory(),
    }),
  );
}

/** GET /v1/entries: `DOMAIN⇥KEY⇥CRC-32 of the value` a line. Changes go on meanwhile, and who asks finds out by the version. */
export function listEntries(): void {
  ngx.header['Content-Type'] = 'text/plain';
  const places = countPlaces();
  let lines: string[] = [];
  for (let place = 1; place <= places; place++) {
    const line = entryAt(place);
    if (line !== undefined) {
      eachLine(line, 0, (domain, key, _start, end, valueStart) => {
        if (domain !== 'slots')
          lines.push(`${domain}\t${key}\t${ngx.crc32_long(line.slice(valueStart, end))}\n`);
      });
    }
    if (place % listBatch === 0) {
      ngx.print(lines.join(''));
      ngx.flush(true);
      lines = [];
    }
  }
  ngx.print(lines.join(''));
}

function readHead(text: string): { readonly head: Head | undefined; readonly from: number } {
  const end = text.indexOf('\n');
  if (end === -1) return { head: undefined, from: 0 };
  return { head: json.decode(text.slice(0, end)) as Head | undefined, from: end + 1 };
}

function bodyText(): string | undefined {
  const text = ngx.req.get_body_data();
  if (text !== undefined) return text;
  const path = ngx.req.get_body_file();
  if (path === undefined) return undefined;
  const [file] = io.open(path, 'r');
  if (file === undefined) return undefined;
  const read = file.read('*a');
  file.close();
  return read;
}

function lock(): void {
  const until = ngx.now() + lockPatience;
  while (!lockStore()) {
    if (ngx.now() > until) ngx.exit(503);
    ngx.sleep(0.001);
  }
}

function say(text: string): void {
  ngx.header['Content-Type'] = 'application/json';
  ngx.print(text);
}

function randomDigits(): string {
  const [file] = io.open('/dev/urandom', 'r');
  if (file === undefined) return '0';
  const bytes = file.read(8);
  file.close();
  return bytes === undefined ? '0' : string.format('%08x', ngx.crc32_long(bytes));
}
