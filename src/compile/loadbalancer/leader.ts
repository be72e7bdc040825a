/** Which of an address's candidates answers for it now, as far as this node knows. Pure. */
import type { Liveness } from '#intent/liveness.ts';
import type { VirtualAddressIntent } from '#intent/loadbalancer.ts';

/**
 * The first candidate that neither is dead nor has a silent datapath; undefined: none that this node knows of. What a node hears
 * of itself doesn't count: it lives. A node that is cut off knows nothing of the others, and no leader.
 */
export function leaderOf(
  { candidates }: Pick<VirtualAddressIntent, 'candidates'>,
  { dead, silent, isolated }: Liveness,
  self: string,
): string | undefined {
  if (isolated) return undefined;
  return candidates.find((node) => node === self || !(dead.has(node) || silent.has(node)));
}

/** Whether this node is the one that answers. */
export function heldHere(entry: VirtualAddressIntent, liveness: Liveness, self: string): boolean {
  return leaderOf(entry, liveness, self) === self;
}
