/** What an IPPool's status says; pure. */
import { type IPPool, listedHolders } from '#api/kinds/ippool.ts';
import { prefixes } from '#compile/ipam/blocks.ts';
import type { ServedPool, ServedPools } from '#compile/ipam/pools.ts';
import { addressOf } from '#compile/ipam/single-book.ts';
import type { NewCondition } from '#kube/conditions.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { Problem } from '#model/problem.ts';
import { compareAddr, parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { rangeOfPrefix } from '#net/range.ts';
import { type AddrSet, has, intersect, isEmpty, ofFamily, setOfPrefixes, size, subtract } from '#net/set.ts';
import { listing } from './listing.ts';

export type PoolStatus = Omit<NonNullable<IPPool['status']>, 'conditions'> & {
  readonly conditions: readonly Omit<NewCondition, 'observedGeneration'>[];
};

/** By name of pool: what of it is held, by whom, and what of it lies in blocks. */
export type PoolUse = {
  readonly pool: ServedPool;
  readonly held: readonly BlockClaimModel[];
  readonly blocks: readonly BlockClaimModel[];
  readonly free: AddrSet;
};

/** One look at all claims for all pools. */
export function poolUses(
  pools: ServedPools,
  claims: readonly BlockClaimModel[],
): ReadonlyMap<string, PoolUse> {
  const uses = new Map<string, PoolUse>();
  for (const pool of pools.byName.values()) {
    const own = claims.flatMap((claim) => {
      const prefix = claim.subnet === pool.model.subnet ? parsePrefix(claim.cidr) : undefined;
      if (prefix === undefined) return [];
      const inside =
        claim.holder === undefined
          ? !isEmpty(intersect({ ranges: [rangeOfPrefix(prefix)] }, pool.usable))
          : has(pool.usable, prefix);
      return inside ? [claim] : [];
    });
    const free = subtract(pool.usable, setOfPrefixes(prefixes(own.map(({ cidr }) => cidr))));
    const held = own.filter(({ holder }) => holder !== undefined).sort(byAddress);
    uses.set(pool.model.name, { pool, held, blocks: own.filter(({ holder }) => holder === undefined), free });
  }
  return uses;
}

/** An exhausted pool is in effect, and the next pod waits; so is one that lies in blocks, with what is left. */
export function poolProblems(uses: Iterable<PoolUse>): Problem[] {
  const problems: Problem[] = [];
  for (const { pool, free, held, blocks } of uses) {
    const { origin, name } = pool.model;
    const field = 'spec.addresses';
    if (blocks.length > 0) {
      const names = listing(blocks.map((claim) => `${claim.cidr} (${claim.node})`).sort());
      const message = `addresses of it are in blocks that nodes assign from, and no pod gets them from the pool until the nodes give these back: ${names}`;
      problems.push({ object: origin, field, code: 'InBlocks', message });
    }
    for (const family of [4, 6] as const) {
      const whole = ofFamily(pool.usable, family);
      if (isEmpty(whole) || !isEmpty(ofFamily(free, family))) continue;
      const message = `IPPool ${name} has no free IPv${family} address: ${held.filter(({ cidr }) => cidr.includes(':') === (family === 6)).length} of ${size(whole)} are held; the next pod waits`;
      problems.push({ object: origin, field, code: 'NoFreeAddress', message });
    }
  }
  return problems;
}

/** `problems`: those of this pool. */
export function poolStatus(use: PoolUse | undefined, problems: readonly Problem[]): PoolStatus {
  const message = problems.map((each) => `${each.field}: ${each.message}`).join('; ');
  if (use === undefined) {
    const reason = problems[0]?.code ?? 'Invalid';
    return {
      conditions: [
        { type: 'Ready', status: 'False', reason, message },
        {
          type: 'Exhausted',
          status: 'Unknown',
          reason: 'NotServed',
          message: 'no pod gets an address of it',
        },
      ],
      usage: '',
      held: 0,
      free: '',
      holders: [],
    };
  }
  const { pool, held, free } = use;
  const families = ([4, 6] as const).filter((family) => !isEmpty(ofFamily(pool.usable, family)));
  const heldOf = (family: 4 | 6) => held.filter(({ cidr }) => cidr.includes(':') === (family === 6)).length;
  const exhausted = problems.find(({ code }) => code === 'NoFreeAddress');
  const leftOut = problems.find(({ code }) => code !== 'NoFreeAddress');
  return {
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: exhausted?.code ?? leftOut?.code ?? 'Served',
        message: message === '' ? 'pods get addresses of it' : message,
      },
      {
        type: 'Exhausted',
        status: exhausted === undefined ? 'False' : 'True',
        reason: exhausted?.code ?? 'FreeAddresses',
        message: exhausted?.message ?? 'the next pod gets an address',
      },
    ],
    usage: families.map((family) => `${heldOf(family)}/${size(ofFamily(pool.usable, family))}`).join(' '),
    held: held.length,
    free: families.map((family) => `${size(ofFamily(free, family))}`).join(' '),
    holders: held.slice(0, listedHolders).map((claim) => ({
      address: addressOf(claim),
      pod: `${claim.holder!.namespace}/${claim.holder!.pod}`,
      node: claim.node,
      ...(claim.holder!.keep === undefined ? {} : { kept: claim.holder!.keep }),
    })),
  };
}

function byAddress(a: BlockClaimModel, b: BlockClaimModel): number {
  return compareAddr(parseAddr(addressOf(a))!, parseAddr(addressOf(b))!);
}
