/** Which inner sources a peer's tunnel packets may carry: sets by exact block where that is cheap, by interval elsewhere. */
import type { Family } from '#net/addr.ts';
import { type Prefix, prefixSize } from '#net/prefix.ts';
import type { Element } from './objects.ts';

/**
 * Blocks are looked up by the leading bits of the inner source, in a hash: a third of what an interval set of two fields costs, and
 * every packet between nodes pays it. These are the sizes that a Subnet's blocks have unless it says otherwise.
 */
const blockLengths: Readonly<Record<Family, number>> = { 4: 26, 6: 122 };
/** A larger block is so many elements at most; beyond, and for a smaller block, the interval set serves. */
const mostElements = 64;

/** The mask of a block's bits, as nft prints it. */
export function blockMask(family: Family): string {
  const bits = family === 4 ? 32 : 128;
  const free = BigInt(bits - blockLengths[family]);
  return hex((((1n << BigInt(bits)) - 1n) >> free) << free);
}

/** The elements that let a peer of this outer address send from a block. */
export function lowerTunnelSource(outer: string, block: Prefix): readonly Element[] {
  const family: Family = outer.includes(':') ? 6 : 4;
  const suffix = `${block.family}in${family}`;
  const size = 1n << BigInt((block.family === 4 ? 32 : 128) - blockLengths[block.family]);
  const count = prefixSize(block) / size;
  if (count < 1n || count > mostElements) {
    return [{ set: `tunnelSources${suffix}`, key: `${outer} . ${range(block)}` }];
  }
  return Array.from({ length: Number(count) }, (_, index) => ({
    set: `tunnelBlocks${suffix}`,
    key: `${outer} . ${hex(block.value + BigInt(index) * size)}`,
  }));
}

/** A prefix as raw payload: inner addresses are compared as integers, since nft knows no inner headers on kernel 5.15. */
function range(prefix: Prefix): string {
  const last = prefix.value + prefixSize(prefix) - 1n;
  return last === prefix.value ? hex(prefix.value) : `${hex(prefix.value)}-${hex(last)}`;
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}
