/** The nodes' own addresses in their overlay blocks, as they say on their BlockClaims: what arrives through the tunnel comes from them. */
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { NodeModel } from '#model/node.ts';

export type NodeTunnels = {
  setNode(name: string, node: NodeModel | undefined): void;
  setClaim(name: string, claim: BlockClaimModel | undefined): void;
};

/** `tell` gets what a node has now, undefined: none, whenever that may be new. */
export function createNodeTunnels(
  tell: (node: string, addresses: readonly string[] | undefined) => void,
): NodeTunnels {
  const uids = new Map<string, string>();
  const claims = new Map<string, BlockClaimModel>();
  const byNode = new Map<string, Map<string, readonly string[]>>();

  /** A claim of a node that was made again is the old node's, whose machine may be another one. */
  const tellOf = (node: string): void => {
    const found = [...(byNode.get(node) ?? [])].flatMap(([name, addresses]) =>
      claims.get(name)?.nodeUID === uids.get(node) ? addresses : [],
    );
    tell(node, found.length === 0 ? undefined : found.sort());
  };
  return {
    setNode(name, node) {
      if (node === undefined) uids.delete(name);
      else uids.set(name, node.uid);
      if (byNode.has(name)) tellOf(name);
    },
    setClaim(name, claim) {
      const before = claims.get(name);
      if (claim === undefined) claims.delete(name);
      else claims.set(name, claim);
      if (before !== undefined && before.node !== claim?.node) {
        byNode.get(before.node)?.delete(name);
        tellOf(before.node);
      }
      if (claim === undefined) return;
      const { nodeAddresses = [], node } = claim;
      const own = byNode.get(node) ?? new Map<string, readonly string[]>();
      byNode.set(node, own);
      if (nodeAddresses.length === 0 && !own.has(name)) return;
      if (nodeAddresses.length === 0) own.delete(name);
      else own.set(name, nodeAddresses);
      tellOf(node);
    },
  };
}
