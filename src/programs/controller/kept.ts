/** When kept addresses are given up; pure. */
import { surplusKeeps } from '#compile/ipam/single-book.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { StatefulSetModel } from '#model/statefulset.ts';

export type KeptSituation = {
  readonly claims: readonly BlockClaimModel[];
  readonly namespaces: ReadonlySet<string>;
  /** By `namespace/name`. */
  readonly statefulSets: ReadonlyMap<string, StatefulSetModel>;
  /** Unix milliseconds. */
  readonly now: number;
};

export type Ended = {
  readonly claim: BlockClaimModel;
  readonly reason: string;
  /** What was judged by, to be asked for once more before the claim goes: a cache may be behind. */
  readonly statefulSet?: string;
};

/**
 * Kept addresses that are on no interface and whose rule has come true. With the namespace all of them end. `OnOwnerDeletion`: the
 * StatefulSet is gone, or no longer makes the pod of this ordinal; of a VM nothing tells that, so its address stays. A second address that
 * is kept for the same pod ends, too: the node that would give it back may be gone.
 */
export function endedKeeps(situation: KeptSituation): readonly Ended[] {
  const surplus = new Set(surplusKeeps(situation.claims));
  return situation.claims.flatMap((claim) => {
    const { holder } = claim;
    if (holder?.keep === undefined || holder.freedAt === undefined) return [];
    if (!situation.namespaces.has(holder.namespace)) {
      return [{ claim, reason: `namespace ${holder.namespace} is gone` }];
    }
    if (surplus.has(claim)) return [{ claim, reason: `another address is kept for ${holder.keep}` }];
    const release = holder.release ?? 'OnOwnerDeletion';
    const seconds = /^(\d+)s$/.exec(release)?.[1];
    if (seconds !== undefined) {
      const isOver = situation.now >= Date.parse(holder.freedAt) + Number(seconds) * 1000;
      return isOver ? [{ claim, reason: `its pod is gone for ${seconds} s` }] : [];
    }
    if (release !== 'OnOwnerDeletion' || holder.statefulSet === undefined) return [];
    const statefulSet = `${holder.namespace}/${holder.statefulSet}`;
    const reason = ownerEnded(claim, situation.statefulSets.get(statefulSet));
    return reason === undefined ? [] : [{ claim, reason, statefulSet }];
  });
}

/** Why the StatefulSet of a kept claim makes its pod no more; undefined while it does. */
export function ownerEnded(
  { holder }: Pick<BlockClaimModel, 'holder'>,
  owner: StatefulSetModel | undefined,
): string | undefined {
  if (owner === undefined) return `StatefulSet ${holder?.statefulSet} is gone`;
  const ordinal = Number(/-(\d+)$/.exec(holder?.keep ?? '')?.[1] ?? Number.NaN);
  const { start, replicas } = owner;
  if (Number.isNaN(ordinal) || (ordinal >= start && ordinal < start + replicas)) return undefined;
  return `StatefulSet ${holder?.statefulSet} is scaled to ${replicas}`;
}
