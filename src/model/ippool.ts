/** Reads IPPools. */
import type { IPPool } from '#api/kinds/ippool.ts';
import type { LabelSelector } from '#api/object.ts';
import type { Origin } from '#intent/origin.ts';
import { formatPrefix } from '#net/prefix.ts';
import { parseRange } from '#net/range.ts';
import { setOfRanges, toPrefixes } from '#net/set.ts';
import { collectProblems, originOf, type Read } from './problem.ts';

export type PoolModel = {
  readonly origin: Origin;
  readonly name: string;
  /** RFC 3339; the older of two pools that claim the same address wins. */
  readonly created: string;
  readonly subnet: string;
  /** Canonical prefixes, disjoint. */
  readonly prefixes: readonly string[];
  readonly namespaces: readonly string[];
  readonly namespaceSelector?: LabelSelector;
  readonly podSelector?: LabelSelector;
};

/** A pool without a single good address is not usable; a bad one beside others is left out. */
export function readIPPool(object: IPPool): Read<PoolModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const { spec, metadata } = object;
  const ranges = spec.addresses.flatMap((text, index) => {
    const range = parseRange(text);
    if (range === undefined) {
      const message = `"${text}" is no address, range a-b, or prefix`;
      refuse(`spec.addresses[${index}]`, 'InvalidRange', message);
      return [];
    }
    return [range];
  });
  if (ranges.length === 0) {
    if (problems.length === 0) refuse('spec.addresses', 'Required', 'names no address');
    return { value: undefined, problems };
  }
  const prefixes = toPrefixes(setOfRanges(ranges)).map(formatPrefix);
  const value: PoolModel = {
    origin,
    name: metadata.name,
    created: metadata.creationTimestamp ?? '',
    subnet: spec.subnet,
    prefixes,
    namespaces: spec.namespaces ?? [],
    ...(spec.namespaceSelector === undefined
      ? {}
      : { namespaceSelector: spec.namespaceSelector as LabelSelector }),
    ...(spec.podSelector === undefined ? {} : { podSelector: spec.podSelector as LabelSelector }),
  };
  return { value, problems };
}
