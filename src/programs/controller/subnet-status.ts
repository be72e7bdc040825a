/** What a Subnet's status says; pure. */

import { namespaceIntent, serveSubnets } from '#compile/topology/entries.ts';
import type { NewCondition } from '#kube/conditions.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { Problem, Read } from '#model/problem.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { listing } from './findings.ts';

export type SubnetStatus = {
  readonly ready: Omit<NewCondition, 'observedGeneration'>;
  readonly blocks: number;
  readonly namespaces: number;
};

export type SubnetSituation = {
  readonly subnets: ReadonlyMap<string, Read<SubnetModel>>;
  /** Names of those that are being deleted. */
  readonly deleting: ReadonlySet<string>;
  readonly claims: readonly BlockClaimModel[];
  readonly namespaces: readonly NamespaceModel[];
  /** Of any object; those of Subnets count. */
  readonly problems: readonly Problem[];
};

/** By Subnet name. A Subnet that can't be read, overlaps an older one or lost blocks is not Ready, with the reason. */
export function subnetStatuses(situation: SubnetSituation): ReadonlyMap<string, SubnetStatus> {
  const { subnets, deleting, claims, namespaces, problems } = situation;
  const served = serveSubnets(
    [...subnets.values()].flatMap(({ value }) => (value === undefined ? [] : [value])),
  );
  const found = Map.groupBy(
    problems.filter(({ object }) => object.kind === 'Subnet'),
    ({ object }) => object.name,
  );
  const held = Map.groupBy(claims, (claim) => claim.subnet);
  const serving = Map.groupBy(namespaces, (namespace) => namespaceIntent(namespace, served.value)?.subnet);
  return new Map(
    [...subnets.keys()].map((name) => {
      const blocks = held.get(name) ?? [];
      const own = found.get(name) ?? [];
      const ready = deleting.has(name)
        ? leaving(blocks)
        : served.value.byName.has(name)
          ? servedCondition(own)
          : notReady(own);
      return [name, { ready, blocks: blocks.length, namespaces: serving.get(name)?.length ?? 0 }] as const;
    }),
  );
}

function servedCondition(problems: readonly Problem[]): SubnetStatus['ready'] {
  const cutOff = problems.filter(({ code }) => code === 'BlockOutside');
  if (cutOff.length > 0) return notReady([...cutOff, ...problems.filter((each) => !cutOff.includes(each))]);
  const leftOut = problems.filter(({ code }) => code !== 'NoFreeBlock');
  const ready = { type: 'Ready', status: 'True' } as const;
  if (leftOut.length > 0)
    return { ...ready, reason: 'PartlyServed', message: `left out: ${sentences(problems)}` };
  if (problems.length > 0) return { ...ready, reason: 'NoFreeBlock', message: sentences(problems) };
  return { ...ready, reason: 'Served', message: 'nodes assign addresses from this Subnet' };
}

function notReady(problems: readonly Problem[]): SubnetStatus['ready'] {
  const reason = problems[0]?.code ?? 'Invalid';
  return { type: 'Ready', status: 'False', reason, message: sentences(problems) };
}

/** A Subnet that is being deleted stays until the last block of it is given back. */
function leaving(blocks: readonly BlockClaimModel[]): SubnetStatus['ready'] {
  const nodes = [...new Set(blocks.map((claim) => claim.node))].sort();
  const message =
    `is being deleted: new pods take no addresses from it, and it goes when the pods that have some are gone; ` +
    `${blocks.length} block${blocks.length === 1 ? '' : 's'} held by ${listing(nodes)}`;
  if (blocks.length > 0) return { type: 'Ready', status: 'False', reason: 'InUse', message };
  return { type: 'Ready', status: 'False', reason: 'Deleting', message: 'is being deleted' };
}

function sentences(problems: readonly Problem[]): string {
  return problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
}
