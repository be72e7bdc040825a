/** Lowers intent entries, one by one, to elements of the named sets and to the shared chains that they need. Pure. */
import { isIP } from 'node:net';
import type {
  BGPNeighborIntent,
  EndpointIntent,
  PeerIntent,
  SelfIntent,
  SubnetIntent,
} from '#intent/node.ts';
import { type Family, formatAddr, parseAddr } from '#net/addr.ts';
import {
  comparePrefix,
  formatPrefix,
  type Prefix,
  parsePrefix,
  prefixContains,
  prefixesOverlap,
  prefixHas,
} from '#net/prefix.ts';
import { formatRange, rangeToPrefixes } from '#net/range.ts';
import { setOfPrefixes, subtract } from '#net/set.ts';
import { links, ports } from '#system/registry.ts';
import type { Element } from './objects.ts';
import type { RuleCounter } from './rule-counters.ts';
import { lowerTunnelSource } from './tunnel-sources.ts';

/** What one entry needs. `problems`: what of it can't be held, and why. */
export type Lowered = {
  readonly elements: readonly Element[];
  readonly chains: readonly string[];
  /** Of rules of policy. */
  readonly counters?: readonly RuleCounter[];
  readonly problems: readonly string[];
};

/** Whether this entry holds a thing that only one entry can have (`claimsOfPeer`, `claimsOfService`). */
export type Owns = (claim: string) => boolean;

export function lowerSelf(self: SelfIntent): Lowered {
  const elements = self.addresses.filter(isAddress).map((address) => one('nodes', address));
  return {
    elements,
    chains: [],
    problems: self.addresses.filter((text) => !isAddress(text)).map(notAddress),
  };
}

/** An underlay address belongs to one node: with two, a sender's blocks would no longer tell who sent. */
export function claimsOfPeer(peer: Pick<PeerIntent, 'addresses'>): readonly string[] {
  return peer.addresses.filter(isAddress).map((address) => `underlay address ${address}`);
}

/** A peer's tunnel sources: every block of it, since what a routed pod answers to an overlay pod goes through the tunnel too. */
export function lowerPeer(peer: PeerIntent, owns: Owns): Lowered {
  const problems: string[] = peer.addresses.filter((text) => !isAddress(text)).map(notAddress);
  const blocks = disjoint(
    peer.blocks.map((block) => block.cidr),
    problems,
  );
  const elements: Element[] = [];
  for (const address of peer.addresses.filter(isAddress)) {
    const claim = `underlay address ${address}`;
    if (!owns(claim)) {
      problems.push(`${claim} is held by another node`);
      continue;
    }
    elements.push(one('nodes', address));
    for (const block of blocks) elements.push(...lowerTunnelSource(address, block));
  }
  // Inside its blocks only: a peer speaks for itself.
  for (const text of elements.length === 0 ? [] : (peer.tunnelAddresses ?? [])) {
    const addr = parseAddr(text);
    if (addr !== undefined && blocks.some((block) => prefixHas(block, addr))) {
      elements.push(one('tunnelAddresses', formatAddr(addr)));
    }
  }
  return { elements, chains: [], problems };
}

/** Where the node itself speaks BGP and BFD: pods don't. */
export function lowerNeighbor({
  address,
  port,
  interface: device,
}: Pick<BGPNeighborIntent, 'address' | 'port' | 'interface'>): Lowered {
  // Between link-local addresses, which pods can't reach.
  if (device !== undefined) return { elements: [], chains: [], problems: [] };
  if (!isAddress(address)) return nothing(notAddress(address));
  // TCP, and UDP for BFD.
  const places = [
    [6, port],
    [17, ports.bfd.value],
    [17, ports.bfdMultiHop.value],
  ];
  const set = `bgpSpeakers${familyOf(address)}`;
  const elements = places.map(([protocol, number]) => ({ set, key: `${address} . ${protocol} . ${number}` }));
  return { elements, chains: [], problems: [] };
}

export function lowerEndpoint(endpoint: EndpointIntent): Lowered {
  if (!podDevice.test(endpoint.device)) return nothing(`device "${endpoint.device}" is no pod device`);
  const elements: Element[] = [];
  for (const address of endpoint.addresses.filter(isAddress)) {
    const family = familyOf(address);
    elements.push({ set: `podAddresses${family}`, key: `"${endpoint.device}" . ${address}` });
    elements.push({ set: `hairpin${family}`, key: `${address} . ${address}` });
  }
  return {
    elements,
    chains: [],
    problems: endpoint.addresses.filter((text) => !isAddress(text)).map(notAddress),
  };
}

/** All subnets at once: there are few, and the interval sets they make must not overlap. The first by name keeps a prefix. */
export function lowerSubnets(subnets: Readonly<Record<string, SubnetIntent>>): {
  readonly elements: readonly Element[];
  readonly problems: readonly { readonly name: string; readonly reason: string }[];
} {
  const elements: Element[] = [];
  const problems: { name: string; reason: string }[] = [];
  const taken: { name: string; prefix: Prefix }[] = [];
  for (const name of Object.keys(subnets).sort()) {
    const subnet = subnets[name]!;
    const bad: string[] = [];
    const allowed = disjoint(subnet.allowFrom, bad);
    const admitted = subnet.onlyFrom === undefined ? undefined : disjoint(subnet.onlyFrom, bad);
    for (const prefix of disjoint(subnet.cidrs, bad)) {
      const other = taken.find((each) => prefixesOverlap(each.prefix, prefix));
      if (other !== undefined) {
        bad.push(`${formatPrefix(prefix)} overlaps ${formatPrefix(other.prefix)} of Subnet ${other.name}`);
        continue;
      }
      taken.push({ name, prefix });
      const text = intervalText(prefix);
      const { family } = prefix;
      for (const key of podRanges(subnet, prefix)) {
        elements.push({ set: `podSubnets${family}`, key });
        if (subnet.mode !== 'overlay') elements.push({ set: `routedSubnets${family}`, key });
        if (subnet.crossSubnet === true) elements.push({ set: `crossSubnets${family}`, key });
        if (subnet.masquerade) elements.push({ set: `masqueraded${family}`, key });
        if (admitted !== undefined) elements.push({ set: `privateSubnets${family}`, key });
      }
      for (const from of admitted?.filter((each) => each.family === family) ?? []) {
        elements.push({ set: `privateFrom${family}`, key: `${intervalText(from)} . ${text}` });
      }
      for (const from of allowed.filter((each) => each.family === family)) {
        elements.push({ set: `allowedFrom${family}`, key: `${intervalText(from)} . ${text}` });
      }
    }
    problems.push(...bad.map((reason) => ({ name, reason })));
  }
  return { elements, problems };
}

/** The service ranges of the cluster: an address in them that no service has is dropped. */
export function lowerServiceRanges(cidrs: readonly string[]): readonly Element[] {
  return disjoint(cidrs, []).map((prefix) => ({
    set: `serviceRanges${prefix.family}`,
    key: intervalText(prefix),
  }));
}

const podDevice = new RegExp(`^${links.podPrefix.value}[0-9A-Za-z]{1,12}$`);

export function nothing(problem: string): Lowered {
  return { elements: [], chains: [], problems: [problem] };
}

export function one(set: string, address: string): Element {
  return { set: `${set}${familyOf(address)}`, key: address };
}

export function isAddress(text: string): boolean {
  return isIP(text) !== 0 && !text.includes('%');
}

export function familyOf(address: string): Family {
  return address.includes(':') ? 6 : 4;
}

function notAddress(text: string): string {
  return `"${text}" is no address`;
}

/** Prefixes sorted, without those inside another: an interval set refuses overlaps. */
export function disjoint(texts: readonly string[], problems: string[]): readonly Prefix[] {
  const prefixes: Prefix[] = [];
  for (const text of texts) {
    const prefix = parsePrefix(text);
    if (prefix === undefined) problems.push(`"${text}" is no prefix`);
    else prefixes.push(prefix);
  }
  const kept: Prefix[] = [];
  for (const prefix of prefixes.sort(comparePrefix)) {
    if (kept.length === 0 || !prefixContains(kept.at(-1)!, prefix)) kept.push(prefix);
  }
  return kept;
}

/**
 * Where pods are in a prefix of a Subnet. On a physical network the excluded addresses are other hosts': they are outside, although
 * they are of the same prefix.
 */
function podRanges(subnet: SubnetIntent, prefix: Prefix): string[] {
  if (subnet.mode !== 'underlay') return [intervalText(prefix)];
  const hosts = subnet.excluded.flatMap((cidr) => parsePrefix(cidr) ?? []);
  return subtract(setOfPrefixes([prefix]), setOfPrefixes(hosts)).ranges.map((range) => {
    const [whole, ...rest] = rangeToPrefixes(range);
    return rest.length === 0 && whole !== undefined ? intervalText(whole) : formatRange(range);
  });
}

/** As nft prints it: a prefix of one address is that address. */
export function intervalText(prefix: Prefix): string {
  const text = formatPrefix(prefix);
  return /\/(?:32|128)$/.test(text) && prefix.length === (prefix.family === 4 ? 32 : 128)
    ? text.slice(0, text.indexOf('/'))
    : text;
}
