/** What is wrong with Subnets, claims and Nodes, each by itself and one against the other; pure. */
import { assignable, prefixes } from '#compile/ipam/blocks.ts';
import { servePools, withoutPools } from '#compile/ipam/pools.ts';
import { validBlocks } from '#compile/topology/entries.ts';
import { holdsBlock, type ServedSubnet, type ServedSubnets, serveSubnets } from '#compile/topology/served.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { PoolModel } from '#model/ippool.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem, Read } from '#model/problem.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { comparePrefix, type Prefix, parsePrefix, prefixesOverlap } from '#net/prefix.ts';
import { formatRange } from '#net/range.ts';
import { type AddrSet, isEmpty, ofFamily, setOfPrefixes, size, subtract } from '#net/set.ts';
import { listing } from './listing.ts';
import { poolProblems, poolUses } from './pool-status.ts';

export type TopologyReads = {
  readonly subnets: readonly Read<SubnetModel>[];
  readonly claims: readonly Read<BlockClaimModel>[];
  readonly nodes: readonly Read<NodeModel>[];
  readonly pools?: readonly Read<PoolModel>[];
};

/**
 * Each fault once, at the object where it can be mended: blocks that are cut off because their Subnet was changed are the
 * Subnet's problem, not that of a thousand claims.
 */
export function topologyProblems({ subnets, claims, nodes, pools = [] }: TopologyReads): readonly Problem[] {
  const known = new Set(
    [...subnets].flatMap(({ value, problems }) => value?.name ?? problems[0]?.object.name ?? []),
  );
  const served = serveSubnets(values(subnets));
  const servedPools = servePools(values(pools), served.value.byName);
  const allClaims = values(claims);
  const byNode = Map.groupBy(allClaims, (claim) => claim.node);
  const claimed = setOfPrefixes(prefixes(allClaims.map((claim) => claim.cidr)));
  const subnetOf = new Map(allClaims.map((claim) => [claim.name, claim.subnet]));
  const atTheSubnet = ({ code, object }: Problem): boolean =>
    code === 'OutsideSubnet' || (code === 'SubnetNotFound' && known.has(subnetOf.get(object.name) ?? ''));
  return [
    ...[...subnets, ...claims, ...nodes, ...pools].flatMap((read) => read.problems),
    ...served.problems,
    ...servedPools.problems,
    ...poolProblems(poolUses(servedPools.value, allClaims).values()),
    ...values(nodes)
      .flatMap((node) => validBlocks(node, byNode.get(node.name) ?? [], served.value).problems)
      .filter((problem) => !atTheSubnet(problem)),
    ...overlappingClaims(allClaims),
    ...served.value.list.flatMap((subnet) => [
      ...blocksOutside(subnet, allClaims),
      ...allowedUnknown(subnet, served.value),
      ...reservedOutside(subnet),
      ...withoutFreeBlock(withoutPools(subnet, servedPools.value), allClaims, claimed),
    ]),
  ];
}

/** Blocks in what was taken out of a Subnet are in effect; those that never were in one cut their pods off. */
function blocksOutside(subnet: ServedSubnet, claims: readonly BlockClaimModel[]): Problem[] {
  const asked = { ...subnet, retired: [] };
  const left = claims.filter((claim) => claim.subnet === subnet.name && !holdsBlock(asked, claim.cidr));
  const [retiring, outside] = [true, false].map((inEffect) =>
    left.filter((claim) => holdsBlock(subnet, claim.cidr) === inEffect),
  ) as [BlockClaimModel[], BlockClaimModel[]];
  const problem = (
    code: 'BlockOutside' | 'CIDRInUse',
    blocks: readonly BlockClaimModel[],
    text: string,
  ): Problem[] => {
    if (blocks.length === 0) return [];
    const names = listing(blocks.map((claim) => `${claim.name} (${claim.node})`).sort());
    const count = `${blocks.length} block${blocks.length === 1 ? '' : 's'}`;
    return [{ object: subnet.origin, field: 'spec.cidrs', code, message: `${text} ${count}: ${names}` }];
  };
  const cidrs = subnet.cidrs.join(', ');
  return [
    ...problem(
      'BlockOutside',
      outside,
      `pods with addresses outside of ${cidrs} are cut off from other nodes; nodes hold there`,
    ),
    ...problem(
      'CIDRInUse',
      retiring,
      `${subnet.retired.join(', ')} can't go yet: it gives no more addresses, and goes with the last pod there; nodes hold`,
    ),
  ];
}

function allowedUnknown(subnet: ServedSubnet, subnets: ServedSubnets): Problem[] {
  const unknown = (subnet.private?.subnets ?? []).filter((name) => !subnets.byName.has(name));
  return unknown.map((name) => ({
    object: subnet.origin,
    field: 'spec.allowSubnets',
    code: 'SubnetNotFound',
    message: `there is no served Subnet ${name}, so none of its pods is let in`,
  }));
}

function reservedOutside(subnet: ServedSubnet): Problem[] {
  const whole = setOfPrefixes(prefixes([...subnet.cidrs, ...subnet.retired]));
  const outside = subtract(setOfPrefixes(prefixes(subnet.reserved ?? [])), whole);
  if (isEmpty(outside)) return [];
  const message = `${outside.ranges.map(formatRange).join(', ')} is not part of the Subnet`;
  return [{ object: subnet.origin, field: 'spec.reservedAddresses', code: 'AddressOutside', message }];
}

function withoutFreeBlock(
  subnet: SubnetModel,
  claims: readonly BlockClaimModel[],
  claimed: AddrSet,
): Problem[] {
  const usable = assignable(subnet);
  const free = subtract(usable, claimed);
  return ([4, 6] as const).flatMap((family) => {
    const whole = ofFamily(usable, family);
    if (isEmpty(whole) || !isEmpty(ofFamily(free, family))) return [];
    const nodes = new Set(
      claims
        .filter((claim) => claim.subnet === subnet.name && claim.cidr.includes(':') === (family === 6))
        .map((claim) => claim.node),
    );
    const message =
      `no free IPv${family} block is left: all ${size(whole)} assignable addresses are in blocks that ` +
      `${nodes.size} node${nodes.size === 1 ? '' : 's'} hold${nodes.size === 1 ? 's' : ''}; another node gets none`;
    return [{ object: subnet.origin, field: 'spec.cidrs', code: 'NoFreeBlock', message } as const];
  });
}

/** Blocks of different sizes have different names, so the API server doesn't keep two that overlap apart. */
function overlappingClaims(claims: readonly BlockClaimModel[]): Problem[] {
  const sorted = claims
    .flatMap((claim) => {
      const prefix = parsePrefix(claim.cidr);
      return prefix === undefined ? [] : [{ claim, prefix }];
    })
    .sort((a, b) => comparePrefix(a.prefix, b.prefix));
  const problems: Problem[] = [];
  // Sorted, a prefix comes before all that it contains; prefixes overlap only by containing.
  let outer: { claim: BlockClaimModel; prefix: Prefix } | undefined;
  for (const each of sorted) {
    if (outer === undefined || !prefixesOverlap(outer.prefix, each.prefix)) {
      outer = each;
      continue;
    }
    const pairs = [
      [outer.claim, each.claim],
      [each.claim, outer.claim],
    ] as const;
    for (const [one, other] of pairs) {
      const message = `overlaps BlockClaim ${other.name} of node ${other.node}; the one that is in use stays`;
      problems.push({ object: one.origin, field: 'spec.cidr', code: 'Overlap', message });
    }
  }
  return problems;
}

function values<T>(reads: readonly Read<T>[]): T[] {
  return reads.flatMap(({ value }) => (value === undefined ? [] : [value]));
}
