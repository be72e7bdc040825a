/** Whether the networks below carry underlay Subnets, of what nodes found out and told with their leases; pure. */
import type { NewCondition } from '#kube/conditions.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import type { Problem } from '#model/problem.ts';
import type { SubnetModel } from '#model/subnet.ts';
import type { WireFindings } from '../node-lease.ts';
import { listing } from './listing.ts';

/** By node name, what its probes of the physical network found. */
export type WireByNode = ReadonlyMap<string, WireFindings>;

/** One node that is not carried is enough: its pods are cut off. Nodes that have not found out yet don't count. */
export function carriedCondition(
  subnet: string,
  claims: readonly BlockClaimModel[],
  wire: WireByNode,
): Omit<NewCondition, 'observedGeneration'> {
  const type = 'UnderlayCarries';
  const { told, cutOff } = findingsOf(subnet, claims, wire);
  if (cutOff.length > 0) return { type, status: 'False', reason: 'NotCarried', message: sentence(cutOff) };
  if (told.length > 0) {
    const message = `addresses of this Subnet are answered on the physical network at ${told.length} node${told.length === 1 ? '' : 's'}`;
    return { type, status: 'True', reason: 'Answered', message };
  }
  const message = 'no node has found out yet: it takes two nodes, or a gateway that answers pings';
  return { type, status: 'Unknown', reason: 'NotProbed', message };
}

/** The same as problems, so that it is an event, a log line and a metric, too. */
export function carryProblems(
  subnets: readonly SubnetModel[],
  claims: readonly BlockClaimModel[],
  wire: WireByNode,
): Problem[] {
  return subnets
    .filter(({ mode }) => mode === 'underlay')
    .flatMap(({ origin, name }) => {
      const own = claims.filter((claim) => claim.subnet === name);
      const { cutOff } = findingsOf(name, own, wire);
      if (cutOff.length === 0) return [];
      return [{ object: origin, field: 'spec.mode', code: 'NotCarried' as const, message: sentence(cutOff) }];
    });
}

type Finding = { readonly node: string; readonly lost: readonly string[] };

function findingsOf(subnet: string, claims: readonly BlockClaimModel[], wire: WireByNode) {
  const holders = [...new Set(claims.map((claim) => claim.node))].sort();
  const told = holders.flatMap((node): Finding[] => {
    const lost = wire.get(node)?.get(subnet);
    return lost === undefined ? [] : [{ node, lost }];
  });
  return { told, cutOff: told.filter(({ lost }) => lost.length > 0) };
}

function sentence(cutOff: readonly Finding[]): string {
  const [first] = cutOff;
  const nodes = listing(cutOff.map(({ node }) => node));
  return `the physical network does not carry addresses of this Subnet at ${nodes} (${first?.node}: ${first?.lost.join('; ')})`;
}
