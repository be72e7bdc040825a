/** What is wrong with Subnets, claims and Nodes, each by itself and one against the other; pure. */
import { assignable, prefixes } from '#compile/ipam/blocks.ts';
import { serveSubnets, validBlocks } from '#compile/topology/entries.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem, Read } from '#model/problem.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { comparePrefix, type Prefix, parsePrefix, prefixContains, prefixesOverlap } from '#net/prefix.ts';
import { type AddrSet, isEmpty, ofFamily, setOfPrefixes, size, subtract } from '#net/set.ts';

export type TopologyReads = {
  readonly subnets: readonly Read<SubnetModel>[];
  readonly claims: readonly Read<BlockClaimModel>[];
  readonly nodes: readonly Read<NodeModel>[];
};

/**
 * Each fault once, at the object where it can be mended: blocks that are cut off because their Subnet was changed are the
 * Subnet's problem, not that of a thousand claims.
 */
export function topologyProblems({ subnets, claims, nodes }: TopologyReads): readonly Problem[] {
  const known = new Set(
    [...subnets].flatMap(({ value, problems }) => value?.name ?? problems[0]?.object.name ?? []),
  );
  const served = serveSubnets(values(subnets));
  const allClaims = values(claims);
  const byNode = Map.groupBy(allClaims, (claim) => claim.node);
  const claimed = setOfPrefixes(prefixes(allClaims.map((claim) => claim.cidr)));
  const subnetOf = new Map(allClaims.map((claim) => [claim.name, claim.subnet]));
  const atTheSubnet = ({ code, object }: Problem): boolean =>
    code === 'OutsideSubnet' || (code === 'SubnetNotFound' && known.has(subnetOf.get(object.name) ?? ''));
  return [
    ...[...subnets, ...claims, ...nodes].flatMap((read) => read.problems),
    ...served.problems,
    ...values(nodes)
      .flatMap((node) => validBlocks(node, byNode.get(node.name) ?? [], served.value).problems)
      .filter((problem) => !atTheSubnet(problem)),
    ...overlappingClaims(allClaims),
    ...served.value.list.flatMap((subnet) => [
      ...blocksOutside(subnet, allClaims),
      ...withoutFreeBlock(subnet, allClaims, claimed),
    ]),
  ];
}

/** Names that a message lists; a thousand more are a number. */
const listed = 5;

/** `a, b and 3 more`. */
export function listing(names: readonly string[]): string {
  const more = names.length - listed;
  return more > 0 ? `${names.slice(0, listed).join(', ')} and ${more} more` : names.join(', ');
}

function blocksOutside(subnet: SubnetModel, claims: readonly BlockClaimModel[]): Problem[] {
  const cidrs = prefixes(subnet.cidrs);
  const outside = claims.filter((claim) => {
    const block = parsePrefix(claim.cidr);
    return (
      claim.subnet === subnet.name &&
      block !== undefined &&
      !cidrs.some((cidr) => prefixContains(cidr, block))
    );
  });
  if (outside.length === 0) return [];
  const names = listing(outside.map((claim) => `${claim.name} (${claim.node})`).sort());
  const message =
    `${outside.length} block${outside.length === 1 ? '' : 's'} that nodes hold ${outside.length === 1 ? 'is' : 'are'} ` +
    `outside of ${subnet.cidrs.join(', ')}, and pods with addresses there are cut off from other nodes: ${names}`;
  return [{ object: subnet.origin, field: 'spec.cidrs', code: 'BlockOutside', message }];
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
