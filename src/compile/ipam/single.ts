/** Addresses that are claimed one by one: out of pools, named by pods, kept for pods and VMs. Which to claim, take over, free, give back. */
import type { AddressHolder, BlockClaimModel } from '#model/blockclaim.ts';
import type { PodModel } from '#model/pod.ts';
import type { Placement, PlacementInputs } from './placement.ts';
import { addressOf, openBook, surplusKeeps } from './single-book.ts';
import { decidePod } from './single-pod.ts';

export type SinglePod = {
  readonly pod: Pick<PodModel, 'namespace' | 'name' | 'uid' | 'statefulSet'>;
  readonly placement: Placement;
};

export type SingleSituation = PlacementInputs & {
  readonly node: string;
  readonly nodeUID: string;
  /** Pods of this node that don't take from its blocks. */
  readonly pods: readonly SinglePod[];
  /** UIDs of all pods of this node that are there and have not ended. */
  readonly alive: ReadonlySet<string>;
  /** All of the cluster. */
  readonly claims: readonly BlockClaimModel[];
  /** Addresses on interfaces of this node. */
  readonly wired: ReadonlySet<string>;
  /** Addresses that were on interfaces of this node a moment ago. */
  readonly resting: ReadonlySet<string>;
  /** `wired` and `resting` are as the datapath says since it knows of all pods that are there, and of no other one. */
  readonly isCurrent: boolean;
  /** Names of claims that were asked for and are not in `claims` yet. */
  readonly asked: ReadonlySet<string>;
  /** Counts up with each refused claim. */
  readonly attempt: number;
};

export type PodAddresses =
  | { readonly addresses: readonly string[]; readonly mac?: string | undefined }
  /** A sentence for the pod that waits. */
  | { readonly refused: string };

export type NewSingle = { readonly cidr: string; readonly subnet: string; readonly holder: AddressHolder };

export type SingleDecision = {
  /** By pod UID: what is this node's to wire, seen in the watch. */
  readonly pods: ReadonlyMap<string, PodAddresses>;
  readonly create: readonly NewSingle[];
  /** Claims that another pod had, to be written over as they were seen. */
  readonly take: readonly { readonly claim: BlockClaimModel; readonly holder: AddressHolder }[];
  /** Claims whose pod is gone and whose address is on no interface: from now on they may move. */
  readonly free: readonly BlockClaimModel[];
  /** Claims that nobody needs. */
  readonly drop: readonly BlockClaimModel[];
};

/**
 * A pod has its addresses when this node's claims of them, in the pod's name, are in the watch and no block overlaps them. An address
 * moves only when its claim says that it is on no interface (`freedAt`), which only the node that had it says, or the
 * controller once that node is gone: two pods never have one at once. A pool's address rests before another pod gets it; the
 * pod that an address is named by or kept for takes it back at once.
 */
export function decideSingles(situation: SingleSituation): SingleDecision {
  const pods = new Map<string, PodAddresses>();
  // Most nodes, most of the time.
  const isMine = ({ holder, node }: BlockClaimModel) => holder !== undefined && node === situation.node;
  if (situation.pods.length === 0 && !situation.claims.some(isMine)) {
    return { pods, create: [], take: [], free: [], drop: [] };
  }
  const book = openBook(situation);
  for (const each of situation.pods) pods.set(each.pod.uid, decidePod(each, situation, book));
  const taken = new Set(book.take.map(({ claim }) => claim.uid));
  const free: BlockClaimModel[] = [];
  const drop: BlockClaimModel[] = [];
  const surplus = new Set(
    book.own.some(({ holder }) => holder.keep !== undefined) ? surplusKeeps(situation.claims) : [],
  );
  for (const claim of book.own) {
    const address = addressOf(claim);
    const { holder } = claim;
    if (!situation.isCurrent || situation.wired.has(address)) continue;
    if (taken.has(claim.uid) || book.needed.has(claim.uid)) continue;
    const isGone = !situation.alive.has(holder.podUID);
    const isKept = holder.keep !== undefined;
    if (isGone && surplus.has(claim)) {
      if (!situation.resting.has(address)) drop.push(claim);
    } else if (isGone && (isKept || holder.fixed === true)) {
      if (holder.freedAt === undefined) free.push(claim);
      else if (!isKept && !situation.resting.has(address)) drop.push(claim);
    } else if (!situation.resting.has(address)) drop.push(claim);
  }
  return { pods, create: book.create, take: book.take, free, drop };
}
