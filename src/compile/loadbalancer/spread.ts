/** Which node announces which Services: evenly, and moved as seldom as can be. Pure. */
import { sha256 } from '#net/sha256.ts';
import type { EligibleNode } from './candidates.ts';

/** What is announced by one node: a Service, or several that share an address. */
export type Announced = {
  /** Of its first Service. */
  readonly key: string;
  /** Its first address, by which nodes settle who answers until an announcer is written (`inOrder`). Absent: by the key. */
  readonly address?: string | undefined;
  readonly eligible: readonly EligibleNode[];
  /** As it is written now, if its Services agree. */
  readonly announcer: string | undefined;
};

/**
 * The announcer of each, by key; undefined: nobody may. One that may stays, unless a node with more weight is there. Others go where the fewest are, among the nodes with the most
 * weight. Only when a node has none and another one more than one (it came, or came back) are some moved there and to others, until
 * none has two more than another that could have it.
 *
 * `absent`: nodes from which nothing was heard lately. They get nothing new, and keep what they have: who answers meanwhile the nodes
 * settle among themselves, and when they are back nothing has to move.
 *
 * `hasJoined`: a node came since the last time. Otherwise who has none and who has many is somebody's wish, and stays.
 */
export function spread(
  all: readonly Announced[],
  absent: ReadonlySet<string> = new Set(),
  hasJoined = true,
): ReadonlyMap<string, string | undefined> {
  const options = new Map<string, readonly string[]>();
  const load = new Map<string, number>();
  const places = place(all, load, absent, options);
  if (hasJoined && hasNewcomer(load)) even(places, options, load);
  return places;
}

/** The same of some, beside all others: `load` says how many of those each node has, and these are added to it. Nobody is moved for them. */
export function spreadMore(
  some: readonly Announced[],
  load: Map<string, number>,
  absent: ReadonlySet<string>,
): ReadonlyMap<string, string | undefined> {
  return place(some, load, absent, new Map());
}

/** Notes in `options` where each may be. */
function place(
  all: readonly Announced[],
  load: Map<string, number>,
  absent: ReadonlySet<string>,
  options: Map<string, readonly string[]>,
): Map<string, string | undefined> {
  const places = new Map<string, string | undefined>();
  const count = (node: string, by: number) => load.set(node, (load.get(node) ?? 0) + by);
  const waiting: Announced[] = [];
  for (const each of [...all].sort((a, b) => (a.key < b.key ? -1 : 1))) {
    const best = bestOf(each.eligible, absent);
    options.set(each.key, best);
    for (const node of best) count(node, 0);
    if (each.announcer !== undefined && mayStay(each, best)) {
      places.set(each.key, each.announcer);
      count(each.announcer, 1);
    } else waiting.push(each);
  }
  // Those with the fewest choices first: what can only be here is not crowded out by what could be elsewhere.
  waiting.sort((a, b) => options.get(a.key)!.length - options.get(b.key)!.length);
  for (const { key, address = key } of waiting) {
    const chosen = leastLoaded(options.get(key)!, load, address);
    places.set(key, chosen);
    if (chosen !== undefined) count(chosen, 1);
  }
  return places;
}

function mayStay({ announcer, eligible }: Announced, best: readonly string[]): boolean {
  const weightOf = (name: string | undefined) => eligible.find(({ node }) => node === name)?.weight;
  const own = weightOf(announcer);
  return own !== undefined && own >= (weightOf(best[0]) ?? 0);
}

/** Of the present nodes those with the most weight; when none is present, of all. */
function bestOf(eligible: readonly EligibleNode[], absent: ReadonlySet<string>): readonly string[] {
  const present = eligible.filter(({ node }) => !absent.has(node));
  const choice = present.length > 0 ? present : eligible;
  const most = Math.max(...choice.map(({ weight }) => weight));
  return choice.filter(({ weight }) => weight === most).map(({ node }) => node);
}

/** Of those with the fewest the one that answers already: an address that moves twice loses twice what stands. */
function leastLoaded(
  nodes: readonly string[],
  load: ReadonlyMap<string, number>,
  address: string,
): string | undefined {
  let best: { readonly node: string; readonly load: number; readonly hash: string } | undefined;
  for (const node of nodes) {
    const own = load.get(node) ?? 0;
    if (best !== undefined && own > best.load) continue;
    const hash = sha256(`${node}#${address}`);
    if (best === undefined || own < best.load || hash < best.hash) best = { node, load: own, hash };
  }
  return best?.node;
}

/** A node that could have some has none, and some other has several. */
function hasNewcomer(load: ReadonlyMap<string, number>): boolean {
  const loads = [...load.values()];
  return loads.includes(0) && loads.some((each) => each > 1);
}

/** Each move takes from a node that has at least two more than the one that gets it, so it ends; the widest gap goes first. */
function even(
  places: Map<string, string | undefined>,
  options: ReadonlyMap<string, readonly string[]>,
  load: Map<string, number>,
): void {
  const held = new Map<string, Set<string>>();
  for (const [key, node] of places) {
    if (node === undefined) continue;
    const keys = held.get(node) ?? new Set();
    held.set(node, keys.add(key));
  }
  for (let move = nextMove(held, options, load); move !== undefined; move = nextMove(held, options, load)) {
    const { key, from, to } = move;
    held.get(from)!.delete(key);
    const keys = held.get(to) ?? new Set();
    held.set(to, keys.add(key));
    places.set(key, to);
    load.set(from, load.get(from)! - 1);
    load.set(to, load.get(to)! + 1);
  }
}

function nextMove(
  held: ReadonlyMap<string, ReadonlySet<string>>,
  options: ReadonlyMap<string, readonly string[]>,
  load: ReadonlyMap<string, number>,
): { readonly key: string; readonly from: string; readonly to: string } | undefined {
  const byLoad = [...load].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([node]) => node);
  for (const from of byLoad) {
    for (const to of byLoad.toReversed()) {
      if (load.get(from)! - load.get(to)! < 2) break;
      // One that is not where it would be put today (an absent node, one of less weight) moves only when that changes.
      for (const key of held.get(from) ?? [])
        if (options.get(key)!.includes(to) && options.get(key)!.includes(from)) return { key, from, to };
    }
  }
  return undefined;
}
