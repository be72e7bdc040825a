/** One request for addresses → the addresses, or the reason why there are none. */
import type { BlockUsage } from '#intent/handover.ts';
import type { BlockIntent, SubnetIntent } from '#intent/node.ts';
import { type Family, formatAddr, parseAddr } from '#net/addr.ts';
import { parsePrefix, prefixHas } from '#net/prefix.ts';
import { type AddrSet, has, intersect, setOfPrefixes, size } from '#net/set.ts';
import { assignable } from './blocks.ts';
import type { IpamState } from './state.ts';

export type AssignRequest = {
  /** `containerID/interface`. */
  readonly key: string;
  readonly subnet: string;
  readonly intent: SubnetIntent;
  /** All blocks of the node; those of other Subnets are passed over. */
  readonly blocks: readonly BlockIntent[];
  /** Default: every family of the Subnet. */
  readonly families?: readonly Family[];
  /** Unix time in milliseconds. */
  readonly now: number;
  /** How long a freed address rests. */
  readonly restMs: number;
};

/**
 * Chooses one address a family; changes nothing (the caller journals the choice, then applies the record). A key that has
 * addresses gets the same again. An address that was never used comes before one that rested; of those, the one that
 * rested longest. All families or none: a dual-stack pod is never wired with half of its addresses.
 */
export function assign(
  state: IpamState,
  request: AssignRequest,
): { readonly value: readonly string[] | undefined; readonly problems: readonly string[] } {
  const known = state.assignments.get(request.key);
  if (known !== undefined) return { value: known.addresses, problems: [] };
  const addresses: string[] = [];
  const problems: string[] = [];
  for (const family of request.families ?? familiesOf(request.intent)) {
    const address = pick(state, request, family);
    if (address === undefined) problems.push(explain(state, request, family));
    else addresses.push(address);
  }
  return problems.length > 0 ? { value: undefined, problems } : { value: addresses, problems };
}

/** How full each block is. A block of a Subnet that isn't known counts as without free addresses. */
export function blockUsage(
  state: IpamState,
  blocks: readonly BlockIntent[],
  subnets: Readonly<Record<string, SubnetIntent>>,
  now: number,
  restMs: number,
): BlockUsage[] {
  const counts = blocks.map((block) => {
    const intent = subnets[block.subnet];
    return {
      block,
      prefix: parsePrefix(block.cidr),
      usable: intent === undefined ? undefined : usableOf(intent, block.cidr),
      assigned: 0,
      resting: 0,
      taken: 0n,
    };
  });
  const count = (address: string, field: 'assigned' | 'resting') => {
    const addr = parseAddr(address);
    const at =
      addr === undefined ? undefined : counts.find(({ prefix }) => prefix && prefixHas(prefix, addr));
    if (addr === undefined || at === undefined) return;
    at[field]++;
    if (at.usable !== undefined && has(at.usable, addr)) at.taken++;
  };
  for (const address of state.owners.keys()) count(address, 'assigned');
  for (const [address, at] of state.resting) if (now - at < restMs) count(address, 'resting');
  return counts.map(({ block, usable, assigned, resting, taken }) => {
    const { cidr, subnet, claim } = block;
    const lost = mayHaveLost(state, block, now, restMs);
    const free = usable === undefined ? 0n : size(usable) - taken;
    // While lost records may hide freed addresses, every address without an owner rests.
    return {
      cidr,
      subnet,
      claim,
      assigned,
      resting: lost ? toNumber(free) + resting : resting,
      free: lost ? 0 : toNumber(free),
    };
  });
}

/** Families that a new pod gets an address of, IPv4 first. */
export function familiesOf({ cidrs, retired = [] }: SubnetIntent): Family[] {
  return ([4, 6] as const).filter((family) =>
    cidrs.some((cidr) => cidr.includes(':') === (family === 6) && !retired.includes(cidr)),
  );
}

/** Whether any address of the block may have been freed just now, in records that were lost. */
function mayHaveLost(state: IpamState, block: BlockIntent, now: number, restMs: number): boolean {
  return now - state.lostAt < restMs && (block.since ?? Number.NEGATIVE_INFINITY) <= state.lostAt;
}

function pick(state: IpamState, request: AssignRequest, family: Family): string | undefined {
  const { now, restMs } = request;
  const blocks = blocksOf(request, family).filter((block) => !mayHaveLost(state, block, now, restMs));
  const sets = blocks.map((block) => usableOf(request.intent, block.cidr));
  for (const set of sets) {
    // Bounded: each step but the last passes an address that has an owner or rests.
    for (const range of set.ranges) {
      for (let value = range.first; value <= range.last; value++) {
        const address = formatAddr({ family, value });
        if (!state.owners.has(address) && !state.resting.has(address)) return address;
      }
    }
  }
  for (const [address, at] of state.resting) {
    const addr = parseAddr(address);
    if (now - at < restMs || addr === undefined || addr.family !== family) continue;
    if (sets.some((set) => has(set, addr))) return address;
  }
  return undefined;
}

function explain(state: IpamState, request: AssignRequest, family: Family): string {
  const { subnet, intent, now, restMs } = request;
  const blocks = blocksOf(request, family);
  if (blocks.length === 0) return `Subnet ${subnet}: this node holds no IPv${family} block of it yet`;
  const usage = blockUsage(state, blocks, { [subnet]: intent }, now, restMs);
  const sum = (field: 'assigned' | 'resting') => usage.reduce((total, block) => total + block[field], 0);
  const total = blocks.reduce((all, block) => all + size(usableOf(intent, block.cidr)), 0n);
  return (
    `Subnet ${subnet}: no free IPv${family} address in this node's ${blocks.length} block${blocks.length === 1 ? '' : 's'}: ` +
    `of ${total} assignable addresses ${sum('assigned')} are in use and ${sum('resting')} rest after use ` +
    `(each for ${restMs / 1000} s)`
  );
}

function blocksOf(request: AssignRequest, family: Family): BlockIntent[] {
  return request.blocks.filter(
    (block) => block.subnet === request.subnet && block.cidr.includes(':') === (family === 6),
  );
}

/** What can be assigned from a block; kept as long as the Subnet's intent is, since each ADD asks for it. */
function usableOf(intent: SubnetIntent, cidr: string): AddrSet {
  let known = usableSets.get(intent);
  if (known === undefined) {
    known = { whole: assignable(intent), blocks: new Map() };
    usableSets.set(intent, known);
  }
  let set = known.blocks.get(cidr);
  if (set === undefined) {
    const prefix = parsePrefix(cidr);
    set = intersect(known.whole, setOfPrefixes(prefix === undefined ? [] : [prefix]));
    known.blocks.set(cidr, set);
  }
  return set;
}

const usableSets = new WeakMap<
  SubnetIntent,
  { readonly whole: AddrSet; readonly blocks: Map<string, AddrSet> }
>();

function toNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}
