/** Reads Subnets. */
import type { Subnet } from '#api/kinds/subnet.ts';
import type { LabelSelector } from '#api/object.ts';
import type { SubnetMode } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import { type Addr, formatAddr, parseAddr } from '#net/addr.ts';
import {
  canonicalPrefix,
  formatPrefix,
  hostPrefix,
  lastAddr,
  type Prefix,
  parsePrefix,
  prefixesOverlap,
  prefixHas,
  prefixSize,
} from '#net/prefix.ts';
import { parseRange, rangeToPrefixes } from '#net/range.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';

export type SubnetModel = {
  readonly origin: Origin;
  readonly name: string;
  /** RFC 3339; the older of two Subnets that claim the same thing wins. */
  readonly created: string;
  /** What the spec asks for; when it can't be, what is in effect. IPv4 first, disjoint. */
  readonly cidrs: readonly string[];
  /** What was in effect when the controller last looked (status.cidrs); missing: nothing. Disjoint. */
  readonly recorded?: readonly string[];
  readonly mode: SubnetMode;
  /** Overlay without the tunnel inside an L2 segment. */
  readonly crossSubnet?: true;
  readonly namespaces: readonly string[];
  readonly namespaceSelector?: LabelSelector;
  /** Addresses that no pod gets, the gateways among them, as prefixes. */
  readonly excluded: readonly string[];
  /** Addresses that a pod gets only if it asks for them, as prefixes; missing: none. */
  readonly reserved?: readonly string[];
  /** The one gateway of a CIDR, of those that name one. */
  readonly gateways?: readonly string[];
  /** Present on a private Subnet: who else than its own pods and nodes may open connections to its pods. */
  readonly private?: { readonly subnets: readonly string[]; readonly prefixes: readonly string[] };
  readonly blockSizes: { readonly ipv4: number; readonly ipv6: number };
  readonly masquerade: boolean;
  readonly allowFrom: readonly string[];
  /** On its way out: pods keep their addresses, new ones take none from it. */
  readonly deleting?: true;
};

/** Addresses with a meaning of their own (IANA special-purpose registries): a pod can't have one. */
const special = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '::/8',
  'fe80::/10',
  'ff00::/8',
].map((text) => parsePrefix(text) as Prefix);

/** Who may open connections to the pods of an underlay Subnet that doesn't say: being reached is what it is for. */
const everybody = ['0.0.0.0/0', '::/0'];

/**
 * Bad CIDRs leave what was in effect in effect: an edit never takes addresses from under running pods. With nothing in effect yet,
 * the Subnet is not usable at all. Any other bad part is left out.
 */
export function readSubnet(object: Subnet): Read<SubnetModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const { spec } = object;
  const blockSizes = { ipv4: spec.blockSizes?.ipv4 ?? 26, ipv6: spec.blockSizes?.ipv6 ?? 122 };
  const asked = readCidrs(spec.cidrs, blockSizes, refuse);
  const recorded = disjoint((object.status?.cidrs ?? []).flatMap((text) => parsePrefix(text) ?? []));
  const cidrs = problems.length === 0 ? asked : recorded;
  if (cidrs.length === 0) return { value: undefined, problems };

  const ranges = (field: 'excludedAddresses' | 'reservedAddresses'): string[] =>
    (spec[field] ?? []).flatMap((text, index) => {
      const range = parseRange(text);
      if (range !== undefined) return rangeToPrefixes(range).map(formatPrefix);
      const message = `"${text}" is no address, range a-b, or prefix`;
      refuse(`spec.${field}[${index}]`, 'InvalidRange', message);
      return [];
    });
  const excluded = ranges('excludedAddresses');
  const reserved = ranges('reservedAddresses');
  const gateways = readGateways(spec.gateway ?? [], cidrs, refuse);
  const mode = spec.mode ?? 'overlay';
  const unsaid = mode === 'underlay' && spec.private !== true ? everybody : [];
  const allowFrom = (spec.allowInboundFrom ?? unsaid).flatMap((text, index) => {
    const cidr = canonicalPrefix(text);
    if (cidr === undefined)
      refuse(`spec.allowInboundFrom[${index}]`, 'InvalidCIDR', `"${text}" is no prefix`);
    return cidr === undefined ? [] : [cidr];
  });
  const admitted = readAllowed(spec, refuse);
  if (spec.crossSubnet === true && mode !== 'overlay') {
    refuse('spec.crossSubnet', 'NotSupported', `is for mode overlay: mode ${mode} never uses the tunnel`);
  }
  const value: SubnetModel = {
    origin,
    name: object.metadata.name,
    created: object.metadata.creationTimestamp ?? '',
    cidrs: cidrs.map(formatPrefix),
    ...(recorded.length === 0 ? {} : { recorded: recorded.map(formatPrefix) }),
    mode,
    ...(spec.crossSubnet === true && mode === 'overlay' ? { crossSubnet: true } : {}),
    namespaces: spec.namespaces ?? [],
    ...(spec.namespaceSelector === undefined
      ? {}
      : { namespaceSelector: spec.namespaceSelector as LabelSelector }),
    excluded: [...excluded, ...gateways.map((address) => formatPrefix(hostPrefix(address)))],
    ...(reserved.length === 0 ? {} : { reserved }),
    ...(gateways.length === 0 ? {} : { gateways: gateways.map(formatAddr) }),
    ...(admitted === undefined ? {} : { private: admitted }),
    blockSizes,
    masquerade: (spec.outboundAddress ?? (mode === 'underlay' ? 'Pod' : 'Node')) === 'Node',
    allowFrom,
    ...(object.metadata.deletionTimestamp === undefined ? {} : { deleting: true }),
  };
  return { value, problems };
}

function readCidrs(
  texts: readonly string[],
  blockSizes: SubnetModel['blockSizes'],
  refuse: Refuse,
): readonly Prefix[] {
  if (texts.length === 0) refuse('spec.cidrs', 'Required', 'names no prefix');
  const cidrs: Prefix[] = [];
  for (const [index, text] of texts.entries()) {
    const field = `spec.cidrs[${index}]`;
    const cidr = readCidr(text, field, blockSizes, refuse);
    if (cidr === undefined) continue;
    const other = cidrs.find((each) => prefixesOverlap(each, cidr));
    if (other === undefined) cidrs.push(cidr);
    else refuse(field, 'Overlap', `${text} overlaps ${formatPrefix(other)} of the same Subnet`);
  }
  return cidrs.sort((a, b) => a.family - b.family);
}

function readCidr(
  text: string,
  field: string,
  blockSizes: SubnetModel['blockSizes'],
  refuse: Refuse,
): Prefix | undefined {
  const cidr = parsePrefix(text);
  if (cidr === undefined) return refuse(field, 'InvalidCIDR', `"${text}" is no prefix with host bits zero`);
  const taken = special.find((other) => prefixesOverlap(cidr, other));
  if (taken !== undefined) {
    return refuse(field, 'ReservedCIDR', `${text} overlaps ${formatPrefix(taken)}, which pods can't use`);
  }
  const blockSize = cidr.family === 4 ? blockSizes.ipv4 : blockSizes.ipv6;
  if (cidr.length > blockSize) {
    return refuse(
      field,
      'SmallerThanBlock',
      `${text} is smaller than one block of /${blockSize} (spec.blockSizes)`,
    );
  }
  return cidr;
}

/** What of some prefixes no earlier one holds. */
function disjoint(cidrs: readonly Prefix[]): readonly Prefix[] {
  return cidrs.filter((cidr, index) => !cidrs.slice(0, index).some((other) => prefixesOverlap(other, cidr)));
}

/** A gateway is a host of its prefix: an address that is kept free for it must be one that a host can have. */
function readGateways(texts: readonly string[], cidrs: readonly Prefix[], refuse: Refuse): readonly Addr[] {
  const taken = new Map<Prefix, string>();
  return texts.flatMap((text, index) => {
    const field = `spec.gateway[${index}]`;
    const addr = parseAddr(text);
    if (addr === undefined) return refuse(field, 'InvalidAddress', `"${text}" is no address`) ?? [];
    const cidr = cidrs.find((each) => prefixHas(each, addr));
    if (cidr === undefined) return refuse(field, 'AddressOutside', `${text} is not part of the Subnet`) ?? [];
    const name = formatPrefix(cidr);
    const isEnd = addr.value === cidr.value || (addr.family === 4 && addr.value === lastAddr(cidr).value);
    if (isEnd && prefixSize(cidr) >= 4n) {
      const which = addr.value === cidr.value ? 'network' : 'broadcast';
      return refuse(field, 'InvalidGateway', `${text} is the ${which} address of ${name}`) ?? [];
    }
    const other = taken.get(cidr);
    if (other !== undefined) {
      return refuse(field, 'InvalidGateway', `${name} has the gateway ${other} already`) ?? [];
    }
    taken.set(cidr, text);
    return [addr];
  });
}

/** A name can't hold a slash, and a prefix must. */
function readAllowed(spec: Subnet['spec'], refuse: Refuse): SubnetModel['private'] {
  const subnets: string[] = [];
  const prefixes: string[] = [];
  for (const [index, text] of (spec.allowSubnets ?? []).entries()) {
    if (!text.includes('/')) {
      subnets.push(text);
      continue;
    }
    const cidr = canonicalPrefix(text);
    if (cidr !== undefined) prefixes.push(cidr);
    else refuse(`spec.allowSubnets[${index}]`, 'InvalidCIDR', `"${text}" is no prefix`);
  }
  if (spec.private === true) return { subnets, prefixes };
  if (subnets.length + prefixes.length > 0) {
    refuse('spec.allowSubnets', 'WithoutEffect', 'has no effect: the Subnet is not private (spec.private)');
  }
  return undefined;
}
