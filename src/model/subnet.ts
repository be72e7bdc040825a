/** Reads Subnets. */
import type { Subnet } from '#api/kinds/subnet.ts';
import type { LabelSelector } from '#api/object.ts';
import type { SubnetMode } from '#intent/node.ts';
import type { Origin } from '#intent/origin.ts';
import { canonicalPrefix, formatPrefix, type Prefix, parsePrefix, prefixesOverlap } from '#net/prefix.ts';
import { parseRange, rangeToPrefixes } from '#net/range.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';

export type SubnetModel = {
  readonly origin: Origin;
  readonly name: string;
  /** RFC 3339; the older of two Subnets that claim the same thing wins. */
  readonly created: string;
  readonly cidrs: readonly string[];
  readonly mode: SubnetMode;
  readonly namespaces: readonly string[];
  readonly namespaceSelector?: LabelSelector;
  readonly excluded: readonly string[];
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

/** A Subnet with a bad CIDR is not usable at all; a bad excluded address or inbound prefix is left out. */
export function readSubnet(object: Subnet): Read<SubnetModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const { spec } = object;
  const blockSizes = { ipv4: spec.blockSizes?.ipv4 ?? 26, ipv6: spec.blockSizes?.ipv6 ?? 122 };
  const cidrs = spec.cidrs.map((text, index) => readCidr(text, `spec.cidrs[${index}]`, blockSizes, refuse));
  if (cidrs.length === 0) refuse('spec.cidrs', 'Required', 'names no prefix');
  if (new Set(cidrs.map((cidr) => cidr?.family)).size < cidrs.length) {
    refuse(
      'spec.cidrs',
      'DuplicateFamily',
      'has two prefixes of one family; give at most one IPv4 and one IPv6 prefix',
    );
  }
  if (problems.length > 0) return { value: undefined, problems };

  const excluded = (spec.excludedAddresses ?? []).flatMap((text, index) => {
    const range = parseRange(text);
    if (range === undefined) {
      refuse(
        `spec.excludedAddresses[${index}]`,
        'InvalidRange',
        `"${text}" is no address, range a-b, or prefix`,
      );
      return [];
    }
    return rangeToPrefixes(range).map(formatPrefix);
  });
  const allowFrom = (spec.allowInboundFrom ?? []).flatMap((text, index) => {
    const cidr = canonicalPrefix(text);
    if (cidr === undefined)
      refuse(`spec.allowInboundFrom[${index}]`, 'InvalidCIDR', `"${text}" is no prefix`);
    return cidr === undefined ? [] : [cidr];
  });
  const value: SubnetModel = {
    origin,
    name: object.metadata.name,
    created: object.metadata.creationTimestamp ?? '',
    cidrs: cidrs
      .filter((cidr) => cidr !== undefined)
      .sort((a, b) => a.family - b.family)
      .map(formatPrefix),
    mode: spec.mode ?? 'overlay',
    namespaces: spec.namespaces ?? [],
    ...(spec.namespaceSelector === undefined
      ? {}
      : { namespaceSelector: spec.namespaceSelector as LabelSelector }),
    excluded,
    blockSizes,
    masquerade: (spec.outboundAddress ?? 'Node') === 'Node',
    allowFrom,
    ...(object.metadata.deletionTimestamp === undefined ? {} : { deleting: true }),
  };
  return { value, problems };
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
