/** Which blocks a node claims, takes over, withdraws from and deletes; pure. */
import {
  chooseBlocks,
  claimsNeeded,
  claimsToRelease,
  hasUnclaimed,
  type IpamProblem,
  usableClaims,
} from '#compile/ipam/claims.ts';
import { holdsBlock, type ServedSubnet } from '#compile/topology/served.ts';
import type { BlockUsage, SubnetDemand } from '#intent/handover.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import { addressBits, type Family, parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';

export type ClaimSituation = {
  readonly node: string;
  readonly nodeUID: string;
  /** Served Subnets only. */
  readonly subnets: readonly ServedSubnet[];
  /** All of the cluster. */
  readonly claims: readonly BlockClaimModel[];
  /** What the datapath says of the blocks that it holds. */
  readonly usage: readonly BlockUsage[];
  /** Addresses that the datapath has outside of these blocks. */
  readonly strays: readonly string[];
  /** False: the datapath has just started and does not know its blocks, so that what it says of them means nothing. */
  readonly isSettled: boolean;
  /** The node's own addresses in these blocks. */
  readonly tunnelAddresses: readonly string[];
  readonly demand: readonly SubnetDemand[];
  /** Subnets that pods of this node need, with how many pods; the default Subnet is always needed. */
  readonly needed: ReadonlySet<string>;
  /** UIDs that the last decision put to use: the datapath may assign from them before its status says so. */
  readonly inUse: ReadonlySet<string>;
  /** UIDs that an earlier decision let go and that are not deleted yet. */
  readonly releasing: ReadonlySet<string>;
  /** Subnets and families (`yieldKey`) whose spare blocks an earlier decision gave back for others. */
  readonly yielded: ReadonlySet<string>;
  /** Of the cluster. */
  readonly nodes: number;
  /** Counts up with each refused claim. */
  readonly attempt: number;
};

export type ClaimDecision = {
  /** Claims that this node assigns from. */
  readonly use: readonly BlockClaimModel[];
  readonly create: readonly { readonly cidr: string; readonly subnet: string }[];
  /** Claims of an earlier Node object of the same name: its addresses are still on this machine. */
  readonly adopt: readonly BlockClaimModel[];
  /** UIDs that the datapath must let go of before their claims can be deleted. */
  readonly releasing: ReadonlySet<string>;
  readonly yielded: ReadonlySet<string>;
  /** Claims that the datapath does not hold: they can be deleted. */
  readonly drop: readonly BlockClaimModel[];
  readonly problems: readonly IpamProblem[];
};

/** Free addresses to keep at hand, per Subnet and family: about a minute of fast pod starts on one node. */
export const watermark = 16;

/**
 * A block goes in two steps: first it leaves `use`, and only when the datapath no longer reports it is its claim deleted.
 * A pod that got an address from it in between brings it back, also when the datapath restarted meanwhile. Blocks of a Subnet that
 * is being deleted, or that were taken out of their Subnet, go with their last pod; those of one that is gone or not served, as soon
 * as nobody has an address of them.
 *
 * A node keeps addresses at hand only while there is enough for every node: in a Subnet that is nearly given out it asks when a pod
 * waits, and when nothing is left it gives back the blocks that it doesn't use. It asks for no spare one again before there is
 * plenty, else nodes would pass the last block around.
 */
export function decideClaims(situation: ClaimSituation): ClaimDecision {
  const { node, nodeUID, subnets, claims, usage, demand, attempt, isSettled } = situation;
  const deleting = new Set(subnets.filter((subnet) => subnet.deleting).map((subnet) => subnet.name));
  const byName = new Map(subnets.map((subnet) => [subnet.name, subnet]));
  const needed = situation.needed.difference(deleting);
  const strays = situation.strays.flatMap((address) => parseAddr(address) ?? []);
  // One address of one pod is no block: what becomes of it compile/ipam/single.ts decides.
  const own = claims.filter(
    (claim) => claim.holder === undefined && claim.node === node && claim.nodeUID === nodeUID,
  );
  const strayed = own.filter((claim) => {
    const prefix = parsePrefix(claim.cidr);
    return prefix !== undefined && strays.some((addr) => prefixHas(prefix, addr));
  });
  const held = new Set([...usage.map((block) => block.claim), ...strayed.map((claim) => claim.uid)]);
  const { usable, withdraw } = usableClaims(
    claims,
    { node, nodeUID },
    new Set([...held, ...situation.inUse]),
  );
  const idleBlocks = usage.filter((block) => block.assigned === 0 && block.resting === 0);
  const idle = idleBlocks.map((block) => block.claim);
  // What a waiting pod is about to get is not spare.
  const waitedFor = new Set(demand.filter(({ waiting }) => waiting > 0).map((each) => each.subnet));
  const spare = idleBlocks.filter(({ subnet: name, cidr }) => {
    const subnet = byName.get(name);
    if (subnet === undefined || waitedFor.has(name)) return false;
    return !hasUnclaimed(subnet, claims, familyOf(cidr), 1n);
  });
  const yielded = new Set([
    ...situation.yielded,
    ...spare.map((block) => yieldKey(block.subnet, familyOf(block.cidr))),
  ]);
  const released = [
    ...claimsToRelease(usage, watermark),
    ...claimsToRelease(
      usage.filter((block) => !needed.has(block.subnet)),
      0,
    ),
    ...idle.filter((uid) => situation.releasing.has(uid)),
    ...spare.map((block) => block.claim),
    ...usage
      .filter((block) => isLeaving(block, deleting, byName) && !hasPods(block, situation))
      .map(({ claim }) => claim),
  ];
  const gone = [...situation.releasing].filter((uid) => !held.has(uid));
  const releasing = new Set([...released, ...gone]);
  const isPart = ({ cidr, subnet }: BlockClaimModel) => {
    const served = byName.get(subnet);
    return served !== undefined && holdsBlock(served, cidr);
  };
  const orphaned = new Set(
    own.filter((claim) => !isPart(claim) && !held.has(claim.uid)).map((claim) => claim.uid),
  );
  const leaving = new Set([...withdraw.map((claim) => claim.uid), ...releasing, ...orphaned]);
  const usableUIDs = new Set(usable.map((claim) => claim.uid));
  const use = own.filter((claim) => usableUIDs.has(claim.uid) && !leaving.has(claim.uid));

  const create: { cidr: string; subnet: string }[] = [];
  const problems: IpamProblem[] = [];
  const unreported = use.filter((claim) => !held.has(claim.uid)).map(freshUsage);
  for (const subnet of subnets.filter((each) => needed.has(each.name))) {
    const waiting = demand.find((each) => each.subnet === subnet.name)?.waiting ?? 0;
    const want: Partial<Record<Family, number>> = {};
    for (const family of families(subnet)) {
      const blockLength = family === 4 ? subnet.blockSizes.ipv4 : subnet.blockSizes.ipv6;
      const all = [...usage.filter((block) => !leaving.has(block.claim)), ...unreported];
      const ask = (mark: number) =>
        claimsNeeded(all, { subnet: subnet.name, family, blockLength, watermark: mark, waiting });
      const ahead = ask(watermark);
      if (ahead === 0) continue;
      const key = yieldKey(subnet.name, family);
      if (hasPlenty(subnet, claims, family, blockLength, situation.nodes)) {
        yielded.delete(key);
        want[family] = ahead;
        continue;
      }
      const isFirst = !all.some((block) => block.subnet === subnet.name && familyOf(block.cidr) === family);
      want[family] = Math.max(ask(0), isFirst && !yielded.has(key) ? 1 : 0);
    }
    const chosen = chooseBlocks({ subnet, claims, node, want, attempt });
    create.push(...chosen.value.map((cidr) => ({ cidr, subnet: subnet.name })));
    problems.push(...chosen.problems);
  }
  // The datapath may hold what the last decision put to use, and not have said so yet.
  const mayGo = (uid: string) => leaving.has(uid) && !(orphaned.has(uid) && situation.inUse.has(uid));
  return {
    use,
    create,
    adopt: claims.filter((claim) => claim.node === node && claim.nodeUID !== nodeUID),
    releasing,
    yielded,
    drop: isSettled ? own.filter((claim) => !held.has(claim.uid) && mayGo(claim.uid)) : [],
    problems,
  };
}

/** Whether, after each node took what it wants to have at hand, there is still a block for the next one. */
function hasPlenty(
  subnet: ServedSubnet,
  claims: readonly BlockClaimModel[],
  family: Family,
  blockLength: number,
  nodes: number,
): boolean {
  const blockSize = 2 ** (addressBits(family) - blockLength);
  const enough = (nodes * Math.ceil(watermark / blockSize) + 1) * blockSize;
  return hasUnclaimed(subnet, claims, family, BigInt(enough));
}

function yieldKey(subnet: string, family: Family): string {
  return `${subnet} ${family}`;
}

function familyOf(cidr: string): Family {
  return cidr.includes(':') ? 6 : 4;
}

/** Whether nobody new is to get an address of a block: its Subnet is being deleted, or the block was taken out of it. */
function isLeaving(
  { subnet, cidr }: BlockUsage,
  deleting: ReadonlySet<string>,
  byName: ReadonlyMap<string, ServedSubnet>,
): boolean {
  const served = byName.get(subnet);
  return deleting.has(subnet) || (served !== undefined && !holdsBlock({ ...served, retired: [] }, cidr));
}

/** Whether anybody but the node itself has an address of a block. */
function hasPods(block: BlockUsage, { tunnelAddresses }: ClaimSituation): boolean {
  const prefix = parsePrefix(block.cidr);
  const own = tunnelAddresses.filter((address) => {
    const addr = parseAddr(address);
    return prefix !== undefined && addr !== undefined && prefixHas(prefix, addr);
  });
  return block.assigned > own.length;
}

function families(subnet: ServedSubnet): Set<Family> {
  return new Set(subnet.cidrs.map((cidr) => (cidr.includes(':') ? 6 : 4)));
}

/** A claim that the datapath hasn't heard of yet counts as wholly free, so that nobody asks for a second one meanwhile. */
function freshUsage(claim: BlockClaimModel): BlockUsage {
  const bits = claim.cidr.includes(':') ? 128 : 32;
  const length = Number(claim.cidr.slice(claim.cidr.indexOf('/') + 1));
  const { cidr, subnet, uid } = claim;
  return { cidr, subnet, claim: uid, assigned: 0, resting: 0, free: 2 ** (bits - length) };
}
