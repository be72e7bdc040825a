/** What a Subnet's status says; pure. */

import { assignable, prefixes } from '#compile/ipam/blocks.ts';
import { namespaceIntent } from '#compile/topology/entries.ts';
import { type ServedSubnet, serveSubnets } from '#compile/topology/served.ts';
import type { NewCondition } from '#kube/conditions.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import type { Problem, Read } from '#model/problem.ts';
import type { SubnetModel } from '#model/subnet.ts';
import { parsePrefix } from '#net/prefix.ts';
import { has, intersect, setOfPrefixes, size } from '#net/set.ts';
import { kindOf } from '#telemetry/catalogue.ts';
import type { SubnetUsage } from '../node-lease.ts';
import { carriedCondition, type WireByNode } from './carried.ts';
import { listing } from './listing.ts';

/** Decimal, since an IPv6 prefix has more addresses than a JSON number can count. */
export type AddressCounts = {
  readonly total: string;
  readonly held: string;
  readonly used: string;
  readonly available: string;
};

export type SubnetStatus = {
  readonly ready: StatusCondition;
  /** Whether another pod gets an address; missing of a Subnet that is not served. */
  readonly available?: StatusCondition;
  /** Whether the network below carries its addresses; of underlay Subnets that are served. */
  readonly carries?: StatusCondition;
  /** In effect. */
  readonly cidrs: readonly string[];
  readonly blocks: number;
  readonly nodes: number;
  readonly namespaces: number;
  readonly ipv4?: AddressCounts;
  readonly ipv6?: AddressCounts;
};

type StatusCondition = Omit<NewCondition, 'observedGeneration'>;

export type SubnetSituation = {
  readonly subnets: ReadonlyMap<string, Read<SubnetModel>>;
  /** Names of those that are being deleted. */
  readonly deleting: ReadonlySet<string>;
  readonly claims: readonly BlockClaimModel[];
  readonly namespaces: readonly NamespaceModel[];
  /** What each node's pods have, as it said when it last renewed its lease. */
  readonly usage: readonly ReadonlyMap<string, SubnetUsage>[];
  readonly wire: WireByNode;
  /** What of a Subnet's retired prefixes stays in effect. */
  readonly staying: (subnet: ServedSubnet) => readonly string[];
  /** Of any object; those of Subnets count. */
  readonly problems: readonly Problem[];
};

/** By Subnet name. A Subnet that can't be read, overlaps an older one or lost blocks is not Ready, with the reason. */
export function subnetStatuses(situation: SubnetSituation): ReadonlyMap<string, SubnetStatus> {
  const { subnets, deleting, claims, namespaces, problems } = situation;
  const served = serveSubnets(
    [...subnets.values()].flatMap(({ value }) => (value === undefined ? [] : [value])),
  );
  const found = Map.groupBy(
    problems.filter(({ object }) => object.kind === 'Subnet'),
    ({ object }) => object.name,
  );
  const held = Map.groupBy(claims, (claim) => claim.subnet);
  const serving = Map.groupBy(namespaces, (namespace) => namespaceIntent(namespace, served.value)?.subnet);
  return new Map(
    [...subnets.keys()].map((name) => {
      const blocks = held.get(name) ?? [];
      const own = found.get(name) ?? [];
      const subnet = served.value.byName.get(name);
      const ready = deleting.has(name)
        ? leaving(blocks)
        : subnet !== undefined
          ? servedCondition(own)
          : notReady(own);
      const status: SubnetStatus = {
        ready,
        cidrs: subnet === undefined ? [] : [...subnet.cidrs, ...situation.staying(subnet)],
        blocks: blocks.length,
        nodes: new Set(blocks.map((claim) => claim.node)).size,
        namespaces: serving.get(name)?.length ?? 0,
      };
      if (subnet === undefined) return [name, status] as const;
      const use = sumOf(situation.usage.flatMap((node) => node.get(name) ?? []));
      const counts = countAddresses(subnet, blocks, use);
      const available = availability(own, counts, use.waiting);
      const carries = subnet.mode === 'underlay' ? carriedCondition(name, blocks, situation.wire) : undefined;
      return [
        name,
        { ...status, ...counts, available, ...(carries === undefined ? {} : { carries }) },
      ] as const;
    }),
  );
}

function sumOf(parts: readonly SubnetUsage[]): SubnetUsage {
  const sum = (field: keyof SubnetUsage) => parts.reduce((total, part) => total + part[field], 0);
  return { ipv4: sum('ipv4'), ipv6: sum('ipv6'), waiting: sum('waiting') };
}

type Counts = Pick<SubnetStatus, 'ipv4' | 'ipv6'>;

function countAddresses(subnet: ServedSubnet, blocks: readonly BlockClaimModel[], use: SubnetUsage): Counts {
  const all = assignable(subnet);
  const singles = blocks.filter(({ holder, cidr }) => holder !== undefined && has(all, parsePrefix(cidr)!));
  const held = intersect(all, setOfPrefixes(prefixes(blocks.map((claim) => claim.cidr))));
  const counts = ([4, 6] as const).flatMap((family): [string, AddressCounts][] => {
    if (!subnet.cidrs.some((cidr) => cidr.includes(':') === (family === 6))) return [];
    const total = size(all, family);
    // Nodes tell what they assigned from blocks; an address that is claimed by itself is some pod's, or kept for one.
    const own = singles.filter(({ cidr }) => cidr.includes(':') === (family === 6)).length;
    const used = BigInt((family === 4 ? use.ipv4 : use.ipv6) + own);
    const available = total > used ? total - used : 0n;
    const text = (value: bigint) => value.toString();
    return [
      [
        `ipv${family}`,
        { total: text(total), held: text(size(held, family)), used: text(used), available: text(available) },
      ],
    ];
  });
  return Object.fromEntries(counts);
}

/** Without a free block a node that has free addresses in its own still gives them. */
function availability(
  problems: readonly Problem[],
  { ipv4, ipv6 }: Counts,
  waiting: number,
): StatusCondition {
  const type = 'AddressesAvailable';
  const waits = waiting === 0 ? '' : `; ${waiting} pod${waiting === 1 ? ' waits' : 's wait'}`;
  const empty = Object.entries({ IPv4: ipv4, IPv6: ipv6 }).find(([, counts]) => counts?.available === '0');
  if (empty !== undefined) {
    const message = `all ${empty[1]!.total} ${empty[0]} addresses are in use${waits}`;
    return { type, status: 'False', reason: 'Exhausted', message };
  }
  const full = problems.filter(({ code }) => code === 'NoFreeBlock');
  if (full.length > 0) {
    return { type, status: 'False', reason: 'NoFreeBlock', message: `${sentences(full)}${waits}` };
  }
  return { type, status: 'True', reason: 'Available', message: 'another pod gets an address on any node' };
}

function servedCondition(problems: readonly Problem[]): SubnetStatus['ready'] {
  const cutOff = problems.filter(({ code }) => code === 'BlockOutside');
  if (cutOff.length > 0) return notReady([...cutOff, ...problems.filter((each) => !cutOff.includes(each))]);
  const leftOut = problems.filter(({ code }) => kindOf(code).severity === 'error');
  const ready = { type: 'Ready', status: 'True' } as const;
  if (leftOut.length > 0)
    return { ...ready, reason: 'PartlyServed', message: `left out: ${sentences(problems)}` };
  if (problems.length > 0) return { ...ready, reason: problems[0]!.code, message: sentences(problems) };
  return { ...ready, reason: 'Served', message: 'nodes assign addresses from this Subnet' };
}

function notReady(problems: readonly Problem[]): SubnetStatus['ready'] {
  const reason = problems[0]?.code ?? 'Invalid';
  return { type: 'Ready', status: 'False', reason, message: sentences(problems) };
}

/** A Subnet that is being deleted stays until the last block of it is given back. */
function leaving(blocks: readonly BlockClaimModel[]): SubnetStatus['ready'] {
  const nodes = [...new Set(blocks.map((claim) => claim.node))].sort();
  const message =
    `is being deleted: new pods take no addresses from it, and it goes when the pods that have some are gone; ` +
    `${blocks.length} block${blocks.length === 1 ? '' : 's'} held by ${listing(nodes)}`;
  if (blocks.length > 0) return { type: 'Ready', status: 'False', reason: 'InUse', message };
  return { type: 'Ready', status: 'False', reason: 'Deleting', message: 'is being deleted' };
}

function sentences(problems: readonly Problem[]): string {
  return problems.map(({ field, message }) => `${field}: ${message}`).join('; ');
}
