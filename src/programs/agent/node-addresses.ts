/** Says on the node's claims which of their addresses are the node's own: other nodes can't tell them from pods' otherwise. */
import { blockClaimKind } from '#api/kinds/blockclaim.ts';
import { type Client, isNotFound } from '#kube/client.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';

export type NodeAddresses = {
  /** Writes what differs, once; rejects when the API server refuses, and the next call tries again. */
  tell(claims: readonly BlockClaimModel[], tunnelAddresses: readonly string[]): Promise<void>;
};

/** A node has one such address a family, and keeps it for as long as it holds the block: a write or two in its life. */
export function createNodeAddresses(client: Client): NodeAddresses {
  /** Told and not seen in the watch yet, by claim. */
  const told = new Map<string, string>();
  const write = async (claim: BlockClaimModel, nodeAddresses: readonly string[]): Promise<void> => {
    const target = { name: claim.name, subresource: 'status' };
    told.set(claim.uid, nodeAddresses.join());
    try {
      await client.patch(blockClaimKind, target, { kind: 'merge', body: { status: { nodeAddresses } } });
    } catch (error) {
      told.delete(claim.uid);
      if (!isNotFound(error)) throw error;
    }
  };
  return {
    async tell(claims, tunnelAddresses) {
      const present = new Set(claims.map((claim) => claim.uid));
      for (const uid of told.keys()) if (!present.has(uid)) told.delete(uid);
      const due = claims.flatMap((claim) => {
        const wanted = tunnelAddresses.filter((address) => isIn(claim.cidr, address));
        const shown = (claim.nodeAddresses ?? []).join();
        if (shown === told.get(claim.uid)) told.delete(claim.uid);
        const isDue = shown !== wanted.join() && told.get(claim.uid) !== wanted.join();
        return isDue ? [write(claim, wanted)] : [];
      });
      await Promise.all(due);
    },
  };
}

function isIn(cidr: string, address: string): boolean {
  const prefix = parsePrefix(cidr);
  const addr = parseAddr(address);
  return prefix !== undefined && addr !== undefined && prefixHas(prefix, addr);
}
