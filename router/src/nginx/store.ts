/**
 * What nginx holds, in memory that all its workers share and that outlives each of them: entries as lines, in numbered places, so that a
 * worker that starts can walk through them without holding up the others; and the last changes, as lines again, for those that run.
 *
 *     netloom_entries   `k⇥DOMAIN⇥KEY` its place · `n⇥PLACE` the line · `top` how many places · `free` list of those without a line
 *     netloom_changes   `generation` · `boot` · `c⇥VERSION` lines of one change · `address` of the number of the last
 *     netloom_lock      `lock`, while somebody writes · `writing`, until what is written has a version
 *
 * A place is written before the number of the version, so whoever sees the number sees the entry.
 */
import { sharedNumber } from './request.ts';

const entries = ngx.shared['netloom_entries']!;
const changes = ngx.shared['netloom_changes']!;
const locks = ngx.shared['netloom_lock']!;
const json = require('cjson.safe') as { readonly decode: (this: void, text: string) => unknown };

/** Changes that are kept: a worker that is further behind walks through all entries. */
const keptChanges = 256;
/** Bytes that stay free in the memory of entries: replacing one needs room for both. */
const reserve = 2 * 1024 * 1024;

export type Line = { readonly domain: string; readonly key: string; readonly text: string };

export type StoreProblem = { readonly entry: string; readonly reason: string };

/** The version once more, in memory that costs nothing to look at. */
let version = sharedNumber(undefined).cell;

/** Before workers begin. The memory is found again after a reload, whose workers live beside those before. */
export function shareVersion(): void {
  const [address] = changes.get('address');
  const shared = sharedNumber(address as number | undefined);
  version = shared.cell;
  if (address === undefined) changes.set('address', shared.address);
}

/** Of the last change; 0: there was none. Runs for every request. */
export function storedVersion(): number {
  return version[0]!;
}

export function storedGeneration(): number {
  const [generation] = changes.get('generation');
  return generation === undefined ? 0 : (generation as number);
}

/** Which memory this is; undefined: nothing was ever put into it. */
export function storedBoot(): string | undefined {
  const [boot] = changes.get('boot');
  return boot as string | undefined;
}

export function setBoot(boot: string): void {
  changes.set('boot', boot);
}

export function freeMemory(): number {
  return entries.free_space();
}

/** False: somebody else writes. The lock of a worker that died goes by itself. */
export function lockStore(): boolean {
  const [added] = locks.add('lock', 1, 5);
  return added;
}

export function unlockStore(): void {
  locks.delete('lock');
}

/**
 * Somebody died while he wrote: some entries may be new, and no change says so. With the lock: workers are made to read all entries, and
 * whoever knew the version before learns that it is another one.
 */
export function recoverStore(): void {
  const [writing] = locks.get('writing');
  if (writing === undefined) return;
  const next = storedVersion() + 1;
  for (let old = next - keptChanges; old <= next; old++) changes.delete(`c\t${old}`);
  version[0] = next;
  locks.delete('writing');
}

/**
 * Takes lines as one change. Needs the lock. `generation` undefined: it is a part, and more of the same change is to follow; workers act on
 * none of it before the last.
 */
export function storeLines(text: string, from: number, generation: number | undefined): StoreProblem[] {
  const problems: StoreProblem[] = [];
  const done: string[] = generation === undefined ? [part] : [];
  locks.set('writing', 1);
  eachLine(text, from, (domain, key, start, end, valueStart) => {
    if (valueStart > end) {
      removeEntry(domain, key);
      done.push(text.slice(start, end + 1));
      return;
    }
    const reason = putEntry(domain, key, text.slice(start, end));
    if (reason === undefined) {
      done.push(text.slice(start, end + 1));
      if (domain === 'ports') done.push(keepSlot(key, text.slice(valueStart, end)));
    } else problems.push({ entry: `${domain}/${key}`, reason });
    if (reason === lost) done.push(`${domain}\t${key}\t\n`);
  });
  const next = storedVersion() + 1;
  keepChange(next, done.join(''));
  if (generation !== undefined) changes.set('generation', generation);
  version[0] = next;
  locks.delete('writing');
  return problems;
}

/** No entry, so `eachLine` passes it over. */
const part = 'part\n';

/** Whether more of the same change is to follow. */
export function isPart(lines: string): boolean {
  return lines.indexOf(part) === 0;
}

/** Lines of one change; undefined: it isn't kept any more. */
export function changeLines(version: number): string | undefined {
  const [lines] = changes.get(`c\t${version}`);
  return lines as string | undefined;
}

/** How many places there are: `entryAt` of each is a line, or undefined. */
export function countPlaces(): number {
  const [top] = entries.get('top');
  return top === undefined ? 0 : (top as number);
}

export function entryAt(place: number): string | undefined {
  const [line] = entries.get(`n\t${place}`);
  return line as string | undefined;
}

/**
 * Calls with each line of `text` from index `from` on: domain, key, index of the line, of its line break, and of its value (behind the
 * break: none). What isn't such a line is left out.
 */
export function eachLine(
  text: string,
  from: number,
  take: (this: void, domain: string, key: string, start: number, end: number, valueStart: number) => void,
): void {
  let start = from;
  while (start < text.length) {
    let end = text.indexOf('\n', start);
    if (end === -1) end = text.length;
    const first = text.indexOf('\t', start);
    const second = first === -1 ? -1 : text.indexOf('\t', first + 1);
    if (second !== -1 && second < end) {
      const valueStart = second + 1 === end ? end + 1 : second + 1;
      take(text.slice(start, first), text.slice(first + 1, second), start, end, valueStart);
    }
    start = end + 1;
  }
}

/** Said when what was there before is gone, too. */
const lost = 'nginx has no memory for it';

/** Which port a listening socket serves; stays when the port goes, until another port takes it. Gives the line. */
function keepSlot(port: string, text: string): string {
  const intent = json.decode(text) as { readonly kind: string; readonly slot: number } | undefined;
  if (intent === undefined) return '';
  const key = `${intent.kind}/${intent.slot}`;
  const line = `slots\t${key}\t${port}`;
  putEntry('slots', key, line);
  return `${line}\n`;
}

/** Undefined: done. */
function putEntry(domain: string, key: string, line: string): string | undefined {
  if (entries.free_space() < reserve + 2 * line.length) return `${lost}; what it was before stays`;
  const name = `k\t${domain}\t${key}`;
  const [known] = entries.get(name);
  const place = known === undefined ? freePlace() : (known as number);
  const [stored] = entries.safe_set(`n\t${place}`, line);
  const [named] = stored === true && known === undefined ? entries.safe_set(name, place) : [stored];
  if (named === true) return undefined;
  entries.delete(`n\t${place}`);
  entries.delete(name);
  entries.lpush('free', place);
  return lost;
}

function removeEntry(domain: string, key: string): void {
  const name = `k\t${domain}\t${key}`;
  const [place] = entries.get(name);
  if (place === undefined) return;
  entries.delete(`n\t${place as number}`);
  entries.delete(name);
  entries.lpush('free', place as number);
}

function freePlace(): number {
  const [free] = entries.lpop('free');
  if (free !== undefined) return tonumber(free)!;
  const [top] = entries.incr('top', 1, 0);
  return top === undefined ? 1 : top;
}

function keepChange(version: number, lines: string): void {
  changes.delete(`c\t${version - keptChanges}`);
  const [kept] = changes.safe_set(`c\t${version}`, lines);
  if (kept === true) return;
  // Without memory for it workers walk through the entries.
  for (let old = version - keptChanges; old < version; old++) changes.delete(`c\t${old}`);
  changes.safe_set(`c\t${version}`, lines);
}
