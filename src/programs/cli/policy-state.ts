/** What other kinds of policies have in their status, of a NetworkPolicy, whose API has none; pure. */
import type { KubeObject } from '#api/object.ts';
import { surveyPolicies } from '#compile/policy/findings.ts';
import type { NewCondition } from '#kube/conditions.ts';
import { readCluster } from '#model/cluster.ts';
import { nobody, selectedPods } from '../controller/policy-selection.ts';
import { liveNodes, policyConditions } from '../controller/policy-status.ts';
import { nodeOfLease, type PolicyReach, parseReach, policyAnnotation } from '../node-lease.ts';

const kind = 'NetworkPolicy';

/**
 * Accepted, InForce and Ready, as the controller writes them for the others. `objects`: those that policy is about; `leases`: of the nodes;
 * `now`: Unix milliseconds. Undefined: there is no such policy.
 */
export function networkPolicyState(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  objects: readonly KubeObject[],
  leases: readonly KubeObject[],
  now: number,
): readonly NewCondition[] | undefined {
  const isIt = (object: { kind: string; namespace?: string | undefined; name?: string | undefined }) =>
    object.kind === kind && object.namespace === namespace && object.name === name;
  const found = objects.find(({ kind, metadata }) => isIt({ ...metadata, kind }));
  if (found === undefined) return undefined;
  const { value: cluster, problems: refused } = readCluster(objects);
  const policy = [...cluster.policies.values()].find(({ origin }) => isIt(origin));
  const { problems } = surveyPolicies(cluster);
  const nodes = leases.flatMap((lease) => {
    const node = nodeOfLease(lease.metadata.name ?? '');
    return node === undefined ? [] : [{ node, ...readLease(lease, now) }];
  });
  const reaches = new Map(nodes.map(({ node, reach }) => [node, reach]));
  const alive = new Set(nodes.flatMap(({ node, isAlive }) => (isAlive ? [node] : [])));
  const view = {
    kind,
    generation: found.metadata.generation,
    since: found.metadata.resourceVersion ?? '',
    used: policy !== undefined,
    selected: (policy && selectedPods(cluster, [policy]).get(policy.key)) ?? nobody,
    problems: [...refused, ...problems].filter(({ object }) => isIt(object)),
  };
  return policyConditions(
    view,
    reaches,
    liveNodes(reaches, (node) => alive.has(node)),
  );
}

function readLease(
  { metadata, ...rest }: KubeObject,
  now: number,
): { readonly reach: PolicyReach; readonly isAlive: boolean } {
  const { renewTime = '', leaseDurationSeconds = 0 } = (rest['spec'] ?? {}) as {
    readonly renewTime?: string;
    readonly leaseDurationSeconds?: number;
  };
  return {
    reach: parseReach(metadata.annotations?.[policyAnnotation]),
    isAlive: now < Date.parse(renewTime) + leaseDurationSeconds * 1000,
  };
}
