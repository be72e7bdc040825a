/** Which Subnets are served, and with which prefixes: what a node may claim, and what stays in effect until it is given back. */
import type { Problem } from '#model/problem.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { formatPrefix, type Prefix, parsePrefix, prefixContains, prefixesOverlap } from '#net/prefix.ts';
import { setOfPrefixes, size, subtract, toPrefixes } from '#net/set.ts';

/** `cidrs` are those that nodes claim blocks of. */
export type ServedSubnet = SubnetModel & {
  /** Taken out of the Subnet, and still in effect: routed and guarded, but nobody claims or assigns there any more. */
  readonly retired: readonly string[];
};

/** What every entry may depend on: the Subnets that are served, oldest first. */
export type ServedSubnets = {
  readonly list: readonly ServedSubnet[];
  readonly byName: ReadonlyMap<string, ServedSubnet>;
};

/**
 * What is in effect (`recorded`) wins over what is asked for, and of two that ask the older wins: neither a newcomer nor a Subnet
 * that grows takes addresses in use. A Subnet that asks for another's addresses keeps what it has; one that has nothing is not served.
 */
export function serveSubnets(subnets: Iterable<SubnetModel>): { value: ServedSubnets; problems: Problem[] } {
  const sorted = [...subnets].sort(olderFirst);
  const taken: { readonly subnet: string; readonly prefix: Prefix }[] = [];
  const ownerOf = (cidr: Prefix, subnet: string) =>
    taken.find((other) => other.subnet !== subnet && prefixesOverlap(other.prefix, cidr));
  const take = (texts: readonly string[], subnet: string): void => {
    for (const prefix of parsed(texts)) taken.push({ subnet, prefix });
  };
  const kept = new Map<string, readonly string[]>();
  for (const { name, recorded = [] } of sorted) {
    const own = recorded.filter((text) => parsed([text]).every((cidr) => ownerOf(cidr, name) === undefined));
    kept.set(name, own);
    take(own, name);
  }
  const list: ServedSubnet[] = [];
  const problems: Problem[] = [];
  for (const subnet of sorted) {
    const recorded = kept.get(subnet.name) ?? [];
    const rival = parsed(subnet.cidrs)
      .map((cidr) => ownerOf(cidr, subnet.name))
      .find((found) => found !== undefined);
    if (rival !== undefined) problems.push(overlap(subnet, rival, recorded));
    const cidrs = rival === undefined ? subnet.cidrs : recorded;
    take(cidrs, subnet.name);
    const retired = subtract(setOfPrefixes(parsed(recorded)), setOfPrefixes(parsed(cidrs)));
    if (cidrs.length > 0) list.push({ ...subnet, cidrs, retired: toPrefixes(retired).map(formatPrefix) });
  }
  return { value: { list, byName: new Map(list.map((subnet) => [subnet.name, subnet])) }, problems };
}

/** Whether a block lies in what is in effect of a Subnet; it may lie across prefixes. */
export function holdsBlock(subnet: ServedSubnet, block: string): boolean {
  const prefix = parsePrefix(block);
  if (prefix === undefined) return false;
  const cidrs = parsed(subnet.cidrs);
  if (cidrs.some((cidr) => prefixContains(cidr, prefix))) return true;
  const all = setOfPrefixes([...cidrs, ...parsed(subnet.retired)]);
  return size(subtract(setOfPrefixes([prefix]), all)) === 0n;
}

function overlap(
  subnet: SubnetModel,
  rival: { readonly subnet: string; readonly prefix: Prefix },
  recorded: readonly string[],
): Problem {
  const stays =
    recorded.length === 0
      ? 'this Subnet is not served'
      : `this Subnet stays as it was (${recorded.join(', ')})`;
  const message = `overlaps ${formatPrefix(rival.prefix)} of Subnet ${rival.subnet}, which has it longer; ${stays}`;
  return { object: subnet.origin, field: 'spec.cidrs', code: 'Overlap', message };
}

function olderFirst(a: SubnetModel, b: SubnetModel): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}

function parsed(cidrs: readonly string[]): Prefix[] {
  return cidrs.flatMap((text) => parsePrefix(text) ?? []);
}
