/** Which claims nobody assigns from any more, and which nodes' leases nobody needs; pure. */
import type { BlockClaimModel } from '#model/blockclaim.ts';

/** A node's lease as this controller saw it, by its own clock: no clocks of two machines are compared. */
export type LeaseSighting = {
  /** Changes with every renewal. */
  readonly renewTime: string;
  readonly durationMs: number;
  /** When this controller first saw this renewTime, on a clock that nobody sets. */
  readonly seenAt: number;
};

export type LeaseTimes = {
  /** Of a lease that was never seen. */
  readonly defaultDurationMs: number;
  /** Beyond a lease's end: the agent's clock may run slower, and its last renewal may have been on its way. */
  readonly marginMs: number;
};

/** What becomes of claims of nodes that are gone. */
export type Abandoned = {
  readonly remove: readonly BlockClaimModel[];
  /** Kept addresses: they stay, and may move from now on. */
  readonly free: readonly BlockClaimModel[];
};

/**
 * Claims whose Node object is gone (or another one of the same name) and whose node's lease has run out: by then its datapath
 * refuses to assign. A node whose lease was never seen counts from `startedAt`, when this controller began to look. Of a node that
 * is out of service and whose lease has run out, only addresses of single pods go: the node may come back, its pods don't.
 */
export function abandonedClaims(
  claims: readonly BlockClaimModel[],
  nodeUIDs: ReadonlyMap<string, string>,
  leases: ReadonlyMap<string, LeaseSighting>,
  times: LeaseTimes & { readonly now: number; readonly startedAt: number },
  outOfService: ReadonlySet<string> = new Set(),
): Abandoned {
  const left = claims.filter((claim) => {
    const isGone = nodeUIDs.get(claim.node) !== claim.nodeUID;
    const isOut = claim.holder !== undefined && outOfService.has(claim.node);
    return (isGone || isOut) && hasRunOut(leases.get(claim.node), times);
  });
  const isKept = (claim: BlockClaimModel) => claim.holder?.keep !== undefined;
  return {
    remove: left.filter((claim) => !isKept(claim)),
    free: left.filter((claim) => isKept(claim) && claim.holder?.freedAt === undefined),
  };
}

/** Nodes whose lease nobody needs: it has run out, there is no such Node, and no claim waits for it. */
export function abandonedLeases(
  claims: readonly BlockClaimModel[],
  nodeUIDs: ReadonlyMap<string, string>,
  leases: ReadonlyMap<string, LeaseSighting>,
  times: LeaseTimes & { readonly now: number; readonly startedAt: number },
): readonly string[] {
  const inUse = claims.filter(({ holder }) => holder?.freedAt === undefined);
  const claiming = new Set(inUse.map((claim) => claim.node));
  return [...leases]
    .filter(([node, lease]) => !nodeUIDs.has(node) && !claiming.has(node) && hasRunOut(lease, times))
    .map(([node]) => node);
}

function hasRunOut(
  lease: LeaseSighting | undefined,
  times: LeaseTimes & { readonly now: number; readonly startedAt: number },
): boolean {
  const since = lease?.seenAt ?? times.startedAt;
  const duration = lease?.durationMs ?? times.defaultDurationMs;
  return times.now > since + duration + times.marginMs;
}
