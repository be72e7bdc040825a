/** Reads BlockClaims. */
import type { BlockClaim } from '#api/kinds/blockclaim.ts';
import type { Origin } from '#intent/origin.ts';
import { formatAddr, parseAddr } from '#net/addr.ts';
import { canonicalPrefix, parsePrefix, prefixHas } from '#net/prefix.ts';
import { originOf, type Read } from './problem.ts';

export type BlockClaimModel = {
  readonly origin: Origin;
  readonly name: string;
  readonly uid: string;
  readonly cidr: string;
  readonly subnet: string;
  readonly node: string;
  readonly nodeUID: string;
  /** The node's own addresses in the block, as it says; missing: none. */
  readonly nodeAddresses?: readonly string[];
};

/** Whether the name is the one of its CIDR is judged where names are made (compile/ipam). */
export function readBlockClaim(object: BlockClaim): Read<BlockClaimModel> {
  const origin = originOf(object);
  const { spec } = object;
  const cidr = canonicalPrefix(spec.cidr);
  if (cidr === undefined) {
    const message = `"${spec.cidr}" is no prefix with host bits zero`;
    return {
      value: undefined,
      problems: [{ object: origin, field: 'spec.cidr', code: 'InvalidCIDR', message }],
    };
  }
  const { name, uid = '' } = object.metadata;
  const block = parsePrefix(cidr);
  const nodeAddresses = (object.status?.nodeAddresses ?? []).flatMap((text) => {
    const addr = parseAddr(text);
    return addr !== undefined && block !== undefined && prefixHas(block, addr) ? [formatAddr(addr)] : [];
  });
  return {
    value: {
      origin,
      name,
      uid,
      cidr,
      subnet: spec.subnet,
      node: spec.node,
      nodeUID: spec.nodeUID,
      ...(nodeAddresses.length === 0 ? {} : { nodeAddresses }),
    },
    problems: [],
  };
}
