/** Lowers pods, addresses and prefixes of policy to elements (its decisions: lower-decision.ts). Pure. */
import { isIP } from 'node:net';
import type { EndpointIntent } from '#intent/node.ts';
import type { PolicyAddressIntent, PolicyPrefixIntent, PolicySubjectIntent } from '#intent/policy.ts';
import { parsePrefix } from '#net/prefix.ts';
import { familyOf, intervalText, isAddress, type Lowered, nothing, one } from './lower.ts';
import type { Element } from './objects.ts';
import { classChain, closedChain, type PolicyDirection } from './policy-chains.ts';

/** What a pair of a class and an identity is written as: the class above 20 bits of identity. */
export function pairText(policyClass: number, identity: number): string {
  return handleText(policyClass * 2 ** 20 + identity);
}

/** As nft prints a traffic control handle, which a packet's priority is to it. */
export function handleText(value: number): string {
  if (value === 0) return 'none';
  if (value === 0xffff_ffff) return 'root';
  return `${Math.floor(value / 65_536).toString(16)}:${(value % 65_536).toString(16)}`;
}

/**
 * The pod of an endpoint in each direction: a class; `closed` where the subject is of another pod of that name, or what it says is no
 * class; undefined where nothing restricts it. Where a UID isn't known, the name must do.
 */
export function classOf(
  endpoint: Pick<EndpointIntent, 'podUID'>,
  subject: PolicySubjectIntent | undefined,
  direction: PolicyDirection,
): number | 'closed' | undefined {
  if (subject === undefined) return undefined;
  const { podUID = '' } = endpoint;
  if (podUID !== '' && subject.uid !== '' && podUID !== subject.uid) return 'closed';
  const policyClass = subject[direction];
  return policyClass === undefined || isClass(policyClass) ? policyClass : 'closed';
}

/** `namespace/name` of an endpoint's pod: the key of its subject. */
export function podOf({ origin }: Pick<EndpointIntent, 'origin'>): string {
  return `${origin.namespace ?? ''}/${origin.name}`;
}

/** An address belongs to one endpoint. */
export function claimsOfEndpoint(endpoint: Pick<EndpointIntent, 'addresses'>): readonly string[] {
  return endpoint.addresses.filter(isAddress).map((address) => `pod address ${address}`);
}

/** Where new connections from and to the endpoint's addresses are judged. `audits`: a decision of the node lets through what is told of. */
export function lowerSubject(
  endpoint: EndpointIntent,
  subject: PolicySubjectIntent | undefined,
  owns: (claim: string) => boolean,
  audits = false,
): Lowered {
  const elements: Element[] = [];
  const chains = new Set<string>();
  for (const direction of ['ingress', 'egress'] as const) {
    const policyClass = classOf(endpoint, subject, direction);
    if (policyClass === undefined) continue;
    const name = policyClass === 'closed' ? closedChain : classChain(direction, policyClass, audits);
    for (const address of endpoint.addresses.filter(isAddress)) {
      if (!owns(`pod address ${address}`)) continue;
      elements.push({
        set: `${direction}Classes${familyOf(address)}`,
        key: address,
        data: `goto ${name}`,
      });
      if (policyClass !== 'closed') chains.add(name);
      const learns = direction === 'egress' && policyClass !== 'closed' && subject?.names !== undefined;
      if (learns) elements.push(one('nameLearners', address));
    }
  }
  return { elements, chains: [...chains], problems: [] };
}

export function lowerAddresses({ identities }: PolicyAddressIntent): Lowered {
  const elements: Element[] = [];
  const problems: string[] = [];
  for (const [address, identity] of Object.entries(identities)) {
    if (isIP(address) === 0 || !isAddress(address) || !isIdentity(identity)) {
      problems.push(`${address} with identity ${identity}`);
    } else {
      elements.push({
        set: `identities${familyOf(address)}`,
        key: address,
        data: handleText(identity),
      });
    }
  }
  return { elements, chains: [], problems };
}

export function lowerPrefix(key: string, { identity }: PolicyPrefixIntent): Lowered {
  const prefix = parsePrefix(key);
  if (prefix === undefined || !isIdentity(identity)) return nothing(`${key} with identity ${identity}`);
  const set = `identityPrefixes${prefix.family}`;
  return {
    elements: [{ set, key: intervalText(prefix), data: handleText(identity) }],
    chains: [],
    problems: [],
  };
}

export function isClass(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value < 4_096;
}

export function isIdentity(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 20;
}
