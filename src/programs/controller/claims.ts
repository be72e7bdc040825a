/** Frees the blocks of nodes that are gone. */
import { blockClaimKind } from '#api/kinds/blockclaim.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import type { Informer } from '#kube/informer.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { Log } from '#telemetry/log.ts';
import { abandonedClaims, type LeaseSighting, type LeaseTimes } from './abandoned.ts';

export type SeenClaim = BlockClaimModel & { readonly resourceVersion: string };

export type ClaimCaches = {
  readonly claims: Informer<SeenClaim>;
  /** Node name and UID. */
  readonly nodes: Informer<{ readonly name: string; readonly uid: string }>;
};

/** Deletes what `abandonedClaims` names, as it was seen: a claim that its node took over or made anew meanwhile stays. */
export async function freeAbandonedClaims(
  client: Client,
  caches: ClaimCaches,
  leases: ReadonlyMap<string, LeaseSighting>,
  times: LeaseTimes & { readonly startedAt: number },
  log: Log,
): Promise<void> {
  const nodeUIDs = new Map(caches.nodes.list().map((node) => [node.name, node.uid]));
  const now = { ...times, now: Date.now() };
  for (const claim of abandonedClaims(caches.claims.list(), nodeUIDs, leases, now)) {
    try {
      await client.delete(blockClaimKind, claim.name, {
        uid: claim.uid,
        resourceVersion: claim.resourceVersion,
      });
      log.info('freed a block of a node that is gone', { cidr: claim.cidr, node: claim.node });
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
  }
}
