/** The first free address of a pool's ranges, without looking at those before it one by one. */
import { type Addr, type Family, formatAddr, parseAddr } from '#net/addr.ts';
import { type Range, rangeHas, rangeSize } from '#net/range.ts';

export type FreeAddresses = {
  /** Of all addresses that nobody has, the first in the ranges' order. */
  first(): string | undefined;
  /** Nobody has this address any longer. */
  released(address: string): void;
  /** Where in the ranges' order it stands; undefined outside of them. */
  position(address: string): bigint | undefined;
};

/**
 * What was never looked at begins at a cursor; what came free before it is in a heap. Both may name an address that is taken by now,
 * which is passed over once: that makes every step O(log n) in the long run.
 */
export function createFreeAddresses(
  ranges: readonly Range[],
  family: Family,
  isUsable: (address: string) => boolean,
): FreeAddresses {
  const own = ranges.filter((range) => range.family === family);
  const starts: bigint[] = [];
  let total = 0n;
  for (const range of own) {
    starts.push(total);
    total += rangeSize(range);
  }
  let cursor = 0n;
  let index = 0;
  const heap: bigint[] = [];
  const queued = new Set<bigint>();

  const at = (position: bigint): string => {
    let low = 0;
    let high = own.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (starts[middle]! <= position) low = middle;
      else high = middle - 1;
    }
    return formatAddr({ family, value: own[low]!.first + position - starts[low]! });
  };
  const position = (address: string): bigint | undefined => {
    const addr = parseAddr(address);
    if (addr === undefined) return undefined;
    const found = own.findIndex((range) => rangeHas(range, addr));
    return found < 0 ? undefined : starts[found]! + addr.value - own[found]!.first;
  };

  return {
    position,
    first() {
      for (;;) {
        const lowest = heap[0];
        if (lowest === undefined) break;
        const address = at(lowest);
        if (isUsable(address)) return address;
        popLowest(heap);
        queued.delete(lowest);
      }
      for (; cursor < total; cursor += 1n) {
        while (index + 1 < own.length && starts[index + 1]! <= cursor) index += 1;
        const address = formatAddr({ family, value: own[index]!.first + cursor - starts[index]! });
        if (isUsable(address)) return address;
      }
      return undefined;
    },
    released(address) {
      const where = position(address);
      if (where === undefined || where >= cursor || queued.has(where)) return;
      queued.add(where);
      push(heap, where);
    },
  };
}

/** IPv4 addresses that some equipment takes for those of a network or of all its hosts. */
export function isBuggy({ family, value }: Addr): boolean {
  const last = value & 0xffn;
  return family === 4 && (last === 0n || last === 255n);
}

function push(heap: bigint[], value: bigint): void {
  let index = heap.push(value) - 1;
  while (index > 0) {
    const parent = (index - 1) >> 1;
    if (heap[parent]! <= heap[index]!) return;
    [heap[parent], heap[index]] = [heap[index]!, heap[parent]!];
    index = parent;
  }
}

function popLowest(heap: bigint[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  heap[0] = last;
  for (let index = 0; ; ) {
    const [left, right] = [2 * index + 1, 2 * index + 2];
    let least = index;
    if (left < heap.length && heap[left]! < heap[least]!) least = left;
    if (right < heap.length && heap[right]! < heap[least]!) least = right;
    if (least === index) return;
    [heap[least], heap[index]] = [heap[index]!, heap[least]!];
    index = least;
  }
}
