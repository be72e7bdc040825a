/** Which pools, Services and nodes an advertisement takes, and which pool an address is of. Pure. */
import type { AddressPoolModel, AdvertisementScope } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import { type Labels, selects } from '#model/selector.ts';
import { parseAddr } from '#net/addr.ts';
import { rangeHas } from '#net/range.ts';

export function poolOf(address: string, pools: Iterable<AddressPoolModel>): AddressPoolModel | undefined {
  const addr = parseAddr(address);
  if (addr === undefined) return undefined;
  for (const pool of pools) if (pool.ranges.some((range) => rangeHas(range, addr))) return pool;
  return undefined;
}

export function takesPool(
  { pools, poolSelectors }: AdvertisementScope,
  { name, labels }: Pick<AddressPoolModel, 'name' | 'labels'>,
): boolean {
  if (pools.length + poolSelectors.length === 0) return true;
  return pools.includes(name) || poolSelectors.some((selector) => selects(selector, labels));
}

export function takesService({ serviceSelectors }: AdvertisementScope, labels: Labels): boolean {
  return anyOf(serviceSelectors, labels);
}

export function takesNode({ nodeSelectors }: AdvertisementScope, labels: Labels): boolean {
  return anyOf(nodeSelectors, labels);
}

function anyOf(selectors: AdvertisementScope['nodeSelectors'], labels: Labels): boolean {
  return selectors.length === 0 || selectors.some((selector) => selects(selector, labels));
}

/** Whether a node announces anything at all: it is no load balancers' node, has no network, or is about to go. */
export function mayAnnounce({ announces, leaving }: Pick<NodeModel, 'announces' | 'leaving'>): boolean {
  return announces !== false && leaving !== true;
}
