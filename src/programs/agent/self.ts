/** The node's own entry as it is handed over: only usable blocks, and until when the node may assign from them. */
import type { SelfIntent } from '#intent/node.ts';

export type SelfInputs = {
  /** As the API has it; undefined while there is no Node object. */
  readonly api: SelfIntent | undefined;
  /** The last entry handed over: a deleted Node keeps its addresses and loses its blocks. */
  readonly previous: SelfIntent | undefined;
  /** UIDs of claims to assign from. */
  readonly usable: ReadonlySet<string>;
  /** Unix milliseconds; 0 while the lease is not held. */
  readonly leaseValidUntil: number;
  /** Who holds the lease instead of this machine. */
  readonly leaseHolder?: string | undefined;
};

/** `undefined` when nothing is known yet. Without a Node object, or with the lease in other hands, nothing is assigned. */
export function handedSelf({
  api,
  previous,
  usable,
  leaseValidUntil,
  leaseHolder,
}: SelfInputs): SelfIntent | undefined {
  if (api === undefined) {
    if (previous === undefined) return undefined;
    const assignRefused = `node ${previous.node} was deleted from the cluster`;
    return { ...previous, blocks: [], assignUntil: 0, leaving: true, assignRefused };
  }
  return {
    ...api,
    blocks: api.blocks.filter((block) => usable.has(block.claim)),
    assignUntil: leaseValidUntil,
    ...(leaseHolder === undefined
      ? {}
      : { assignRefused: `another machine runs as node ${api.node} (${leaseHolder})` }),
  };
}
