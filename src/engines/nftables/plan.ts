/** What must be done so that the table holds what is wanted: pure, as one transaction. */
import type { Steps } from '#system/steps.ts';
import type { Difference } from './ledger.ts';
import {
  type Chain,
  type Element,
  type NamedSet,
  type Operation,
  type Ruleset,
  sameChain,
  sameSet,
} from './objects.ts';
import { learntSets } from './sets.ts';
import { chainOnDemand } from './shared-chains.ts';

/** Elements in one statement: nft needs 4 times the memory when each has its own. */
const chunk = 500;
/** Elements that are compared between two rests. */
const stride = 64;

export type PlanOptions = {
  /**
   * False while the whole intent isn't known yet: adds what is wanted, removes and replaces nothing but what contradicts it.
   * A restarted process must not take away what its predecessor was told.
   */
  readonly sweep: boolean;
  /** Whether a learnt element still holds. */
  readonly stillValid: (element: Element) => boolean;
};

/** From what is there to what is wanted; empty when they are the same. `actual` undefined: there is no table. */
export function* plan(
  actual: Ruleset | undefined,
  wanted: Ruleset,
  options: PlanOptions,
): Steps<readonly Operation[]> {
  if (actual === undefined) return [{ op: 'addTable' }, ...build(wanted)];
  const { sweep } = options;
  const changedSets = [...actual.sets.values()].filter((set) => {
    const want = wanted.sets.get(set.name);
    return want === undefined ? sweep : !sameSet(set, want);
  });
  const gone = new Set(changedSets.map((set) => set.name));
  const flushed = [...actual.chains.values()].filter((chain) => {
    const want = wanted.chains.get(chain.name);
    const uses = chain.rules.some((rule) => mentions(rule.statement, gone));
    if (want === undefined) return sweep || uses;
    return uses || (sweep && !sameChain(chain, want));
  });
  const deleted = flushed.filter((chain) => {
    const want = wanted.chains.get(chain.name);
    return want === undefined || !sameChain({ ...chain, rules: [] }, { ...want, rules: [] });
  });
  const deletedNames = new Set(deleted.map((chain) => chain.name));
  const flushedNames = new Set(flushed.map((chain) => chain.name));
  const elements = yield* elementChanges(actual, wanted, gone, options);
  const counters = [...actual.counters].filter((name) => sweep && !wanted.counters.has(name));
  const missing = (name: string) => !actual.chains.has(name) || deletedNames.has(name);
  const wantedChains = [...wanted.chains.values()];
  return [
    ...elements.deleted,
    ...flushed.map((chain): Operation => ({ op: 'flushChain', name: chain.name })),
    ...changedSets.map((set): Operation => ({ op: 'deleteSet', set })),
    ...deleted.map((chain): Operation => ({ op: 'deleteChain', name: chain.name })),
    ...counters.map((name): Operation => ({ op: 'deleteCounter', name })),
    ...build({
      counters: new Set([...wanted.counters].filter((name) => !actual.counters.has(name))),
      sets: new Map([...wanted.sets].filter(([name]) => !actual.sets.has(name) || gone.has(name))),
      chains: new Map(
        wantedChains.filter((chain) => missing(chain.name)).map((chain) => [chain.name, chain]),
      ),
      elements: new Map(),
    }),
    ...wantedChains.filter((chain) => flushedNames.has(chain.name) && !missing(chain.name)).flatMap(addRules),
    ...elements.added,
  ];
}

/** A change of the intent on a table that holds the intent before it: touches the change's elements only. */
export function planChange(
  difference: Difference,
  chainsBefore: readonly Chain[],
  chainsAfter: readonly Chain[],
): readonly Operation[] {
  const before = new Map(chainsBefore.map((chain) => [chain.name, chain]));
  const after = new Set(chainsAfter.map((chain) => chain.name));
  const replaced = chainsAfter.filter((chain) => {
    const old = before.get(chain.name);
    return old !== undefined && !sameChain(old, chain);
  });
  const created = [
    ...difference.addedChains.map((name) => chainOnDemand(name)!),
    ...chainsAfter.filter((chain) => !before.has(chain.name)),
  ];
  const removed = [
    ...difference.removedChains,
    // A chain stands before the ones that call it.
    ...chainsBefore
      .map((chain) => chain.name)
      .filter((name) => !after.has(name))
      .toReversed(),
  ];
  return [
    ...deleteElements(difference.removed),
    ...removed.map((name): Operation => ({ op: 'flushChain', name })),
    ...replaced.map((chain): Operation => ({ op: 'flushChain', name: chain.name })),
    ...removed.map((name): Operation => ({ op: 'deleteChain', name })),
    ...difference.removedCounters.map((name): Operation => ({ op: 'deleteCounter', name })),
    ...difference.addedCounters.map((name): Operation => ({ op: 'addCounter', name })),
    ...created.map((chain): Operation => ({ op: 'addChain', chain })),
    ...[...created, ...replaced].flatMap(addRules),
    ...addElements(difference.added),
  ];
}

/**
 * Deletes learnt elements, which may expire at any moment: adding one first makes sure that it is there to be deleted
 * (`destroy element` would need kernel 6.3).
 */
export function forgetLearnt(elements: readonly Element[]): readonly Operation[] {
  const short = elements.map((each) => ({ ...each, key: `${each.key} timeout 1s` }));
  return [...addElements(short), ...deleteElements(elements)];
}

function build(wanted: Ruleset): readonly Operation[] {
  const chains = [...wanted.chains.values()];
  return [
    ...[...wanted.counters].map((name): Operation => ({ op: 'addCounter', name })),
    ...[...wanted.sets.values()].map((set): Operation => ({ op: 'addSet', set })),
    ...chains.map((chain): Operation => ({ op: 'addChain', chain })),
    ...chains.flatMap(addRules),
    ...[...wanted.elements].flatMap(([set, elements]) =>
      addElements([...elements].map(([key, data]) => elementOf(set, key, data))),
    ),
  ];
}

function* elementChanges(
  actual: Ruleset,
  wanted: Ruleset,
  gone: ReadonlySet<string>,
  options: PlanOptions,
): Steps<{ readonly deleted: readonly Operation[]; readonly added: readonly Operation[] }> {
  const deleted: Element[] = [];
  const added: Element[] = [];
  const forgotten: Element[] = [];
  const none: ReadonlyMap<string, string> = new Map();
  for (const [set, here] of actual.elements) {
    if (gone.has(set)) continue;
    const want = wanted.elements.get(set) ?? none;
    let seen = 0;
    for (const [key, data] of here) {
      if (seen++ % stride === 0) yield;
      const element = elementOf(set, key, data);
      if (learntSets.has(set)) {
        if (options.sweep && !options.stillValid(element)) forgotten.push(element);
      } else if (want.get(key) !== data && (options.sweep || want.has(key))) deleted.push(element);
    }
  }
  for (const [set, want] of wanted.elements) {
    const here = gone.has(set) ? none : (actual.elements.get(set) ?? none);
    let seen = 0;
    for (const [key, data] of want) {
      if (seen++ % stride === 0) yield;
      if (here.get(key) !== data) added.push(elementOf(set, key, data));
    }
  }
  return { deleted: [...deleteElements(deleted), ...forgetLearnt(forgotten)], added: addElements(added) };
}

function addElements(elements: readonly Element[]): readonly Operation[] {
  return bySet(elements).flatMap(([set, some]) =>
    chunks(some).map((part): Operation => ({ op: 'addElements', set, elements: part })),
  );
}

function deleteElements(elements: readonly Element[]): readonly Operation[] {
  return bySet(elements).flatMap(([set, some]) =>
    chunks(some).map(
      (part): Operation => ({ op: 'deleteElements', set, keys: part.map((element) => element.key) }),
    ),
  );
}

function bySet(elements: readonly Element[]): readonly [string, readonly Element[]][] {
  const sets = new Map<string, Element[]>();
  for (const element of elements) {
    const some = sets.get(element.set);
    if (some === undefined) sets.set(element.set, [element]);
    else some.push(element);
  }
  return [...sets];
}

function chunks<T>(all: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(all.length / chunk) }, (_, i) =>
    all.slice(i * chunk, (i + 1) * chunk),
  );
}

function addRules(chain: Chain): readonly Operation[] {
  return chain.rules.map((rule) => ({ op: 'addRule', chain: chain.name, rule }));
}

function elementOf(set: string, key: string, data: string): Element {
  return data === '' ? { set, key } : { set, key, data };
}

function mentions(statement: string, sets: ReadonlySet<string>): boolean {
  if (sets.size === 0) return false;
  return [...statement.matchAll(/@([A-Za-z]\w*)/g)].some((match) => sets.has(match[1]!));
}

/** What stood open when `actual` was found instead of `wanted`: chains that were gone or changed, and managed elements missing. */
export function openings(actual: Ruleset | undefined, wanted: Ruleset): readonly string[] {
  if (actual === undefined) return ['the whole table was gone: nothing was guarded, translated or filtered'];
  const chains = [...wanted.chains.values()].flatMap((chain) => {
    const here = actual.chains.get(chain.name);
    if (here === undefined) return [`chain ${chain.name} was gone`];
    return sameChain(here, chain) ? [] : [`chain ${chain.name} was changed`];
  });
  const sets = [...wanted.sets.values()].flatMap((set: NamedSet) => {
    const here = actual.elements.get(set.name);
    if (here === undefined) return [`${set.kind} ${set.name} was gone`];
    if (learntSets.has(set.name)) return [];
    const want = wanted.elements.get(set.name) ?? new Map<string, string>();
    const missing = [...want].filter(([key, data]) => here.get(key) !== data).length;
    const extra = [...here.keys()].filter((key) => !want.has(key)).length;
    if (missing === 0 && extra === 0) return [];
    return [`${set.kind} ${set.name}: ${missing} elements missing or changed, ${extra} foreign ones`];
  });
  return [...chains, ...sets];
}
