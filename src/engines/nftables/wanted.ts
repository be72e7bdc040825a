/** The whole table that an intent asks for. */
import type { Ledger } from './ledger.ts';
import type { Ruleset } from './objects.ts';
import { namedSets } from './sets.ts';
import { chainOnDemand } from './shared-chains.ts';
import { counters, staticChains } from './static.ts';

/** Everything the table must hold. */
export function wantedRuleset(ledger: Ledger): Ruleset {
  const { elements, chains } = ledger.wanted();
  const bySet = new Map<string, Map<string, string>>(namedSets.map((set) => [set.name, new Map()]));
  for (const { set, key, data = '' } of elements) bySet.get(set)!.set(key, data);
  return {
    counters: new Set(counters),
    sets: new Map(namedSets.map((set) => [set.name, set])),
    chains: new Map(
      [...staticChains(ledger.context()), ...chains.map((name) => chainOnDemand(name)!)].map((chain) => [
        chain.name,
        chain,
      ]),
    ),
    elements: bySet,
  };
}
