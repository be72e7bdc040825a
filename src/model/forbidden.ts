/** Addresses that no tenant's object may name. */
import type { Addr } from '#net/addr.ts';
import { formatPrefix, type Prefix, parsePrefix, prefixHas } from '#net/prefix.ts';
import { type Range, rangeOfPrefix } from '#net/range.ts';
import { intersect, setOfRanges } from '#net/set.ts';

/**
 * Where no slice may point and what no Service may take: a connection is sent there by the client's node, so a tenant could
 * reach, or take over, what only the node itself may (loopback, link-local such as a cloud's metadata service), or no host at all.
 */
const forbidden = [
  ['0.0.0.0/8', 'is no host'],
  ['127.0.0.0/8', "is a node's loopback"],
  ['169.254.0.0/16', 'is link-local'],
  ['224.0.0.0/4', 'is multicast'],
  ['240.0.0.0/4', 'is reserved'],
  ['::/127', 'is loopback or no host'],
  ['::ffff:0:0/96', 'is an IPv4 address in disguise'],
  ['fe80::/10', 'is link-local'],
  ['ff00::/8', 'is multicast'],
].map(([cidr, why]) => ({ prefix: parsePrefix(cidr!) as Prefix, why: why! }));

/** `(in 127.0.0.0/8) is a node's loopback`; `undefined` for an address that may be named. */
export function reasonAgainst(addr: Addr): string | undefined {
  const hit = forbidden.find(({ prefix }) => prefixHas(prefix, addr));
  return hit === undefined ? undefined : `(in ${formatPrefix(hit.prefix)}) ${hit.why}`;
}

/** What of a range may not be named, and why. */
export function forbiddenParts(range: Range): readonly { readonly part: Range; readonly why: string }[] {
  const whole = setOfRanges([range]);
  return forbidden.flatMap(({ prefix, why }) =>
    intersect(whole, setOfRanges([rangeOfPrefix(prefix)])).ranges.map((part) => ({
      part,
      why: `(in ${formatPrefix(prefix)}) ${why}`,
    })),
  );
}
