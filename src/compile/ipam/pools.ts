/** IPPools against Subnets and each other: which ones are served, and what they keep away from ordinary pods. */
import type { PoolModel } from '#model/ippool.ts';
import type { Problem } from '#model/problem.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { type Addr, formatAddr } from '#net/addr.ts';
import { formatPrefix } from '#net/prefix.ts';
import { formatRange } from '#net/range.ts';
import {
  type AddrSet,
  emptySet,
  has,
  intersect,
  isEmpty,
  nth,
  setOfPrefixes,
  subtract,
  toPrefixes,
  union,
} from '#net/set.ts';
import { assignable, prefixes } from './blocks.ts';

export type ServedPool = {
  readonly model: PoolModel;
  /** What pods can get: inside of the Subnet, and nothing that it excludes. */
  readonly usable: AddrSet;
};

export type ServedPools = {
  readonly byName: ReadonlyMap<string, ServedPool>;
  /** Oldest first. */
  readonly bySubnet: ReadonlyMap<string, readonly ServedPool[]>;
};

export const noPools: ServedPools = { byName: new Map(), bySubnet: new Map() };

/**
 * A pool serves what of it is inside of its Subnet, not excluded there, and not in an older pool. What is left out is a problem
 * of the pool; one without anything left is not served at all.
 */
export function servePools(
  pools: Iterable<PoolModel>,
  subnets: ReadonlyMap<string, SubnetModel>,
): { readonly value: ServedPools; readonly problems: readonly Problem[] } {
  const byName = new Map<string, ServedPool>();
  const bySubnet = new Map<string, ServedPool[]>();
  const problems: Problem[] = [];
  for (const model of [...pools].sort(olderFirst)) {
    const problem = (field: string, code: Problem['code'], message: string) =>
      problems.push({ object: model.origin, field, code, message });
    const subnet = subnets.get(model.subnet);
    if (subnet === undefined) {
      problem('spec.subnet', 'SubnetNotFound', `there is no served Subnet ${model.subnet}`);
      continue;
    }
    const wanted = setOfPrefixes(prefixes(model.prefixes));
    const inside = intersect(wanted, assignable(subnet));
    const outside = subtract(wanted, inside);
    if (!isEmpty(outside)) {
      const message = `${rangesText(outside)} can't be assigned in Subnet ${subnet.name} (${subnet.cidrs.join(', ')}): outside of it, excluded, or its first or last address`;
      problem('spec.addresses', 'OutsideSubnet', message);
    }
    const older = (bySubnet.get(subnet.name) ?? []).find((each) => !isEmpty(intersect(each.usable, inside)));
    let usable = inside;
    for (const each of bySubnet.get(subnet.name) ?? []) usable = subtract(usable, each.usable);
    if (older !== undefined) {
      const message = `${rangesText(intersect(older.usable, inside))} is in IPPool ${older.model.name}, which is older`;
      problem('spec.addresses', 'Overlap', message);
    }
    if (isEmpty(usable)) continue;
    const served = { model, usable };
    byName.set(model.name, served);
    bySubnet.set(subnet.name, [...(bySubnet.get(subnet.name) ?? []), served]);
  }
  return { value: { byName, bySubnet }, problems };
}

/** All addresses of a Subnet's pools: no block covers them from now on, and none of them goes to an ordinary pod. */
export function pooled(pools: ServedPools, subnet: string): AddrSet {
  return (pools.bySubnet.get(subnet) ?? []).reduce((all, { usable }) => union(all, usable), emptySet);
}

/** The same as canonical prefixes. */
export function pooledPrefixes(pools: ServedPools, subnet: string): readonly string[] {
  return toPrefixes(pooled(pools, subnet)).map(formatPrefix);
}

/** A Subnet as ordinary pods and blocks see it. */
export function withoutPools<S extends SubnetModel>(
  subnet: S,
  pools: ServedPools,
): S & { readonly pooled: readonly string[] } {
  const own = pooledPrefixes(pools, subnet.name);
  const excluded = own.length === 0 ? subnet.excluded : [...subnet.excluded, ...own];
  return { ...subnet, excluded, pooled: [...own, ...(subnet.reserved ?? [])] };
}

/** The pool that an address is of. */
export function poolOf(pools: ServedPools, subnet: string, addr: Addr): ServedPool | undefined {
  return pools.bySubnet.get(subnet)?.find(({ usable }) => has(usable, addr));
}

/** For a sentence: the first three ranges. */
export function rangesText(set: AddrSet): string {
  const first = set.ranges.slice(0, 3).map(formatRange).join(', ');
  const more = set.ranges.length - 3;
  return more > 0 ? `${first} and ${more} more` : first;
}

/** An address of a set at a place that a text decides; undefined of an empty set. */
export function pickFrom(set: AddrSet, count: bigint, seed: bigint): string | undefined {
  const addr = count === 0n ? undefined : nth(set, seed % count);
  return addr === undefined ? undefined : formatAddr(addr);
}

function olderFirst(a: PoolModel, b: PoolModel): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}
