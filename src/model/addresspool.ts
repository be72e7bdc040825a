/** Reads IPAddressPools (MetalLB). */
import type { IPAddressPool } from '#api/kinds/ipaddresspool.ts';
import type { LabelSelector } from '#api/object.ts';
import { parseInterfacePrefix } from '#net/prefix.ts';
import { formatRange, parseRange, type Range, rangeOfPrefix } from '#net/range.ts';
import { type AddrSet, emptySet, isEmpty, setOfRanges, subtract, union } from '#net/set.ts';
import { forbiddenParts } from './forbidden.ts';
import type { AddressPoolModel } from './loadbalancer.ts';
import { collectProblems, originOf, type Read, type Refuse } from './problem.ts';
import { readSelector } from './selector.ts';

/** A pool without a single good address is not usable; a bad one beside others is left out. */
export function readAddressPool(object: IPAddressPool): Read<AddressPoolModel> {
  const origin = originOf(object);
  const { problems, refuse } = collectProblems(origin);
  const { spec, metadata } = object;
  const ranges = readRanges(spec.addresses, refuse);
  const allocation = readAllocation(spec.serviceAllocation, refuse);
  if (ranges.length === 0) {
    if (problems.length === 0) refuse('spec.addresses', 'Required', 'names no address');
    return { value: undefined, problems };
  }
  const value: AddressPoolModel = {
    origin,
    name: metadata.name,
    created: metadata.creationTimestamp ?? '',
    labels: metadata.labels ?? {},
    ranges,
    autoAssign: spec.autoAssign ?? true,
    avoidsBuggyAddresses: spec.avoidBuggyIPs ?? false,
    ...(allocation === undefined ? {} : { allocation }),
  };
  return { value, problems };
}

/** Disjoint, in the object's order: what two entries say counts where it is said first. */
function readRanges(addresses: readonly string[], refuse: Refuse): readonly Range[] {
  const ranges: Range[] = [];
  let seen: AddrSet = emptySet;
  for (const [index, text] of addresses.entries()) {
    const field = `spec.addresses[${index}]`;
    const range = readRange(text);
    if (range === undefined) {
      refuse(field, 'InvalidRange', `"${text}" is no prefix, range a-b, or address`);
      continue;
    }
    const forbidden = forbiddenParts(range);
    for (const { part, why } of forbidden)
      refuse(field, 'ForbiddenAddress', `${formatRange(part)} ${why}; no Service can have it`);
    const usable = subtract(setOfRanges([range]), setOfRanges(forbidden.map(({ part }) => part)));
    ranges.push(...subtract(usable, seen).ranges);
    if (!isEmpty(usable)) seen = union(seen, usable);
  }
  return ranges;
}

/** A prefix may have host bits, as for upstream: the whole prefix is meant. */
function readRange(text: string): Range | undefined {
  const trimmed = text.trim();
  const prefix = trimmed.includes('/') ? parseInterfacePrefix(trimmed)?.prefix : undefined;
  return prefix === undefined ? parseRange(trimmed) : rangeOfPrefix(prefix);
}

function readAllocation(
  raw: IPAddressPool['spec']['serviceAllocation'],
  refuse: Refuse,
): AddressPoolModel['allocation'] {
  if (raw === undefined || raw === null) return undefined;
  const field = 'spec.serviceAllocation';
  const given = raw.priority ?? 0;
  if (given < 0) refuse(`${field}.priority`, 'InvalidPriority', `${given} is below 0, and counts as 0`);
  const namespaces = raw.namespaces ?? [];
  const namespaceSelectors = readSelectors(
    raw.namespaceSelectors as readonly unknown[] | undefined,
    `${field}.namespaceSelectors`,
    refuse,
  );
  const serviceSelectors = readSelectors(
    raw.serviceSelectors as readonly unknown[] | undefined,
    `${field}.serviceSelectors`,
    refuse,
  );
  if (namespaces.length + namespaceSelectors.length + serviceSelectors.length === 0) {
    const message = 'names neither namespaces nor Services: only a Service that asks for the pool gets of it';
    refuse(field, 'WithoutEffect', message);
  }
  return { priority: Math.max(given, 0), namespaces, namespaceSelectors, serviceSelectors };
}

/** A list of which no selector can be read must not become an empty one, which takes everything. */
const nothing: LabelSelector = { matchExpressions: [{ key: 'none', operator: 'In', values: [] }] };

export function readSelectors(
  raw: readonly unknown[] | undefined,
  field: string,
  refuse: Refuse,
): readonly LabelSelector[] {
  if (raw === undefined || raw === null || raw.length === 0) return [];
  const read = raw.flatMap((each, index) => readSelector(each, `${field}[${index}]`, refuse) ?? []);
  return read.length === 0 ? [nothing] : read;
}
