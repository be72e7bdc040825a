/** In which transactions a whole table is loaded. */
import type { Operation, Ruleset } from './objects.ts';

/** Loads of this many statements are split: the guards stand in milliseconds, Services follow. */
const splitAbove = 40;
const guardSets =
  /^(?:nodes|podSubnets|routedSubnets|masqueraded|allowedFrom|podAddresses|hairpin|tunnelBlocks|tunnelSources)/;

/**
 * The transactions that build the table from nothing. What the guards know comes before the guards: the kernel shows new elements of
 * an interval set only a moment after the chains of the same transaction, and packets of that moment would be dropped.
 */
export function guardsFirst(
  actual: Ruleset | undefined,
  operations: readonly Operation[],
): readonly (readonly Operation[])[] {
  if (actual !== undefined) return [operations];
  const known = operations.filter(
    (operation) =>
      operation.op === 'addTable' ||
      operation.op === 'addSet' ||
      (operation.op === 'addElements' && guardSets.test(operation.set)),
  );
  const sets = new Set(known);
  const rest = operations.filter((operation) => !sets.has(operation));
  // Restricted pods are restricted from the first moment: what of policy isn't there yet is denied to them.
  const elements = rest.filter(
    (operation) => operation.op === 'addElements' && !/^(?:in|e)gressClasses/.test(operation.set),
  );
  if (elements.length <= splitAbove) return [known, rest];
  const later = new Set<Operation>(elements);
  return [known, rest.filter((operation) => !later.has(operation)), elements];
}
