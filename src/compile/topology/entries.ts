/** One intent entry from the models that it depends on; every function here is the same for the whole and for a change. */
import type { BlockIntent, NamespaceIntent, PeerIntent, SelfIntent, SubnetIntent } from '#intent/node.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem, ProblemCode } from '#model/problem.ts';
import { selects } from '#model/selector.ts';
import { parseAddr } from '#net/addr.ts';
import { formatPrefix, hostPrefix, parsePrefix, prefixHas } from '#net/prefix.ts';
import { setOfPrefixes, toPrefixes } from '#net/set.ts';
import { blockName } from '../ipam/blocks.ts';
import { holdsBlock, type ServedSubnet, type ServedSubnets } from './served.ts';

/** The Subnet of every namespace that no other names. */
export const defaultSubnet = 'default';

/**
 * `nodes`: addresses of all nodes. Those inside an underlay Subnet are taken on the wire, so no pod gets one. Other modes don't look
 * at them, so there a change of a node changes no Subnet.
 */
export function subnetIntent(
  subnet: ServedSubnet,
  subnets: ServedSubnets,
  nodes: Iterable<string>,
): SubnetIntent {
  const { origin, retired, mode, masquerade, allowFrom, reserved, gateways } = subnet;
  const cidrs = [...subnet.cidrs, ...retired];
  const onWire = mode === 'underlay';
  return {
    origin,
    cidrs,
    mode,
    masquerade,
    allowFrom,
    excluded: onWire ? withNodes(subnet.excluded, cidrs, nodes) : subnet.excluded,
    ...(onWire && gateways !== undefined ? { gateways } : {}),
    ...(retired.length === 0 ? {} : { retired }),
    ...(reserved === undefined ? {} : { reserved }),
    ...(subnet.crossSubnet ? { crossSubnet: true } : {}),
    ...(subnet.private === undefined ? {} : { onlyFrom: admitted(subnet, subnets) }),
  };
}

function withNodes(excluded: readonly string[], cidrs: readonly string[], nodes: Iterable<string>): string[] {
  const prefixes = cidrs.flatMap((cidr) => parsePrefix(cidr) ?? []);
  const taken = [...nodes].flatMap((text) => {
    const addr = parseAddr(text);
    return addr !== undefined && prefixes.some((prefix) => prefixHas(prefix, addr)) ? [hostPrefix(addr)] : [];
  });
  const own = excluded.flatMap((cidr) => parsePrefix(cidr) ?? []);
  return toPrefixes(setOfPrefixes([...own, ...taken])).map(formatPrefix);
}

/** A Subnet that is named and not there admits nobody. */
function admitted(subnet: ServedSubnet, subnets: ServedSubnets): readonly string[] {
  const { subnets: names = [], prefixes = [] } = subnet.private ?? {};
  const others = [subnet.name, ...names].flatMap((name) => {
    const other = subnets.byName.get(name);
    return other === undefined ? [] : [...other.cidrs, ...other.retired];
  });
  return [...others, ...prefixes, ...subnet.allowFrom];
}

/** How a namespace came to its Subnet. */
export type SubnetChoice = { readonly subnet: ServedSubnet; readonly by: 'name' | 'selector' | 'default' };

/**
 * A Subnet that lists the name wins over one whose selector takes the labels, that over `default`; then the older wins. One that
 * is being deleted serves no namespace: it goes when its last pod is gone.
 */
export function chooseSubnet(
  namespace: Pick<NamespaceModel, 'name' | 'labels'>,
  subnets: ServedSubnets,
): SubnetChoice | undefined {
  const staying = subnets.list.filter((subnet) => subnet.deleting !== true);
  const named = staying.find((subnet) => subnet.namespaces.includes(namespace.name));
  if (named !== undefined) return { subnet: named, by: 'name' };
  const selected = staying.find((subnet) => selects(subnet.namespaceSelector, namespace.labels));
  if (selected !== undefined) return { subnet: selected, by: 'selector' };
  const fallback = staying.find(({ name }) => name === defaultSubnet);
  return fallback === undefined ? undefined : { subnet: fallback, by: 'default' };
}

export function namespaceIntent(
  namespace: NamespaceModel,
  subnets: ServedSubnets,
): NamespaceIntent | undefined {
  const subnet = chooseSubnet(namespace, subnets)?.subnet;
  return subnet === undefined ? undefined : { subnet: subnet.name };
}

/** `nodeAddresses`: those of the block that its node says are its own. `holder`: it is one address of one pod. */
export type ValidBlock = BlockIntent & Pick<BlockClaimModel, 'nodeAddresses' | 'holder'>;

/** Blocks and single addresses of a node in order of their name; a claim that must not be routed becomes a problem. */
export function validBlocks(
  node: NodeModel,
  claims: Iterable<BlockClaimModel>,
  subnets: ServedSubnets,
): { value: ValidBlock[]; problems: Problem[] } {
  const problems: Problem[] = [];
  const value: ValidBlock[] = [];
  for (const claim of [...claims].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const problem = judgeClaim(claim, node, subnets);
    const { cidr, subnet, uid, nodeAddresses, holder } = claim;
    const own = nodeAddresses === undefined ? {} : { nodeAddresses };
    if (problem !== undefined) problems.push(problem);
    else value.push({ cidr, subnet, claim: uid, ...own, ...(holder === undefined ? {} : { holder }) });
  }
  return { value, problems };
}

/** An address that is on no interface (kept, or at rest) is routed nowhere. */
export function peerIntent(
  node: NodeModel,
  blocks: readonly ValidBlock[],
  subnets: ServedSubnets,
): PeerIntent {
  const tunnelAddresses = blocks.flatMap(({ nodeAddresses = [] }) => nodeAddresses);
  return {
    origin: node.origin,
    addresses: node.addresses,
    ...(tunnelAddresses.length === 0 ? {} : { tunnelAddresses }),
    blocks: blocks.flatMap(({ cidr, subnet, holder }) => {
      const served = subnets.byName.get(subnet);
      if (served === undefined || holder?.freedAt !== undefined) return [];
      const { mode, crossSubnet } = served;
      return [{ cidr, subnet, mode, ...(crossSubnet ? { crossSubnet } : {}) }];
    }),
  };
}

/**
 * `assignUntil` and `tunnelAddresses` are not the API's to say: the agent's lease and the datapath fill them in. Single addresses
 * go to the pods that hold them, and are no blocks to assign from.
 */
export function selfIntent(node: NodeModel, blocks: readonly ValidBlock[]): SelfIntent {
  const singles = blocks
    .filter(({ holder }) => holder !== undefined && holder.freedAt === undefined)
    .map(({ cidr, subnet }) => ({ cidr, subnet }));
  return {
    origin: node.origin,
    node: node.name,
    nodeUID: node.uid,
    addresses: node.addresses,
    blocks: blocks
      .filter(({ holder }) => holder === undefined)
      .map(({ cidr, subnet, claim }) => ({ cidr, subnet, claim })),
    ...(singles.length === 0 ? {} : { singles }),
    tunnelAddresses: [],
    assignUntil: 0,
    ...(node.leaving === true ? { leaving: true } : {}),
  };
}

function judgeClaim(claim: BlockClaimModel, node: NodeModel, subnets: ServedSubnets): Problem | undefined {
  const problem = (field: string, code: ProblemCode, message: string): Problem => ({
    object: claim.origin,
    field,
    code,
    message,
  });
  if (claim.name !== blockName(claim.cidr)) {
    return problem('metadata.name', 'WrongName', `is not the name of ${claim.cidr}; the claim holds nothing`);
  }
  if (claim.nodeUID !== node.uid) {
    return problem(
      'spec.nodeUID',
      'NodeReplaced',
      `node ${node.name} was made again; the claim of the old one holds nothing`,
    );
  }
  const subnet = subnets.byName.get(claim.subnet);
  if (subnet === undefined) {
    return problem('spec.subnet', 'SubnetNotFound', `there is no served Subnet ${claim.subnet}`);
  }
  if (!holdsBlock(subnet, claim.cidr))
    return problem('spec.cidr', 'OutsideSubnet', `${claim.cidr} is not part of Subnet ${subnet.name}`);
  return undefined;
}
