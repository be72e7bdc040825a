/** Which claims nobody assigns from any more; pure. */
import type { BlockClaimModel } from '#model/blockclaim.ts';

/** A node's lease as this controller saw it, by its own clock: no clocks of two machines are compared. */
export type LeaseSighting = {
  /** Changes with every renewal. */
  readonly renewTime: string;
  readonly durationMs: number;
  /** When this controller first saw this renewTime. */
  readonly seenAt: number;
};

export type LeaseTimes = {
  /** Of a lease that was never seen. */
  readonly defaultDurationMs: number;
  /** Beyond a lease's end: the agent's clock may run slower, and its last renewal may have been on its way. */
  readonly marginMs: number;
};

/**
 * Claims whose Node object is gone (or another one of the same name) and whose node's lease has run out: by then its datapath
 * refuses to assign. A node whose lease was never seen counts from `startedAt`, when this controller began to look.
 */
export function abandonedClaims<C extends BlockClaimModel>(
  claims: readonly C[],
  nodeUIDs: ReadonlyMap<string, string>,
  leases: ReadonlyMap<string, LeaseSighting>,
  times: LeaseTimes & { readonly now: number; readonly startedAt: number },
): readonly C[] {
  return claims.filter((claim) => {
    if (nodeUIDs.get(claim.node) === claim.nodeUID) return false;
    const lease = leases.get(claim.node);
    const since = lease?.seenAt ?? times.startedAt;
    const duration = lease?.durationMs ?? times.defaultDurationMs;
    return times.now > since + duration + times.marginMs;
  });
}
