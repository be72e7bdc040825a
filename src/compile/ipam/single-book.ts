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

/** Two nodes may have begun to keep an address for one VM at the same moment: the lower one stays. */
export function isSurplus(claim: Single, book: Book): boolean {
  const { holder, subnet, cidr } = claim;
  return [...book.byAddress.values()].some(
    (other) =>
      other.holder.keep === holder.keep &&
      other.holder.namespace === holder.namespace &&
      other.subnet === subnet &&
      other.cidr.includes(':') === cidr.includes(':') &&
      other.cidr < cidr,
  );
}
