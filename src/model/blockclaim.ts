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
  /** Whose single address this is; missing: a block that the node assigns from. */
  readonly holder?: AddressHolder;
};

export type AddressHolder = {
  readonly namespace: string;
  readonly pod: string;
  readonly podUID: string;
  readonly pool?: string;
  /** The pod names this very address. */
  readonly fixed?: boolean;
  /** `Pod:NAME` or `VM:NAME` of the namespace. */
  readonly keep?: string;
  readonly statefulSet?: string;
  /** `OnOwnerDeletion`, `Never`, or `Ns`. */
  readonly release?: string;
  /** Counts the pods and nodes that had it. */
  readonly generation: number;
  /** RFC 3339: since when it is on no interface. */
  readonly freedAt?: string;
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
  const { subnet, node, nodeUID, holder } = spec;
  if (holder !== undefined && !/\/(?:32|128)$/.test(cidr)) {
    const message = `"${spec.cidr}" is more than one address, and a pod holds one`;
    return {
      value: undefined,
      problems: [{ object: origin, field: 'spec.cidr', code: 'InvalidCIDR', message }],
    };
  }
  return {
    value: {
      origin,
      name,
      uid,
      cidr,
      subnet,
      node,
      nodeUID,
      ...(nodeAddresses.length === 0 ? {} : { nodeAddresses }),
      ...(holder === undefined ? {} : { holder: holder as AddressHolder }),
    },
    problems: [],
  };
}
