/** All addresses on some nodes, their own and their pods', as a set that is asked for thousands of backends; pure. */
import type { NodeIntent, PeerIntent } from '#intent/node.ts';
import { formatAddr, parseAddr } from '#net/addr.ts';
import { firstAddr, type Prefix, parsePrefix, prefixHas, prefixSize } from '#net/prefix.ts';

/** A set of addresses; small blocks are spelt out, since a lookup by text costs a hundredth of reading an address. */
export type Addresses = {
  readonly size: number;
  readonly spelt: ReadonlySet<string>;
  /** Too large to be spelt out. */
  readonly large: readonly Prefix[];
  has(address: string): boolean;
};

export const noAddresses: Addresses = { size: 0, spelt: new Set(), large: [], has: () => false };
const speltOut = 4096n;

/** All addresses on these nodes: their own and their pods'. */
export function addressesOf(nodes: ReadonlySet<string>, peers: NodeIntent['peers']): Addresses {
  const found = [...nodes].flatMap((node): PeerIntent[] => {
    const peer = peers[node];
    return peer === undefined ? [] : [peer];
  });
  if (found.length === 0) return noAddresses;
  const single = new Set<string>();
  const large: Prefix[] = [];
  for (const { addresses, tunnelAddresses = [], blocks } of found) {
    for (const address of [...addresses, ...tunnelAddresses]) single.add(address);
    for (const { cidr } of blocks) {
      const prefix = parsePrefix(cidr);
      if (prefix === undefined) continue;
      if (prefixSize(prefix) > speltOut) large.push(prefix);
      else for (const address of spell(prefix)) single.add(address);
    }
  }
  const inLarge = (text: string): boolean => {
    const addr = parseAddr(text);
    return addr !== undefined && large.some((prefix) => prefixHas(prefix, addr));
  };
  return {
    size: single.size + large.length,
    spelt: single,
    large,
    has: (address) => single.has(address) || (large.length > 0 && inLarge(address)),
  };
}

function spell(prefix: Prefix): string[] {
  const { family, value } = firstAddr(prefix);
  return Array.from({ length: Number(prefixSize(prefix)) }, (_, i) =>
    formatAddr({ family, value: value + BigInt(i) }),
  );
}

/** What is in one of the two and not in the other; `concerns` where blocks are too large for a list. */
export function changedBetween(
  before: Addresses,
  after: Addresses,
): { readonly listed: readonly string[]; readonly concerns: ((address: string) => boolean) | undefined } {
  const listed = [...before.spelt, ...after.spelt].filter(
    (address) => before.has(address) !== after.has(address),
  );
  const large = before.large.length + after.large.length > 0;
  return {
    listed,
    concerns: large ? (address) => before.has(address) !== after.has(address) : undefined,
  };
}
