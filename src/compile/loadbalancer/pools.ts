/** Pools beside each other: which addresses are in effect, whose they are, and which Services a pool takes. */
import type { AddressPoolModel, LoadBalancerModel } from '#model/loadbalancer.ts';
import type { Problem } from '#model/problem.ts';
import { type Labels, selects } from '#model/selector.ts';
import type { Addr } from '#net/addr.ts';
import { formatRange, type Range, rangeHas } from '#net/range.ts';
import { type AddrSet, emptySet, setOfRanges, subtract, union } from '#net/set.ts';

export type ServedPools = {
  /** By name; their ranges are disjoint. */
  readonly list: readonly AddressPoolModel[];
  readonly byName: ReadonlyMap<string, AddressPoolModel>;
  /** The pool that an address is of. */
  readonly of: (addr: Addr) => AddressPoolModel | undefined;
};

/** Of two pools that claim an address, or one name, the older one stays. */
export function servePools(pools: readonly AddressPoolModel[]): {
  readonly value: ServedPools;
  readonly problems: readonly Problem[];
} {
  const problems: Problem[] = [];
  const byName = new Map<string, AddressPoolModel>();
  let taken: AddrSet = emptySet;
  for (const pool of [...pools].sort(olderFirst)) {
    const refuse = (field: string, code: Problem['code'], message: string): void =>
      void problems.push({ object: pool.origin, field, code, message });
    const twin = byName.get(pool.name);
    if (twin !== undefined) {
      refuse(
        'metadata.name',
        'DuplicatePool',
        `namespace ${twin.origin.namespace} has it, too, and for longer`,
      );
      continue;
    }
    const ranges = pool.ranges.flatMap((range) => {
      const left = subtract(setOfRanges([range]), taken).ranges;
      if (left.length !== 1 || left[0]?.first !== range.first || left[0].last !== range.last) {
        const owners = [...byName.values()].filter((each) =>
          each.ranges.some((other) => overlap(range, other)),
        );
        const names = owners.map(({ name }) => name).sort();
        refuse(
          'spec.addresses',
          'Overlap',
          `${formatRange(range)} overlaps IPAddressPool ${names.join(', ')}`,
        );
      }
      return left;
    });
    taken = union(taken, setOfRanges(pool.ranges));
    byName.set(pool.name, { ...pool, ranges });
  }
  const list = [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return { value: { list, byName, of: finder(list) }, problems };
}

/** Whether Services such as this one may have addresses of a pool. Not of what a Service has already. */
export function takes(
  { allocation }: AddressPoolModel,
  { namespace, labels }: Pick<LoadBalancerModel, 'namespace' | 'labels'>,
  namespaceLabels: Labels,
): boolean {
  if (allocation === undefined) return true;
  const { namespaces, namespaceSelectors, serviceSelectors } = allocation;
  const ofNamespace =
    namespaces.length + namespaceSelectors.length === 0 ||
    namespaces.includes(namespace) ||
    namespaceSelectors.some((selector) => selects(selector, namespaceLabels));
  return ofNamespace && anyOf(serviceSelectors, labels);
}

/** Whether a pool is kept for some Services: those come to it before they come to a pool for everybody. */
export function isPinned({ allocation }: AddressPoolModel): boolean {
  if (allocation === undefined) return false;
  const { namespaces, namespaceSelectors, serviceSelectors } = allocation;
  return namespaces.length + namespaceSelectors.length + serviceSelectors.length > 0;
}

/** By priority, 0 last; equal ones by name. */
export function byPriority(a: AddressPoolModel, b: AddressPoolModel): number {
  const rank = (pool: AddressPoolModel) => pool.allocation?.priority || Number.POSITIVE_INFINITY;
  const [left, right] = [rank(a), rank(b)];
  if (left !== right) return left < right ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

function anyOf(selectors: NonNullable<AddressPoolModel['allocation']>['serviceSelectors'], labels: Labels) {
  return selectors.length === 0 || selectors.some((selector) => selects(selector, labels));
}

function overlap(a: Range, b: Range): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

function olderFirst(a: AddressPoolModel, b: AddressPoolModel): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  const [left, right] = [a, b].map(({ name, origin }) => `${name} ${origin.namespace}`) as [string, string];
  return left < right ? -1 : 1;
}

/** By bisection over all ranges: they are disjoint. */
function finder(pools: readonly AddressPoolModel[]): ServedPools['of'] {
  const sorted = pools
    .flatMap((pool) => pool.ranges.map((range) => ({ range, pool })))
    .sort((a, b) => a.range.family - b.range.family || (a.range.first < b.range.first ? -1 : 1));
  return (addr) => {
    let [low, high] = [0, sorted.length - 1];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const { range, pool } = sorted[middle]!;
      if (rangeHas(range, addr)) return pool;
      const isBelow = range.family === addr.family ? range.last < addr.value : range.family < addr.family;
      if (isBelow) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  };
}
