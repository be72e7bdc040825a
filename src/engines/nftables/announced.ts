/** Addresses that routers send here since they are announced: what no Service takes would go back to the router, and come again. Pure. */
import { parsePrefix } from '#net/prefix.ts';
import { disjoint, intervalText, type Lowered, nothing } from './lower.ts';
import type { Element } from './objects.ts';

/** A prefix of one address; longer ones go together (`lowerAggregates`), since they may overlap. */
export function lowerAnnouncement(key: string): Lowered {
  const prefix = parsePrefix(key);
  if (prefix === undefined) return nothing(`"${key}" is no prefix`);
  const elements = isAggregate(key) ? [] : [{ set: `announced${prefix.family}`, key: intervalText(prefix) }];
  return { elements, chains: [], problems: [] };
}

/** There are few: as many as advertisements that aggregate. */
export function lowerAggregates(keys: Iterable<string>): readonly Element[] {
  return disjoint([...keys].filter(isAggregate), []).map((prefix) => ({
    set: `aggregates${prefix.family}`,
    key: intervalText(prefix),
  }));
}

export function isAggregate(key: string): boolean {
  return !key.endsWith(key.includes(':') ? '/128' : '/32');
}
