/** The same compile, change by change: what a change can't reach is not looked at. */
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { PoolModel } from '#model/ippool.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { createDeltaOutput } from '../delta.ts';
import type { PlacementInputs } from '../ipam/placement.ts';
import { noPools, type ServedPools, servePools, withoutPools } from '../ipam/pools.ts';
import type { TopologyDomain, TopologyIntent } from './compile.ts';
import { namespaceIntent, peerIntent, selfIntent, subnetIntent, validBlocks } from './entries.ts';
import { type ServedSubnets, serveSubnets } from './served.ts';

export type TopologyChange = {
  readonly put: { readonly [D in TopologyDomain]?: TopologyIntent[D] };
  readonly remove: { readonly [D in TopologyDomain]?: readonly string[] };
};

export type TopologyCompiler = {
  /** `undefined` removes. */
  readonly setNode: (name: string, node: NodeModel | undefined) => void;
  readonly setSubnet: (name: string, subnet: SubnetModel | undefined) => void;
  readonly setPool: (name: string, pool: PoolModel | undefined) => void;
  readonly setClaim: (name: string, claim: BlockClaimModel | undefined) => void;
  readonly setNamespace: (name: string, namespace: NamespaceModel | undefined) => void;
  /** What is served, as of the last flush. */
  readonly served: () => PlacementInputs;
  /** What changed in the intent since the last flush; `undefined` when nothing did. */
  readonly flush: () => TopologyChange | undefined;
};

/**
 * Starts from nothing. A Subnet's or a pool's change touches every node and namespace, new addresses of a node touch underlay
 * Subnets; any other change touches one entry.
 */
export function createTopologyCompiler(self: string): TopologyCompiler {
  const nodes = new Map<string, NodeModel>();
  const subnets = new Map<string, SubnetModel>();
  const pools = new Map<string, PoolModel>();
  const claims = new Map<string, BlockClaimModel>();
  const claimsByNode = new Map<string, Map<string, BlockClaimModel>>();
  const namespaces = new Map<string, NamespaceModel>();
  let served: ServedSubnets = { list: [], byName: new Map() };
  let servedPools: ServedPools = noPools;

  const dirtyNodes = new Set<string>();
  const dirtyNamespaces = new Set<string>();
  let dirtySubnets = false;
  /** Of nodes: what underlay Subnets can't give to pods. */
  let dirtyAddresses = false;
  const output = createDeltaOutput();

  const indexClaim = (claim: BlockClaimModel, present: boolean): void => {
    const own = claimsByNode.get(claim.node) ?? new Map<string, BlockClaimModel>();
    claimsByNode.set(claim.node, own);
    if (present) own.set(claim.name, claim);
    else own.delete(claim.name);
    if (own.size === 0) claimsByNode.delete(claim.node);
    dirtyNodes.add(claim.node);
  };

  return {
    setNode(name, node) {
      if (nodes.get(name)?.addresses.join() !== node?.addresses.join()) dirtyAddresses = true;
      store(nodes, name, node);
      dirtyNodes.add(name);
    },
    setSubnet(name, subnet) {
      store(subnets, name, subnet);
      dirtySubnets = true;
    },
    setPool(name, pool) {
      store(pools, name, pool);
      dirtySubnets = true;
    },
    setClaim(name, claim) {
      const old = claims.get(name);
      if (old !== undefined) indexClaim(old, false);
      store(claims, name, claim);
      if (claim !== undefined) indexClaim(claim, true);
    },
    setNamespace(name, namespace) {
      store(namespaces, name, namespace);
      dirtyNamespaces.add(name);
    },
    served: () => ({ subnets: served, pools: servedPools }),
    flush() {
      if (dirtySubnets) {
        served = serveSubnets(subnets.values()).value;
        for (const name of nodes.keys()) dirtyNodes.add(name);
        for (const name of namespaces.keys()) dirtyNamespaces.add(name);
        servedPools = servePools(pools.values(), served.byName).value;
      }
      if (dirtySubnets || (dirtyAddresses && served.list.some((subnet) => subnet.mode === 'underlay'))) {
        const addresses = [...nodes.values()].flatMap((node) => node.addresses);
        const entries = served.list.map(
          (subnet) =>
            [subnet.name, subnetIntent(withoutPools(subnet, servedPools), served, addresses)] as const,
        );
        output.replace('subnets', new Map(entries));
      }
      for (const name of dirtyNodes) {
        const node = nodes.get(name);
        const blocks =
          node === undefined ? [] : validBlocks(node, claimsByNode.get(name)?.values() ?? [], served).value;
        const domain = name === self ? 'self' : 'peers';
        const entry =
          node === undefined
            ? undefined
            : name === self
              ? selfIntent(node, blocks)
              : peerIntent(node, blocks, served);
        output.set(domain, name, entry);
      }
      for (const name of dirtyNamespaces) {
        const namespace = namespaces.get(name);
        output.set(
          'namespaces',
          name,
          namespace === undefined ? undefined : namespaceIntent(namespace, served),
        );
      }
      dirtySubnets = false;
      dirtyAddresses = false;
      dirtyNodes.clear();
      dirtyNamespaces.clear();
      return output.take() as TopologyChange | undefined;
    },
  };
}

function store<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
