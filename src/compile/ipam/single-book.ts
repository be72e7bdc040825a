/** The claims of single addresses as one decision sees them, and what it has given out so far. */
import type { AddressHolder, BlockClaimModel } from '#model/blockclaim.ts';
import { parseAddr } from '#net/addr.ts';
import { type Prefix, parsePrefix, prefixHas } from '#net/prefix.ts';
import { type AddrSet, setOfPrefixes } from '#net/set.ts';
import { prefixes } from './blocks.ts';
import type { NewSingle, SinglePod, SingleSituation } from './single.ts';

/** A claim of one address. */
export type Single = BlockClaimModel & { readonly holder: AddressHolder };

/** What is known, and what this decision has given out so far. */
export type Book = {
  readonly byAddress: ReadonlyMap<string, Single>;
  /** This node's, contested ones too. */
  readonly own: readonly Single[];
  readonly blockOver: (address: string) => BlockClaimModel | undefined;
  /** Everything that is claimed, as a set. */
  readonly claimed: () => AddrSet;
  readonly create: NewSingle[];
  readonly take: { readonly claim: BlockClaimModel; readonly holder: AddressHolder }[];
  /** Addresses of `create`. */
  readonly given: Set<string>;
  /** UIDs of claims that a pod of this node has or waits for. */
  readonly needed: Set<string>;
};

export function openBook({ claims, node, nodeUID }: SingleSituation): Book {
  const singles = claims.filter((claim): claim is Single => claim.holder !== undefined);
  let blocks: readonly { claim: BlockClaimModel; prefix: Prefix }[] | undefined;
  let claimed: AddrSet | undefined;
  return {
    byAddress: new Map(singles.map((claim) => [addressOf(claim), claim])),
    own: singles.filter((claim) => claim.node === node && claim.nodeUID === nodeUID),
    blockOver: (address) => {
      const addr = parseAddr(address);
      blocks ??= claims.flatMap((claim) => {
        const prefix = claim.holder === undefined ? parsePrefix(claim.cidr) : undefined;
        return prefix === undefined ? [] : [{ claim, prefix }];
      });
      return addr && blocks.find(({ prefix }) => prefixHas(prefix, addr))?.claim;
    },
    claimed: () => (claimed ??= setOfPrefixes(prefixes(claims.map(({ cidr }) => cidr)))),
    create: [],
    take: [],
    given: new Set(),
    needed: new Set(),
  };
}

/** Its one address, without the length. */
export function addressOf(claim: Pick<BlockClaimModel, 'cidr'>): string {
  return claim.cidr.slice(0, claim.cidr.indexOf('/'));
}

/** The prefix of one address. */
export function singleOf(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`;
}

/** What is kept for the same pod or VM in the same Subnet, in order of address. */
export function keptFor({ pod, placement }: SinglePod, book: Book): readonly Single[] {
  if (placement.keep === undefined) return [];
  return [...book.byAddress.values()]
    .filter(
      ({ holder, subnet }) =>
        holder.keep === placement.keep && holder.namespace === pod.namespace && subnet === placement.subnet,
    )
    .sort((a, b) => (a.cidr < b.cidr ? -1 : 1));
}

/**
 * Addresses that are kept beside a lower one of the same family for the same pod or VM in the same Subnet: two nodes may have begun to
 * keep one at the same moment, and the lower one stays.
 */
export function surplusKeeps(claims: Iterable<BlockClaimModel>): readonly BlockClaimModel[] {
  const kept = [...claims].flatMap((claim) => {
    const { holder, subnet, cidr } = claim;
    if (holder?.keep === undefined) return [];
    const family = cidr.includes(':') ? 6 : 4;
    return [{ claim, of: JSON.stringify([holder.namespace, holder.keep, subnet, family]) }];
  });
  const first = new Map<string, string>();
  for (const { claim, of } of kept) {
    const lowest = first.get(of);
    if (lowest === undefined || claim.cidr < lowest) first.set(of, claim.cidr);
  }
  return kept.filter(({ claim, of }) => first.get(of) !== claim.cidr).map(({ claim }) => claim);
}
