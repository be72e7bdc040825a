/** Reading and writing one Lease object: claim, renew, release. */
import { leaseType } from '#api/core.ts';
import type { KubeObject, ObjectMeta, OwnerReference } from '#api/object.ts';
import type { Log } from '#telemetry/log.ts';
import { type Client, isAlreadyExists, isConflict, isNotFound } from './client.ts';
import { microTimestamp } from './conditions.ts';

/** coordination.k8s.io/v1 Lease, cut to what is used. */
export type Lease = KubeObject & {
  readonly metadata: ObjectMeta;
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
    readonly leaseTransitions?: number | null;
  };
};

export type LeaseClaim = {
  readonly name: string;
  readonly namespace: string;
  readonly identity: string;
  readonly leaseSeconds: number;
  readonly ownerReferences?: readonly OwnerReference[] | undefined;
  /** Asked at each renewal; other annotations of the lease stay. */
  readonly annotations?: (() => Readonly<Record<string, string>>) | undefined;
};

/** What was last seen, and when by our own monotonic clock it was first seen like that. */
export type Observation = { readonly lease: Lease; readonly holder: string; readonly since: number };

/**
 * Takes the lease if it is free, expired or ours already. Losing a race is not an error: `held` is false.
 * Throws when the server can't be asked.
 */
export async function claimLease(
  client: Client,
  claim: LeaseClaim,
  observed: Observation | undefined,
  signal?: AbortSignal,
): Promise<{ readonly held: boolean; readonly observed: Observation }> {
  const call = { signal, timeoutSeconds: 5 };
  // Ours as last seen: renew without reading, one request; a conflict makes the next attempt read.
  if (observed !== undefined && observed.holder === claim.identity) {
    try {
      return {
        held: true,
        observed: observe(await client.update(leaseType, renewed(observed.lease, claim), call)),
      };
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
  }
  let current: Lease;
  try {
    current = await client.get<Lease>(leaseType, claim.name, claim.namespace, call);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    // The holder doesn't know yet that its lease was deleted: it has its time all the same.
    if (observed !== undefined && !isFree(observed, claim)) return { held: false, observed };
    try {
      return { held: true, observed: observe(await client.create<Lease>(leaseType, fresh(claim), call)) };
    } catch (race) {
      if (!isAlreadyExists(race)) throw race;
      current = await client.get<Lease>(leaseType, claim.name, claim.namespace, call);
    }
  }
  const seen = observeAgain(current, observed);
  if (!isFree(seen, claim)) return { held: false, observed: seen };
  try {
    return { held: true, observed: observe(await client.update(leaseType, renewed(current, claim), call)) };
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return { held: false, observed: seen };
    throw error;
  }
}

/** Gives a held lease up, so that the next holder needn't wait. Best effort: what fails here expires by itself. */
export async function releaseLease(
  client: Client,
  claim: LeaseClaim,
  observed: Observation | undefined,
  log: Log,
): Promise<Observation | undefined> {
  if (observed === undefined || observed.holder !== claim.identity) return observed;
  const { lease } = observed;
  // Without a holder rather than with an empty one, which newer servers refuse.
  const { holderIdentity: _, ...rest } = lease.spec ?? {};
  const spec = {
    ...rest,
    leaseDurationSeconds: 1,
    renewTime: microTimestamp(new Date()),
  };
  try {
    return observe(
      await client.update<Lease>(leaseType, { ...lease, spec }, { timeoutSeconds: 5, retries: 1 }),
    );
  } catch (error) {
    log.warn('the lease could not be released and will expire', { lease: claim.name, error });
    return undefined;
  }
}

function isFree({ lease, holder, since }: Observation, claim: LeaseClaim): boolean {
  if (holder === '' || holder === claim.identity) return true;
  const seconds = lease.spec?.leaseDurationSeconds ?? claim.leaseSeconds;
  return performance.now() - since >= seconds * 1000;
}

function observe(lease: Lease): Observation {
  return { lease, holder: lease.spec?.holderIdentity ?? '', since: performance.now() };
}

/** The time counts from when this very state was first seen. */
function observeAgain(lease: Lease, before: Observation | undefined): Observation {
  const next = observe(lease);
  const unchanged =
    before !== undefined &&
    before.holder === next.holder &&
    before.lease.metadata.uid === lease.metadata.uid &&
    before.lease.spec?.renewTime === lease.spec?.renewTime;
  return unchanged ? { ...next, since: before.since } : next;
}

function fresh({ name, namespace, identity, leaseSeconds, ownerReferences, annotations }: LeaseClaim): Lease {
  const now = microTimestamp(new Date());
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name,
      namespace,
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
      ...(annotations === undefined ? {} : { annotations: annotations() }),
    },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseSeconds),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: 0,
    },
  };
}

function renewed(lease: Lease, { identity, leaseSeconds, annotations }: LeaseClaim): Lease {
  const now = microTimestamp(new Date());
  const same = lease.spec?.holderIdentity === identity;
  const transitions = lease.spec?.leaseTransitions ?? 0;
  const { metadata } = lease;
  return {
    ...lease,
    metadata:
      annotations === undefined
        ? metadata
        : { ...metadata, annotations: { ...metadata.annotations, ...annotations() } },
    spec: {
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseSeconds),
      acquireTime: same ? (lease.spec?.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: same ? transitions : transitions + 1,
    },
  };
}
