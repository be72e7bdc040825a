/** How long a prefix that was taken out of a Subnet stays in effect: while nodes hold blocks of it, and a lease longer. */
import type { ServedSubnet } from '#compile/topology/served.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import { parsePrefix, prefixesOverlap } from '#net/prefix.ts';

export type Retirement = {
  /** What of `subnet.retired` must stay in effect now; `now` in milliseconds on a clock that nobody sets. */
  staying(subnet: ServedSubnet, claims: readonly BlockClaimModel[], now: number): readonly string[];
};

/**
 * An agent that doesn't know yet that the prefix was taken away may still claim a block of it; by `graceMs` after the last block was
 * given back it has heard, or its lease has run out.
 */
export function createRetirement(graceMs: number): Retirement {
  /** Since when a prefix of a Subnet has been without blocks. */
  const freeSince = new Map<string, number>();
  return {
    staying(subnet, claims, now) {
      const keys = new Set(subnet.retired.map((cidr) => `${subnet.name} ${cidr}`));
      for (const key of freeSince.keys()) {
        if (key.startsWith(`${subnet.name} `) && !keys.has(key)) freeSince.delete(key);
      }
      return subnet.retired.filter((cidr) => {
        const key = `${subnet.name} ${cidr}`;
        if (isHeld(subnet.name, cidr, claims)) {
          freeSince.delete(key);
          return true;
        }
        const since = freeSince.get(key) ?? now;
        freeSince.set(key, since);
        return now - since < graceMs;
      });
    },
  };
}

function isHeld(subnet: string, cidr: string, claims: readonly BlockClaimModel[]): boolean {
  const prefix = parsePrefix(cidr);
  return claims.some((claim) => {
    const block = parsePrefix(claim.cidr);
    return (
      claim.subnet === subnet && prefix !== undefined && block !== undefined && prefixesOverlap(prefix, block)
    );
  });
}
