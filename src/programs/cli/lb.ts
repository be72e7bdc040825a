/** `netloom lb`: who announces balancers' addresses, to whom and since when, and why a Service waits for one. */
import { nodeType, serviceType } from '#api/core.ts';
import { bgpNeighborKind } from '#api/kinds/bgpneighbor.ts';
import { bgpPeerKind } from '#api/kinds/bgppeer.ts';
import { ipAddressPoolKind } from '#api/kinds/ipaddresspool.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { type Client, createClient, isNotFound } from '#kube/client.ts';
import { eventType } from '#kube/events.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { kubeconfigPath } from './answers/source.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';
import { announcementKinds, type BalancerObjects, balancerLines, balancersOf } from './lb-table.ts';

export async function run(invocation: Invocation): Promise<number> {
  const only = serviceOf(invocation.operands);
  const path = await kubeconfigPath(invocation);
  const client = createClient(await loadKubeconfig(path === undefined ? {} : { path }));
  try {
    const answer = balancersOf(await balancerObjects(client), only);
    const { balancers } = answer;
    if (only !== undefined && balancers.length === 0) {
      invocation.progress(`there is no Service ${only} of type LoadBalancer`);
      return exitCodes.failed;
    }
    if (invocation.values.output === 'json') invocation.out(JSON.stringify(answer));
    else for (const line of balancerLines(answer, Date.now())) invocation.out(line);
    return only !== undefined && balancers.some(({ waits }) => waits !== undefined)
      ? exitCodes.failed
      : exitCodes.ok;
  } finally {
    client.close();
  }
}

function serviceOf([operand]: readonly string[]): string | undefined {
  if (operand === undefined) return undefined;
  const [first = '', second, ...more] = operand.split('/');
  const [namespace, name] = second === undefined ? ['default', first] : [first, second];
  if (name === '' || namespace === '' || more.length > 0)
    throw new UsageError('netloom lb takes NAMESPACE/SERVICE, or SERVICE of namespace default');
  return `${namespace}/${name}`;
}

/** A kind that the cluster doesn't have has no objects. */
export async function balancerObjects(client: Client): Promise<BalancerObjects> {
  const all = async (type: ResourceType): Promise<readonly KubeObject[]> => {
    try {
      const { items } = await client.list<KubeObject>(type);
      return items.map((item) => ({ ...item, kind: type.kind }));
    } catch (error) {
      if (isNotFound(error)) return [];
      throw error;
    }
  };
  const [services, l2, bgp, metallbPeers, neighbors, pools, events, nodes] = await Promise.all([
    all(serviceType),
    all(announcementKinds.l2),
    all(announcementKinds.bgp),
    all(bgpPeerKind),
    all(bgpNeighborKind),
    all(ipAddressPoolKind),
    all(eventType),
    all(nodeType),
  ]);
  return { services, l2, bgp, peers: [...metallbPeers, ...neighbors], pools, events, nodes };
}
