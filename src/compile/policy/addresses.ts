/** Which features an address has, given who holds it; the same for the whole compile and the incremental one. */
import type { PolicyPeer } from '#model/policy.ts';
import { nameMatches } from '#net/domain.ts';
import { facts } from './features.ts';

/** What is known of one address. */
export type AddressFacts = {
  /** What its holder is by who he is: selectors of pods and nodes, named ports, `own`. Absent: nobody holds it. */
  readonly holder?: readonly string[];
  /** CIDRs that have the address. */
  readonly cidrs: readonly string[];
  /** What counts in their place: of a tunnel address. */
  readonly nodeCidrs?: readonly string[];
  /** Name patterns under which pods were told it. */
  readonly names: readonly string[];
  readonly inPodPrefixes: boolean;
};

/**
 * The features for an entry of its own; `undefined`: it needs none, since what holds for its prefix is right. `strict`: addresses
 * of pod Subnets that nobody holds are treated otherwise than those that somebody does.
 */
export function ownFeatures(known: AddressFacts, strict: boolean): readonly string[] | undefined {
  const { holder, cidrs, nodeCidrs = cidrs, names, inPodPrefixes } = known;
  const around = prefixFeatures(cidrs, strict && inPodPrefixes);
  const isUnknown = holder === undefined && strict && inPodPrefixes;
  const found = new Set([...(holder ?? []), ...nodeCidrs, ...names]);
  if (found.size > 0 && isUnknown) found.add(facts.unknown);
  if (found.size === 0 && holder !== undefined && strict) found.add(facts.known);
  const own = [...found].sort();
  return own.length === around.length && own.every((each, index) => each === around[index]) ? undefined : own;
}

/** What an address has by its prefix alone. In a pod Subnet it may be any pod's. */
export function prefixFeatures(cidrs: readonly string[], unknown: boolean): readonly string[] {
  return cidrs.length === 0 ? [] : [...cidrs, ...(unknown ? [facts.unknown] : [])].sort();
}

/** The first name under which pods were told an address and that a rule looks for, with what looks for it. */
export function namesOf(
  told: Iterable<string>,
  patterns: Iterable<readonly [string, PolicyPeer & { readonly kind: 'name' }]>,
): { readonly name?: string; readonly features: readonly string[] } {
  const wanted = [...patterns];
  const features = new Set<string>();
  let first: string | undefined;
  for (const name of told) {
    const matching = wanted.filter(([, { pattern }]) => nameMatches(pattern, name));
    for (const [feature] of matching) features.add(feature);
    if (matching.length > 0 && (first === undefined || name < first)) first = name;
  }
  return { ...(first === undefined ? {} : { name: first }), features: [...features] };
}
