/** Frees the blocks and the leases of nodes that are gone, and says on claims what is wrong with them. */
import { leaseType } from '#api/core.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { setConditions } from '#kube/conditions.ts';
import type { Problem } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import { conditionsOf } from '#telemetry/problems.ts';
import { nodeLeaseName, systemNamespace } from '../node-lease.ts';
import { abandonedClaims, abandonedLeases, type LeaseSighting, type LeaseTimes } from './abandoned.ts';
import type { Caches, SeenClaim } from './caches.ts';

/**
 * Deletes what `abandonedClaims` names, as it was seen: a claim that its node took over or made anew meanwhile stays. Then the
 * leases that no claim waits for.
 */
export async function freeAbandoned(
  client: Client,
  caches: Pick<Caches, 'claims' | 'nodes' | 'leases'>,
  sightings: ReadonlyMap<string, LeaseSighting>,
  times: LeaseTimes & { readonly now: number; readonly startedAt: number },
  log: Log,
): Promise<void> {
  const nodeUIDs = new Map(caches.nodes.list().map(({ ref }) => [ref.name, ref.uid ?? '']));
  const claims = caches.claims.list().flatMap(({ value }) => value ?? []);
  const out = caches.nodes.list().flatMap(({ value }) => (value?.outOfService ? [value.name] : []));
  const { remove, free } = abandonedClaims(claims, nodeUIDs, sightings, times, new Set(out));
  for (const claim of free) {
    const resourceVersion = caches.claims.get('', claim.name)?.resourceVersion;
    await unlessChanged(async () => {
      const current = await client.get<BlockClaim>(blockClaimKind, claim.name);
      if (current.metadata.resourceVersion !== resourceVersion || claim.holder === undefined) return;
      const holder = { ...claim.holder, freedAt: new Date().toISOString() };
      await client.update(blockClaimKind, { ...current, spec: { ...current.spec, holder } });
      log.info('a kept address of a node that is gone may move', { cidr: claim.cidr, node: claim.node });
    });
  }
  for (const claim of remove) {
    const resourceVersion = caches.claims.get('', claim.name)?.resourceVersion;
    await unlessChanged(async () => {
      await client.delete(blockClaimKind, claim.name, { uid: claim.uid, resourceVersion });
      log.info('freed a block of a node that is gone', { cidr: claim.cidr, node: claim.node });
    });
  }
  for (const node of abandonedLeases(claims, nodeUIDs, sightings, times)) {
    const lease = caches.leases.get(systemNamespace, nodeLeaseName(node));
    if (lease === undefined) continue;
    await unlessChanged(async () => {
      await client.delete(leaseType, lease.name, { namespace: systemNamespace, uid: lease.uid });
      log.info('removed the lease of a node that is gone', { node });
    });
  }
}

/**
 * Conditions on claims that have a problem or had one. A sound claim gets none: each agent of the cluster watches every claim, so
 * a write to each would be told to all of them.
 */
export async function writeClaimConditions(
  client: Client,
  claims: readonly SeenClaim[],
  problems: readonly Problem[],
  now: Date,
  log: Log,
): Promise<void> {
  const byClaim = Map.groupBy(
    problems.filter(({ object }) => object.kind === blockClaimKind.kind),
    ({ object }) => object.name,
  );
  for (const { ref, conditions } of claims) {
    const own = byClaim.get(ref.name) ?? [];
    if (own.length === 0 && (conditions ?? []).length === 0) continue;
    const next = setConditions(conditions, conditionsOf(ref, own), now);
    if (next === conditions) continue;
    const target = { name: ref.name, subresource: 'status' };
    const body = { status: { conditions: next } };
    try {
      await unlessChanged(() => client.patch(blockClaimKind, target, { kind: 'merge', body }));
    } catch (error) {
      log.warn("a claim's conditions can't be written and are tried again", { claim: ref.name, error });
    }
  }
}

async function unlessChanged(write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isConflict(error) && !isNotFound(error)) throw error;
  }
}
