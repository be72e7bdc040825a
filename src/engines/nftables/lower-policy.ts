/** Lowers the policy domains of the intent to elements of the policy sets. Pure. */
import { isIP } from 'node:net';
import type { EndpointIntent } from '#intent/node.ts';
import {
  type PolicyAddressIntent,
  type PolicyDecisionIntent,
  type PolicyPrefixIntent,
  type PolicyRowIntent,
  type PolicySubjectIntent,
  policyIdentities,
} from '#intent/policy.ts';
import { parsePrefix } from '#net/prefix.ts';
import { familyOf, intervalText, isAddress, type Lowered, nothing, one } from './lower.ts';
import { protocolNumbers } from './lower-service.ts';
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

/** Class and identity of a key `CLASS/IDENTITY`. */
export function readPair(key: string): { readonly class: number; readonly identity: number } | undefined {
  const match = /^([1-9]\d{0,3})\/(0|[1-9]\d{0,6})$/.exec(key);
  if (match === null || !isClass(Number(match[1])) || !isIdentity(Number(match[2]))) return undefined;
  return { class: Number(match[1]), identity: Number(match[2]) };
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

/** Where new connections from and to the endpoint's addresses are judged. */
export function lowerSubject(
  endpoint: EndpointIntent,
  subject: PolicySubjectIntent | undefined,
  owns: (claim: string) => boolean,
): Lowered {
  const elements: Element[] = [];
  const chains = new Set<string>();
  for (const direction of ['ingress', 'egress'] as const) {
    const policyClass = classOf(endpoint, subject, direction);
    if (policyClass === undefined) continue;
    const name = policyClass === 'closed' ? closedChain : classChain(direction, policyClass);
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

/** A run of ports of one protocol. */
type Run = { readonly first: number; readonly last: number };
type Ported = Exclude<PolicyRowIntent['protocol'], 'other'>;
const ported: readonly Ported[] = ['tcp', 'udp', 'sctp'];

/**
 * A pair passes or doesn't (`policyOpen`), a protocol of it turns that round (`policyProtocols`, `policyOthers`), a port of that turns it
 * round once more (`policyPorts`, `policyRanges`). What turns is chosen so that few elements say it all, ranges least of all.
 * What no row speaks of is denied.
 */
export function lowerDecision(key: string, { rows }: PolicyDecisionIntent): Lowered {
  const pair = readPair(key);
  if (pair === undefined) return nothing(`${key} is no class and identity`);
  const bad = rows.filter((row) => !isRow(row));
  if (bad.length > 0) return nothing(`row ${JSON.stringify(bad[0])}`);
  const text = pairText(pair.class, pair.identity);
  const passing = rows.filter((row) => row.verdict !== 'deny');
  const protocols = ported.map((protocol) => ({
    number: protocolNumbers[protocol],
    ...shortest(runsOf(passing, protocol)),
  }));
  const others = passing.some((row) => row.protocol === 'other');
  const openTurns = protocols.filter(({ open }) => !open).length + (others ? 0 : 1) + 1;
  const closedTurns = protocols.filter(({ open }) => open).length + (others ? 1 : 0);
  const open = openTurns < closedTurns;
  const elements: Element[] = [];
  if (pair.identity !== policyIdentities.other) elements.push({ set: 'policySpecial', key: text });
  if (open) elements.push({ set: 'policyOpen', key: text });
  if (others !== open) elements.push({ set: 'policyOthers', key: text });
  for (const protocol of protocols) {
    const of = `${text} . ${protocol.number}`;
    if (protocol.open !== open) elements.push({ set: 'policyProtocols', key: of });
    elements.push(...portElements('policy', of, protocol.turned));
  }
  return {
    elements: [
      ...elements,
      ...auditElements(
        text,
        rows.filter((row) => row.verdict === 'audit'),
      ),
    ],
    chains: [],
    problems: [],
  };
}

function auditElements(pair: string, rows: readonly PolicyRowIntent[]): readonly Element[] {
  if (rows.length === 0) return [];
  const elements: Element[] = [{ set: 'policyAudited', key: pair }];
  if (rows.some((row) => row.protocol === 'other')) elements.push({ set: 'auditOthers', key: pair });
  for (const protocol of ported) {
    const of = `${pair} . ${protocolNumbers[protocol]}`;
    const runs = runsOf(rows, protocol);
    if (runs.length === 1 && runs[0]!.first === 0 && runs[0]!.last === lastPort) {
      elements.push({ set: 'auditProtocols', key: of });
    } else elements.push(...portElements('audit', of, runs));
  }
  return elements;
}

const lastPort = 65_535;
/** A run of so few ports is told port by port: a range costs six times an exact port, and each change of one copies them all. */
const exactPorts = 16;

function portElements(kind: 'policy' | 'audit', of: string, runs: readonly Run[]): readonly Element[] {
  return runs.flatMap(({ first, last }): Element[] =>
    isShort({ first, last })
      ? Array.from({ length: last - first + 1 }, (_, i) => ({
          set: `${kind}Ports`,
          key: `${of} . ${first + i}`,
        }))
      : [{ set: `${kind}Ranges`, key: `${of} . ${first}-${last}` }],
  );
}

function isShort({ first, last }: Run): boolean {
  return last - first < exactPorts;
}

/** The ports of a protocol in some rows, adjacent ones as one run. */
function runsOf(rows: readonly PolicyRowIntent[], protocol: Ported): readonly Run[] {
  const runs: { first: number; last: number }[] = [];
  for (const { first, last } of rows
    .filter((row) => row.protocol === protocol)
    .sort((a, b) => a.first - b.first)) {
    const before = runs.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else runs.push({ first, last });
  }
  return runs;
}

/** Whether a protocol is best told by the ports that pass or by those that don't. */
function shortest(passing: readonly Run[]): { readonly open: boolean; readonly turned: readonly Run[] } {
  const blocked: Run[] = [];
  let next = 0;
  for (const { first, last } of passing) {
    if (first > next) blocked.push({ first: next, last: first - 1 });
    next = last + 1;
  }
  if (next <= lastPort) blocked.push({ first: next, last: lastPort });
  return cost(blocked) < cost(passing) ? { open: true, turned: blocked } : { open: false, turned: passing };
}

function cost(runs: readonly Run[]): number {
  return runs.reduce((sum, run) => sum + (isShort(run) ? run.last - run.first + 1 : 1_000), 0);
}

function isRow({ protocol, first, last, verdict }: PolicyRowIntent): boolean {
  const port = (value: number) => Number.isInteger(value) && value >= 0 && value <= lastPort;
  return (
    (protocol === 'other' || Object.hasOwn(protocolNumbers, protocol)) &&
    port(first) &&
    port(last) &&
    first <= last &&
    (verdict === 'allow' || verdict === 'deny' || verdict === 'audit')
  );
}

function isClass(value: number): boolean {
  return Number.isInteger(value) && value > 0 && value < 4_096;
}

function isIdentity(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 20;
}
