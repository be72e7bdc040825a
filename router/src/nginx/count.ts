/** Requests, counted by listener and route: in each worker's own tables first, and once a second in memory that all share. */
import {
  objectOf,
  type RouterAction,
  type RouterCount,
  type RouterListener,
  type RouterWay,
  refusals,
} from '../main.ts';
import { logRequest, unloggedLines } from './access-log.ts';
import { retireConfigurations } from './body-limit.ts';
import { failuresByBackend } from './failures.ts';
import { leaveTurn } from './firewall-turns.ts';
import { leaveAll } from './limits.ts';
import { settle } from './places.ts';
import { acceptedConnections, C, currentRequest, requestKey, variable } from './request.ts';
import { cellCounts } from './shared-cells.ts';
import { endVisit, type Visit, visitOf } from './visits.ts';

const counts = ngx.shared['netloom_counts']!;
const json = require('cjson.safe') as { readonly encode: (this: void, value: unknown) => string };

/** Upper bounds of durations in seconds; one more bucket takes what is longer. */
const bounds = [0.005, 0.025, 0.1, 0.5, 2.5, 10];
/** Pairs of listener and route that are told apart. */
const nameLimit = 4_096;
/** No pair: it has no tab. */
const others = 'other';
/** Pairs that are told before others get their turn. */
const tellBatch = 100;

/** In `numbers` of a count: answers by hundreds, durations by bucket, their sum in seconds, refusals by place in `refusals`. */
const firstDuration = 5;
const secondsAt = firstDuration + bounds.length + 1;
const firstRefusal = secondsAt + 1;

type Five = [number, number, number, number, number];
type Seven = [...Five, number, number];
type NumberOfEach<T extends readonly string[]> = { -readonly [At in keyof T]: number };
type Numbers = [...Five, ...Seven, number, ...NumberOfEach<typeof refusals>];

/** By key of the listener ('' without one), then by key of the action: of what no rule keeps. */
let byListener: Record<string, Record<string, RouterCount>> = {};
const dirty: RouterCount[] = [];

/** log_by_lua: the last that happens to a request. */
export function countRequest(): void {
  const pointer = currentRequest();
  const key = requestKey(pointer);
  const visit = visitOf(key);
  if (visit === undefined) return;
  // First of all: whatever else goes wrong, nobody is counted who isn't there any more.
  if (visit.inside !== undefined) leaveAll(visit);
  if (visit.turn !== undefined) leaveTurn(visit);
  const way = visit.way;
  const count = way === undefined ? countOf(visit.listener, visit.action) : countAtRule(visit, way);
  const numbers = count.numbers;
  const status = C.ngx_http_lua_ffi_get_resp_status(pointer);
  const seconds = C.ngx_http_lua_ffi_now() - C.ngx_http_lua_ffi_req_start_time(pointer);
  const place = status >= 500 ? 4 : status >= 400 ? 3 : status >= 300 ? 2 : status >= 200 ? 1 : 0;
  numbers[place] = numbers[place]! + 1;
  const bucket = firstDuration + bucketOf(seconds);
  numbers[bucket] = numbers[bucket]! + 1;
  numbers[secondsAt] = numbers[secondsAt]! + seconds;
  if (!count.dirty) {
    count.dirty = true;
    dirty.push(count);
  }
  if (visit.configurations !== undefined) retireConfigurations(visit);
  if (visit.action !== undefined && !visit.action.plain) settleLimits(visit, numbers, status);
  if (visit.shape !== undefined) {
    settle(pointer, visit.backend, visit.shape);
    logRequest(pointer, visit, status, seconds);
  }
  endVisit(key, visit);
}

/** What a policy left to do, whatever became of the request. */
function settleLimits(visit: Visit, numbers: number[], status: number): void {
  // nginx itself found it too long while it came in.
  if (visit.refusal === 0 && visit.mostBody > 0 && status === 413)
    visit.refusal = refusals.indexOf('body') + 1;
  if (visit.refusal === 0) return;
  const place = firstRefusal + visit.refusal - 1;
  numbers[place] = numbers[place]! + 1;
}

/** Writes what was counted. By a timer, and when a worker ends. */
export function writeCounts(): void {
  for (const count of dirty) {
    const place = placeOf(count.name);
    const numbers = count.numbers;
    for (let at = 0; at < 5; at++) add(place, 'c', at, numbers, 0);
    for (let at = 0; at <= bounds.length; at++) add(place, 'd', at, numbers, firstDuration);
    for (let at = 0; at < refusals.length; at++) add(place, 'r', at, numbers, firstRefusal);
    counts.incr(`${place}\ts`, numbers[secondsAt]!, 0);
    numbers[secondsAt] = 0;
    count.dirty = false;
  }
  while (dirty.length > 0) dirty.pop();
  // Routes that are gone leave with the next: what was counted is written.
  byListener = {};
}

/** GET /v1/metrics. */
export function tellCounts(): void {
  writeCounts();
  ngx.header['Content-Type'] = 'application/json';
  const pointer = currentRequest();
  const connections = {
    active: numberOf(pointer, 'connections_active'),
    reading: numberOf(pointer, 'connections_reading'),
    writing: numberOf(pointer, 'connections_writing'),
    waiting: numberOf(pointer, 'connections_waiting'),
    accepted: acceptedConnections(),
  };
  const limited = `"refusals":${json.encode(refusals)},"limits":${json.encode(cellCounts())}`;
  const shaped = `"backends":${listOf(failuresByBackend())},"unlogged":${unloggedLines()}`;
  ngx.print(
    `{"connections":${json.encode(connections)},${shaped},${limited},"bounds":${json.encode(bounds)},"routes":[`,
  );
  const [top] = counts.get('top');
  const last = top === undefined ? 0 : (top as number);
  for (let place = 1; place <= last; place++) {
    ngx.print(place === 1 ? '' : ',', json.encode(routeAt(place)));
    if (place % tellBatch === 0) ngx.flush(true);
  }
  ngx.print(']}');
}

/** An empty one would be an object to this encoder. */
function listOf(this: void, values: readonly unknown[]): string {
  return values.length === 0 ? '[]' : json.encode(values);
}

/** Found again at its rule. */
function countAtRule(visit: Visit, way: RouterWay): RouterCount {
  const known = way.count;
  if (known !== undefined) return known;
  const made = createCount(visit.listener, visit.action);
  way.count = made;
  return made;
}

function countOf(listener: RouterListener | undefined, action: RouterAction | undefined): RouterCount {
  const listenerKey = listener === undefined ? '' : listener.key;
  let byAction = byListener[listenerKey];
  if (byAction === undefined) {
    byAction = {};
    byListener[listenerKey] = byAction;
  }
  const actionKey = action === undefined ? '' : action.key;
  const known = byAction[actionKey];
  if (known !== undefined) return known;
  const made = createCount(listener, action);
  byAction[actionKey] = made;
  return made;
}

function createCount(listener: RouterListener | undefined, action: RouterAction | undefined): RouterCount {
  const route = action === undefined ? '' : objectOf(action);
  // Written out: neither a loop nor a closure can be compiled into whoever calls it.
  const numbers = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] satisfies Numbers;
  return { name: `${listener === undefined ? '' : listener.key}\t${route}`, numbers, dirty: false };
}

/** By hand: a loop would keep LuaJIT from compiling what calls it. */
function bucketOf(seconds: number): number {
  if (seconds <= 0.005) return 0;
  if (seconds <= 0.025) return 1;
  if (seconds <= 0.1) return 2;
  if (seconds <= 0.5) return 3;
  if (seconds <= 2.5) return 4;
  return seconds <= 10 ? 5 : 6;
}

/** Where a pair of listener and route is counted; those that are too many: together, in the one place more than there may be. */
function placeOf(name: string): number {
  const key = `n\t${name}`;
  const [known] = counts.get(key);
  if (known !== undefined) return known as number;
  const [top] = counts.get('top');
  if (top !== undefined && (top as number) >= nameLimit && name !== others) return placeOf(others);
  const [place] = counts.incr('top', 1, 0);
  if (place === undefined) return 0;
  const [added] = counts.add(key, place);
  if (!added) {
    const [other] = counts.get(key);
    return other === undefined ? place : (other as number);
  }
  counts.set(`p\t${place}`, name);
  return place;
}

/** Most are 0: no key is made for those. */
function add(this: void, place: number, letter: string, at: number, numbers: number[], first: number): void {
  const value = numbers[first + at]!;
  if (value === 0) return;
  counts.incr(`${place}\t${letter}${at}`, value, 0);
  numbers[first + at] = 0;
}

function routeAt(place: number): unknown {
  const [name] = counts.get(`p\t${place}`);
  const text = name === undefined ? '' : (name as string);
  const tab = text.indexOf('\t');
  const codes: number[] = [];
  for (let at = 0; at < 5; at++) codes.push(countAt(`${place}\tc${at}`));
  const durations: number[] = [];
  for (let at = 0; at <= bounds.length; at++) durations.push(countAt(`${place}\td${at}`));
  const refused: number[] = [];
  for (let at = 0; at < refusals.length; at++) refused.push(countAt(`${place}\tr${at}`));
  return {
    listener: tab === -1 ? '' : text.slice(0, tab),
    route: text.slice(tab + 1),
    codes,
    durations,
    refused,
    seconds: countAt(`${place}\ts`),
  };
}

function countAt(key: string): number {
  const [value] = counts.get(key);
  return value === undefined ? 0 : (value as number);
}

function numberOf(pointer: FFIPointer, name: string): number {
  const value = tonumber(variable(pointer, name));
  return value === undefined ? 0 : value;
}
