/** Which blocks a node claims, when it asks for more, which ones it gives back, and which ones it may use. */
import type { BlockUsage } from '#intent/handover.ts';
import { addressBits, type Family } from '#net/addr.ts';
import {
  formatPrefix,
  type Prefix,
  parsePrefix,
  prefixesOverlap,
  prefixOf,
  prefixSize,
} from '#net/prefix.ts';
import { type Range, rangeToPrefixes } from '#net/range.ts';
import { type AddrSet, intersect, isEmpty, ofFamily, setOfPrefixes, size, subtract } from '#net/set.ts';
import { assignable, prefixes, type SubnetAddresses } from './blocks.ts';

export type SubnetBlocks = SubnetAddresses & {
  readonly name: string;
  /** Prefix lengths of new blocks. */
  readonly blockSizes: { readonly ipv4: number; readonly ipv6: number };
  /** Prefixes of its IPPools, and what pods get by name only: no new block covers them. */
  readonly pooled?: readonly string[];
};

/** A BlockClaim as it is in the API. */
export type Claim = {
  readonly uid: string;
  readonly cidr: string;
  readonly subnet: string;
  readonly node: string;
  readonly nodeUID: string;
  /** Present: one address of one pod, no block to assign from. */
  readonly holder?: object;
};

export type Owner = { readonly node: string; readonly nodeUID: string };

export type BlockRequest = {
  readonly subnet: SubnetBlocks;
  /** Every claim of the cluster, whoever holds it and whatever Subnet it names. */
  readonly claims: readonly Claim[];
  readonly node: string;
  /** How many more blocks, by family. */
  readonly want: Readonly<Partial<Record<Family, number>>>;
  /** Counts up with each refused create, so that the next try is elsewhere. */
  readonly attempt?: number;
};

export type IpamProblem = { readonly subnet: string; readonly reason: string };

/**
 * Free blocks to claim, as canonical CIDRs. They are aligned, hold at least one assignable address and overlap no
 * claim. Where only smaller pieces are left, those are chosen, the largest first. The place depends on the node's name: two
 * nodes that choose at the same moment rarely want the same block. Fewer than wanted: a problem says what is left.
 */
export function chooseBlocks(request: BlockRequest): {
  readonly value: readonly string[];
  readonly problems: readonly IpamProblem[];
} {
  const { subnet, claims, node, want, attempt = 0 } = request;
  const value: string[] = [];
  const problems: IpamProblem[] = [];
  const usable = assignable(subnet);
  for (const family of [4, 6] as const) {
    const wanted = want[family] ?? 0;
    const whole = prefixes(subnet.cidrs).filter((cidr) => cidr.family === family);
    if (wanted === 0 || whole.length === 0) continue;
    const length = family === 4 ? subnet.blockSizes.ipv4 : subnet.blockSizes.ipv6;
    const taken = prefixes([...claims.map((claim) => claim.cidr), ...(subnet.pooled ?? [])]);
    let free = subtract(setOfPrefixes(whole), setOfPrefixes(taken));
    let found = 0;
    for (; found < wanted; found++) {
      const block = chooseBlock(free, usable, length, `${node} ${subnet.name} ${attempt + found}`);
      if (block === undefined) break;
      value.push(formatPrefix(block));
      free = subtract(free, setOfPrefixes([block]));
    }
    if (found < wanted) problems.push(exhausted(subnet, family, claims, usable));
  }
  return { value, problems };
}

/** Whether so many addresses that pods could have are in no claim. Cheap while there are plenty: then nothing is sorted. */
export function hasUnclaimed(
  subnet: SubnetAddresses,
  claims: readonly Claim[],
  family: Family,
  wanted: bigint,
): boolean {
  const all = ofFamily(assignable(subnet), family);
  const blocks = claims
    .flatMap((claim) => prefixOfClaim(claim) ?? [])
    .filter((block) => block.family === family);
  // As if every claim held addresses of this Subnet alone: there are at least so many left.
  const least = blocks.reduce((left, block) => left - prefixSize(block), size(all));
  return least >= wanted || size(subtract(all, setOfPrefixes(blocks))) >= wanted;
}

/**
 * How many blocks of `blockLength` to ask for so that at least `watermark` addresses are free: ahead of need, since a pod
 * that waits for a claim waits for the API server. `waiting` pods count on top.
 */
export function claimsNeeded(
  usage: readonly BlockUsage[],
  request: {
    readonly subnet: string;
    readonly family: Family;
    readonly blockLength: number;
    readonly watermark: number;
    readonly waiting?: number;
  },
): number {
  const own = usage.filter((block) => block.subnet === request.subnet && familyOf(block) === request.family);
  const free = own.reduce((sum, block) => sum + block.free, 0);
  const missing = request.watermark + (request.waiting ?? 0) - free;
  const blockSize = 2 ** (addressBits(request.family) - request.blockLength);
  return missing <= 0 ? 0 : Math.ceil(missing / blockSize);
}

/**
 * Claim UIDs of blocks to give back: idle ones, without live or resting addresses, as long as at least twice the
 * watermark stays free without them (so that the next pod doesn't ask for the same block again).
 */
export function claimsToRelease(usage: readonly BlockUsage[], watermark: number): readonly string[] {
  const free = new Map<string, number>();
  const group = (block: BlockUsage) => `${block.subnet} ${familyOf(block)}`;
  for (const block of usage) free.set(group(block), (free.get(group(block)) ?? 0) + block.free);
  const released: string[] = [];
  for (const block of usage) {
    if (block.assigned > 0 || block.resting > 0) continue;
    const rest = (free.get(group(block)) ?? 0) - block.free;
    if (rest < 2 * watermark) continue;
    free.set(group(block), rest);
    released.push(block.claim);
  }
  return released;
}

/**
 * The claims of a node that it may assign from, and its claims to withdraw because another claim overlaps them.
 *
 * The API server refuses a second claim of one name, but blocks of different sizes have different names. Claims must come
 * from a watch that has already shown the node's own one: then whoever came second sees the first. `held` are UIDs of
 * claims that the datapath assigns from already; those stay, and the other side, which holds nothing yet, withdraws.
 * A claim made by an earlier Node object of the same name is not this node's.
 */
export function usableClaims(
  claims: readonly Claim[],
  owner: Owner,
  held: ReadonlySet<string>,
): { readonly usable: readonly Claim[]; readonly withdraw: readonly Claim[] } {
  const parsed = claims.flatMap((claim) => {
    const prefix = prefixOfClaim(claim);
    return prefix === undefined ? [] : [{ claim, prefix }];
  });
  const usable: Claim[] = [];
  const withdraw: Claim[] = [];
  const isOwn = (claim: Claim) =>
    claim.holder === undefined && claim.node === owner.node && claim.nodeUID === owner.nodeUID;
  for (const own of parsed.filter(({ claim }) => isOwn(claim))) {
    const contested = parsed.some(
      ({ claim, prefix }) => claim.uid !== own.claim.uid && prefixesOverlap(prefix, own.prefix),
    );
    (contested && !held.has(own.claim.uid) ? withdraw : usable).push(own.claim);
  }
  return { usable, withdraw };
}

/** Read once for each claim: an agent decides anew with each change of any of the cluster's claims. */
function prefixOfClaim(claim: Claim): Prefix | undefined {
  const known = claimPrefixes.get(claim) ?? parsePrefix(claim.cidr);
  if (known !== undefined) claimPrefixes.set(claim, known);
  return known;
}

const claimPrefixes = new WeakMap<Claim, Prefix>();

function chooseBlock(free: AddrSet, usable: AddrSet, length: number, seed: string): Prefix | undefined {
  const candidates = free.ranges.filter((range) => !isEmpty(intersect({ ranges: [range] }, usable)));
  if (candidates.length === 0) return undefined;
  const counts = candidates.map((range) => alignedCount(range, length));
  const total = counts.reduce((sum, count) => sum + count, 0n);
  if (total > 0n) {
    // From the seeded place on, the first block that isn't excluded as a whole.
    const start = spread(seed) % total;
    for (let tried = 0n; tried < total; ) {
      const block = nthAligned(candidates, counts, length, (start + tried) % total);
      if (block === undefined) break;
      if (!isEmpty(intersect(setOfPrefixes([block]), usable))) return block;
      // Skip an excluded stretch at once: it may be 2^60 blocks long.
      const stretch = unusableBlocks(candidates, usable, block);
      tried += stretch > 1n ? stretch : 1n;
    }
  }
  const pieces = candidates
    .flatMap(rangeToPrefixes)
    .filter((piece) => piece.length > length && !isEmpty(intersect(setOfPrefixes([piece]), usable)))
    .sort((a, b) => a.length - b.length);
  const largest = pieces.filter((piece) => piece.length === pieces[0]?.length);
  return largest[Number(spread(seed) % BigInt(Math.max(largest.length, 1)))];
}

/** How many whole blocks from `block` on hold no usable address, within `block`'s free range. */
function unusableBlocks(candidates: readonly Range[], usable: AddrSet, block: Prefix): bigint {
  const range = candidates.find((each) => each.first <= block.value && block.value <= each.last);
  const next = usable.ranges.find((each) => each.family === block.family && each.last >= block.value);
  if (range === undefined) return 1n;
  const end = next === undefined || next.first > range.last ? range.last + 1n : next.first;
  return (end - block.value) / prefixSize(block);
}

function alignedCount(range: Range, length: number): bigint {
  const step = 1n << BigInt(addressBits(range.family) - length);
  const first = (range.first + step - 1n) / step;
  const end = (range.last + 1n) / step;
  return end > first ? end - first : 0n;
}

function nthAligned(
  ranges: readonly Range[],
  counts: readonly bigint[],
  length: number,
  index: bigint,
): Prefix | undefined {
  let rest = index;
  for (const [i, range] of ranges.entries()) {
    const count = counts[i] ?? 0n;
    if (rest >= count) {
      rest -= count;
      continue;
    }
    const step = 1n << BigInt(addressBits(range.family) - length);
    const first = ((range.first + step - 1n) / step) * step;
    return prefixOf({ family: range.family, value: first + rest * step }, length);
  }
  return undefined;
}

function exhausted(
  subnet: SubnetBlocks,
  family: Family,
  claims: readonly Claim[],
  usable: AddrSet,
): IpamProblem {
  const whole = ofFamily(usable, family);
  const claimed = setOfPrefixes(prefixes(claims.map((claim) => claim.cidr)));
  const taken = intersect(whole, claimed);
  const others = claims.filter((claim) => familyOf(claim) === family && claim.subnet === subnet.name).length;
  return {
    subnet: subnet.name,
    reason:
      `Subnet ${subnet.name} has no free IPv${family} block: ${size(taken)} of its ${size(whole)} assignable addresses ` +
      `are in blocks that nodes hold (${others} claims)`,
  };
}

function familyOf(block: { readonly cidr: string }): Family {
  return block.cidr.includes(':') ? 6 : 4;
}

/** FNV-1a, 64 bits: spreads, nothing more. */
export function spread(text: string): bigint {
  let value = 0xcbf2_9ce4_8422_2325n;
  for (const byte of new TextEncoder().encode(text)) {
    value = ((value ^ BigInt(byte)) * 0x100_0000_01b3n) & 0xffff_ffff_ffff_ffffn;
  }
  // FNV's low bits alone are weak, and the remainder is taken of them.
  return value ^ (value >> 32n);
}
