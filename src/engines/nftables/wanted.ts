/** The whole table that an intent asks for. */
import type { Steps } from '#system/steps.ts';
import type { Difference, Ledger } from './ledger.ts';
import type { Ruleset } from './objects.ts';
import { namedSets } from './sets.ts';
import { chainOnDemand } from './shared-chains.ts';
import { counters, staticChains } from './static.ts';

/** Elements between two rests. */
const stride = 64;

/** Everything the table must hold, and the entries that it can't. */
export function* wantedRuleset(
  ledger: Ledger,
): Steps<{ readonly ruleset: Ruleset; readonly problems: Difference['problems'] }> {
  const { elements, chains, counters: rules, problems } = yield* ledger.wanted();
  const bySet = new Map<string, Map<string, string>>(namedSets.map((set) => [set.name, new Map()]));
  for (const [index, { set, key, data = '' }] of elements.entries()) {
    bySet.get(set)!.set(key, data);
    if (index % stride === 0) yield;
  }
  const ruleset = {
    counters: new Set([...counters, ...rules]),
    sets: new Map(namedSets.map((set) => [set.name, set])),
    chains: new Map(
      [...staticChains(ledger.context()), ...chains.map((name) => chainOnDemand(name)!)].map((chain) => [
        chain.name,
        chain,
      ]),
    ),
    elements: bySet,
  };
  return { ruleset, problems };
}
