/** What a Subnet's status says; pure. */

import { namespaceIntent, serveSubnets } from '#compile/topology/entries.ts';
import type { NewCondition } from '#kube/conditions.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { Problem, Read } from '#model/problem.ts';
import type { SubnetModel } from '#model/subnet.ts';

export type SubnetStatus = {
  readonly ready: Omit<NewCondition, 'observedGeneration'>;
  readonly blocks: number;
  readonly namespaces: number;
};

/** By Subnet name. A Subnet that can't be read or that overlaps an older one is not Ready, with the reason. */
export function subnetStatuses(
  subnets: ReadonlyMap<string, Read<SubnetModel>>,
  claims: readonly BlockClaimModel[],
  namespaces: readonly NamespaceModel[],
): ReadonlyMap<string, SubnetStatus> {
  const served = serveSubnets(
    [...subnets.values()].flatMap(({ value }) => (value === undefined ? [] : [value])),
  );
  const overlaps = Map.groupBy(served.problems, (problem) => problem.object.name);
  const blocks = Map.groupBy(claims, (claim) => claim.subnet);
  const byServing = Map.groupBy(namespaces, (namespace) => namespaceIntent(namespace, served.value)?.subnet);
  return new Map(
    [...subnets].map(([name, { value, problems }]) => {
      const refusals = [...(overlaps.get(name) ?? []), ...problems];
      const serving = value !== undefined && !overlaps.has(name);
      const status: SubnetStatus = {
        ready: serving ? readyCondition(refusals) : refusedCondition(refusals),
        blocks: blocks.get(name)?.length ?? 0,
        namespaces: byServing.get(name)?.length ?? 0,
      };
      return [name, status] as const;
    }),
  );
}

function readyCondition(problems: readonly Problem[]): SubnetStatus['ready'] {
  const [first] = problems;
  if (first === undefined) {
    return {
      type: 'Ready',
      status: 'True',
      reason: 'Served',
      message: 'nodes assign addresses from this Subnet',
    };
  }
  return {
    type: 'Ready',
    status: 'True',
    reason: 'PartlyServed',
    message: `left out: ${sentences(problems)}`,
  };
}

function refusedCondition(problems: readonly Problem[]): SubnetStatus['ready'] {
  return {
    type: 'Ready',
    status: 'False',
    reason: problems[0]?.code ?? 'Invalid',
    message: sentences(problems),
  };
}

function sentences(problems: readonly Problem[]): string {
  return problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
}
