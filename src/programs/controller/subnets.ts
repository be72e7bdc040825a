/** Writes Subnets' status, and keeps a Subnet in being while nodes hold blocks of it. */
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { Condition } from '#api/object.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { setCondition } from '#kube/conditions.ts';
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
      await writeStatus(client, subnet, status, now);
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

async function writeStatus(client: Client, subnet: Subnet, status: SubnetStatus, now: Date): Promise<void> {
  const before = subnet.status ?? {};
  const { generation, name } = subnet.metadata;
  const condition =
    generation === undefined ? status.ready : { ...status.ready, observedGeneration: generation };
  const conditions = setCondition(before.conditions as readonly Condition[] | undefined, condition, now);
  const { blocks, namespaces } = status;
  const same =
    conditions === before.conditions && before.blocks === blocks && before.namespaces === namespaces;
  if (same) return;
  const body = { status: { conditions, blocks, namespaces } };
  await client.patch(subnetKind, { name, subresource: 'status' }, { kind: 'merge', body });
}
