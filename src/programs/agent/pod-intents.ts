/** What the datapath is told of this node's pods; pure. */
import type { Placed } from '#compile/ipam/placement.ts';
import type { PodAddresses } from '#compile/ipam/single.ts';
import type { PodIntent } from '#intent/node.ts';
import { isIdle, type PodModel, runtimeUID } from '#model/pod.ts';

/** A pod of this node, and where its addresses come from. */
export type LocalPod = { readonly pod: PodModel; readonly placed: Placed };

/**
 * By `namespace/name`. An ordinary pod is its UID and nothing else, known as soon as the watch shows it. `claimed` are the addresses
 * of pods that don't take from the node's blocks, by UID; one that is not in there yet waits.
 */
export function podIntents(
  pods: Iterable<LocalPod>,
  claimed: ReadonlyMap<string, PodAddresses>,
): ReadonlyMap<string, PodIntent> {
  const entries = new Map<string, PodIntent>();
  for (const { pod, placed } of pods) {
    if (!isIdle(pod))
      entries.set(`${pod.namespace}/${pod.name}`, podIntent(pod, placed, claimed.get(pod.uid)));
  }
  return entries;
}

function podIntent(pod: PodModel, placed: Placed, claimed: PodAddresses | undefined): PodIntent {
  const uid = runtimeUID(pod);
  if ('refused' in placed) return { uid, refused: placed.refused };
  const { subnet, ordinary, fromBlocks, mac } = placed.placement;
  if (fromBlocks) return { uid, ...(ordinary ? {} : { subnet }), ...(mac === undefined ? {} : { mac }) };
  if (claimed === undefined) return { uid, refused: 'its addresses are being claimed' };
  if ('refused' in claimed) return { uid, refused: claimed.refused };
  const { addresses, mac: own } = claimed;
  return { uid, claimed: { subnet, addresses }, ...(own === undefined ? {} : { mac: own }) };
}
