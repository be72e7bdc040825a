/** Nodes, Subnets, claims and namespaces become the intent of one node: as a whole, or change by change. */
import type { NodeIntent, PeerIntent } from '#intent/node.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { PoolModel } from '#model/ippool.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { servePools, withoutPools } from '../ipam/pools.ts';
import { namespaceIntent, peerIntent, selfIntent, subnetIntent, validBlocks } from './entries.ts';
import { type ServedSubnets, serveSubnets } from './served.ts';

export type TopologySnapshot = {
  readonly nodes: readonly NodeModel[];
  readonly subnets: readonly SubnetModel[];
  readonly claims: readonly BlockClaimModel[];
  readonly namespaces: readonly NamespaceModel[];
  readonly pools?: readonly PoolModel[];
};

/** The domains that this folder compiles. */
export type TopologyIntent = Pick<NodeIntent, 'self' | 'subnets' | 'namespaces' | 'peers'>;
export type TopologyDomain = keyof TopologyIntent;

/** The whole intent of the node named `self`, and what is wrong with the objects. */
export function compileTopology(
  snapshot: TopologySnapshot,
  self: string,
): { readonly value: TopologyIntent; readonly problems: readonly Problem[] } {
  const served = serveSubnets(snapshot.subnets);
  const claims = Map.groupBy(snapshot.claims, (claim) => claim.node);
  const addresses = snapshot.nodes.flatMap((node) => node.addresses);
  const pools = servePools(snapshot.pools ?? [], served.value.byName);
  const problems = [...served.problems, ...pools.problems];
  const peers: Record<string, PeerIntent> = {};
  let own: TopologyIntent['self'] = {};
  for (const node of snapshot.nodes) {
    const blocks = validBlocks(node, claims.get(node.name) ?? [], served.value);
    problems.push(...blocks.problems);
    if (node.name === self) own = { [self]: selfIntent(node, blocks.value) };
    else peers[node.name] = peerIntent(node, blocks.value, served.value);
  }
  const value: TopologyIntent = {
    self: own,
    subnets: Object.fromEntries(
      served.value.list.map((subnet) => {
        const own = withoutPools(subnet, pools.value);
        return [subnet.name, subnetIntent(own, served.value, addresses)];
      }),
    ),
    namespaces: namespaces(snapshot.namespaces, served.value),
    peers,
  };
  return { value, problems };
}

function namespaces(list: readonly NamespaceModel[], subnets: ServedSubnets): TopologyIntent['namespaces'] {
  const entries = list.flatMap((namespace) => {
    const intent = namespaceIntent(namespace, subnets);
    return intent === undefined ? [] : [[namespace.name, intent] as const];
  });
  return Object.fromEntries(entries);
}
