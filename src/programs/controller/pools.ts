/** Writes IPPools' status, and gives up kept addresses whose rule has come true. */
import { statefulSetType } from '#api/core.ts';
import { blockClaimKind } from '#api/kinds/blockclaim.ts';
import { type IPPool, ipPoolKind } from '#api/kinds/ippool.ts';
import type { Condition, KubeObject } from '#api/object.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { setConditions } from '#kube/conditions.ts';
import type { Problem } from '#model/problem.ts';
import { readStatefulSet } from '#model/statefulset.ts';
import type { Log } from '#telemetry/log.ts';
import type { Caches } from './caches.ts';
import { type Ended, endedKeeps, ownerEnded } from './kept.ts';
import { type PoolStatus, type PoolUse, poolStatus } from './pool-status.ts';
import { differOnlyInWords, type Pace } from './subnets.ts';

/** Writes only what differs; what can't be written is left to the next pass, and holds up no other. */
export async function reconcilePools(
  client: Client,
  pools: readonly IPPool[],
  uses: ReadonlyMap<string, PoolUse>,
  problems: readonly Problem[],
  now: Date,
  pace: Pace,
  log: Log,
): Promise<void> {
  const byPool = Map.groupBy(
    problems.filter(({ object }) => object.kind === ipPoolKind.kind),
    ({ object }) => object.name,
  );
  for (const pool of pools) {
    const { name } = pool.metadata;
    const status = poolStatus(uses.get(name), byPool.get(name) ?? []);
    try {
      await writeStatus(client, pool, status, now, pace);
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) continue;
      log.warn("an IPPool's status can't be written and is tried again", { pool: name, error });
    }
  }
}

/** As it was seen: an address that a pod took again meanwhile stays. */
export async function endKeeps(
  client: Client,
  caches: Pick<Caches, 'claims' | 'namespaces' | 'statefulSets'>,
  now: Date,
  log: Log,
): Promise<void> {
  const ended = endedKeeps({
    claims: caches.claims.list().flatMap(({ value }) => value ?? []),
    namespaces: new Set(caches.namespaces.list().map(({ ref }) => ref.name)),
    statefulSets: new Map(caches.statefulSets.list().map((each) => [each.key, each])),
    now: now.getTime(),
  });
  for (const each of ended) {
    const { claim, reason } = each;
    const resourceVersion = caches.claims.get('', claim.name)?.resourceVersion;
    try {
      if (!(await isStillEnded(client, each))) continue;
      await client.delete(blockClaimKind, claim.name, { uid: claim.uid, resourceVersion });
      log.info('gave up a kept address', { cidr: claim.cidr, keep: claim.holder?.keep, reason });
    } catch (error) {
      if (!isConflict(error) && !isNotFound(error)) throw error;
    }
  }
}

async function isStillEnded(client: Client, { claim, statefulSet }: Ended): Promise<boolean> {
  if (statefulSet === undefined) return true;
  const [namespace = '', name = ''] = statefulSet.split('/');
  try {
    const owner = await client.get<KubeObject>(statefulSetType, name, namespace);
    return ownerEnded(claim, readStatefulSet(owner)) !== undefined;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}

async function writeStatus(
  client: Client,
  pool: IPPool,
  status: PoolStatus,
  now: Date,
  pace: Pace,
): Promise<void> {
  const { generation, name } = pool.metadata;
  const { conditions: wanted, ...counts } = status;
  const before = pool.status ?? {};
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const conditions = setConditions(
    before.conditions as readonly Condition[] | undefined,
    wanted.map((condition) => ({ ...condition, ...observed })),
    now,
  );
  const { conditions: held, ...rest } = before;
  if (conditions === held && sameCounts(rest, counts)) return;
  if (differOnlyInWords(held as readonly Condition[] | undefined, conditions) && !pace.mayCount(name)) return;
  pace.counted(name);
  const body = { status: { conditions, ...counts } };
  await client.patch(ipPoolKind, { name, subresource: 'status' }, { kind: 'merge', body });
}

function sameCounts(a: Partial<PoolStatus>, b: Partial<PoolStatus>): boolean {
  const text = ({ usage, held, free, holders }: Partial<PoolStatus>) =>
    JSON.stringify([
      usage,
      held,
      free,
      holders?.map(({ address, pod, node, kept }) => [address, pod, node, kept]),
    ]);
  return text(a) === text(b);
}
