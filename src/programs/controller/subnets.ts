/** Writes Subnets' status, and keeps a Subnet in being while nodes hold blocks of it. */
import { isDeepStrictEqual } from 'node:util';
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { Condition } from '#api/object.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { removeCondition, setConditions } from '#kube/conditions.ts';
import type { Log } from '#telemetry/log.ts';
import { type SubnetSituation, type SubnetStatus, subnetStatuses } from './subnet-status.ts';

/** On a Subnet while claims name it: deleting it would take the addresses from under running pods. */
export const inUseFinalizer = 'netloom.dev/addresses-in-use';

/** One pass over all Subnets; writes only what differs. What can't be written is left to the next pass, and holds up no other. */
export async function reconcileSubnets(
  client: Client,
  subnets: readonly Subnet[],
  situation: Omit<SubnetSituation, 'deleting'>,
  now: Date,
  pace: Pace,
  log: Log,
): Promise<void> {
  const isDeleting = (subnet: Subnet) => subnet.metadata.deletionTimestamp !== undefined;
  const deleting = new Set(subnets.filter(isDeleting).map((subnet) => subnet.metadata.name));
  const statuses = subnetStatuses({ ...situation, deleting });
  for (const subnet of subnets) {
    const status = statuses.get(subnet.metadata.name);
    if (status === undefined) continue;
    try {
      await writeFinalizer(client, subnet, status.blocks > 0);
      await writeStatus(client, subnet, status, now, pace);
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) continue;
      log.warn("a Subnet's status can't be written and is tried again", {
        subnet: subnet.metadata.name,
        error,
      });
    }
  }
}

async function writeFinalizer(client: Client, subnet: Subnet, wanted: boolean): Promise<void> {
  const finalizers = subnet.metadata.finalizers ?? [];
  const deleting = subnet.metadata.deletionTimestamp !== undefined;
  const present = finalizers.includes(inUseFinalizer);
  if (wanted === present || (wanted && deleting)) return;
  const next = wanted
    ? [...finalizers, inUseFinalizer]
    : finalizers.filter((each) => each !== inUseFinalizer);
  // The resourceVersion makes a list that somebody else changed a conflict instead of a loss.
  const { name, resourceVersion } = subnet.metadata;
  const body = { metadata: { resourceVersion, finalizers: next } };
  await client.patch(subnetKind, { name }, { kind: 'merge', body });
}

async function writeStatus(
  client: Client,
  subnet: Subnet,
  { ready, available, carries, ...status }: SubnetStatus,
  now: Date,
  pace: Pace,
): Promise<void> {
  const before = subnet.status ?? {};
  const { generation, name } = subnet.metadata;
  const wanted = [ready, available, carries]
    .filter(isGiven)
    .map((condition) =>
      generation === undefined ? condition : { ...condition, observedGeneration: generation },
    );
  const kept = before.conditions as readonly Condition[] | undefined;
  const conditions = setConditions(
    without(without(kept, 'AddressesAvailable', available), 'UnderlayCarries', carries),
    wanted,
    now,
  );
  const { cidrs, ...numbers } = status;
  const { conditions: _, cidrs: __, ...said } = before;
  const sameCidrs = isDeepStrictEqual(before.cidrs ?? [], cidrs);
  if (conditions === kept && sameCidrs && isDeepStrictEqual(said, numbers)) return;
  if (sameCidrs && differOnlyInWords(kept, conditions) && !pace.mayCount(name)) return;
  pace.counted(name);
  // A field that is missing from a merge patch stays; one that is null goes.
  const gone = Object.fromEntries(Object.keys(said).map((field) => [field, null]));
  const body = { status: { ...gone, ...numbers, conditions, cidrs } };
  await client.patch(subnetKind, { name, subresource: 'status' }, { kind: 'merge', body });
}

function isGiven<T>(value: T | undefined): value is T {
  return value !== undefined;
}

/** A condition that is no longer said must not stay. */
function without(
  kept: readonly Condition[] | undefined,
  type: string,
  said: unknown,
): readonly Condition[] | undefined {
  return said === undefined ? removeCondition(kept, type) : kept;
}

/**
 * Every agent is told of every write to a Subnet, and numbers change with every pod: new numbers alone are written once in a while,
 * the more seldom the more nodes there are.
 */
export type Pace = { mayCount(subnet: string): boolean; counted(subnet: string): void };

export function createPace(nodes: () => number): Pace {
  const last = new Map<string, number>();
  return {
    mayCount: (subnet) =>
      performance.now() - (last.get(subnet) ?? Number.NEGATIVE_INFINITY) > 1_000 + 10 * nodes(),
    counted: (subnet) => void last.set(subnet, performance.now()),
  };
}

/** Types, states and reasons are the same. */
export function differOnlyInWords(a: readonly Condition[] = [], b: readonly Condition[] = []): boolean {
  const said = (list: readonly Condition[]) =>
    list.map(({ type, status, reason, observedGeneration }) => [type, status, reason, observedGeneration]);
  return isDeepStrictEqual(said(a), said(b));
}
