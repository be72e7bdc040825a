/** Lowers Services to elements of the service maps and to the shared chains that they need. Pure. */
import type { Place, Protocol, ServiceIntent } from '#intent/node.ts';
import type { Family } from '#net/addr.ts';
import { type Prefix, splitPrefix } from '#net/prefix.ts';
import {
  disjoint,
  familyOf,
  intervalText,
  isAddress,
  type Lowered,
  nothing,
  type Owns,
  one,
} from './lower.ts';
import type { Element } from './objects.ts';
import { behaviourChains, learnChain } from './shared-chains.ts';

/** IANA protocol numbers, the form of nft's numeric listing. */
export const protocolNumbers: Readonly<Record<Protocol, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** A virtual address, protocol and port belongs to one service. */
export function claimsOfService(service: Pick<ServiceIntent, 'protocol' | 'frontends'>): readonly string[] {
  return service.frontends.map(
    ({ address, port }) => `frontend ${frontendKey(address, service.protocol, port)}`,
  );
}

/** `address . protocol number . port`: the key of a frontend in every service map. */
export function frontendKey(address: string, protocol: Protocol, port: number): string {
  return `${address} . ${protocolNumbers[protocol]} . ${port}`;
}

export function lowerService(service: ServiceIntent, owns: Owns): Lowered {
  const sticky = service.affinitySeconds;
  if (sticky !== undefined && !(Number.isInteger(sticky) && sticky > 0)) {
    return nothing(`affinity of ${sticky} seconds`);
  }
  if (protocolNumbers[service.protocol] === undefined) return nothing(`protocol ${service.protocol}`);
  const elements: Element[] = [];
  const chains = new Set<string>();
  const problems: string[] = [];
  for (const { address, port } of service.frontends) {
    if (!isAddress(address) || !isPort(port)) {
      problems.push(`frontend ${address} port ${port} is no address and port`);
      continue;
    }
    const key = frontendKey(address, service.protocol, port);
    if (!owns(`frontend ${key}`)) {
      problems.push(`frontend ${address} ${service.protocol}/${port} is held by another service`);
      continue;
    }
    lowerFrontend(service, address, key, { elements, chains, problems });
  }
  return { elements, chains: [...chains], problems };
}

type Gathered = { readonly elements: Element[]; readonly chains: Set<string>; readonly problems: string[] };

function lowerFrontend(
  { backends, affinitySeconds: sticky, unserved, published }: ServiceIntent,
  address: string,
  key: string,
  { elements, chains, problems }: Gathered,
): void {
  const family = familyOf(address);
  const inside = goodPlaces(backends, family, problems);
  const outside =
    published?.localBackends === undefined
      ? undefined
      : goodPlaces(published.localBackends, family, problems);
  const all = [...(outside ?? []), ...inside];
  for (const [slot, backend] of all.entries()) {
    const data = `${backend.address} . ${backend.port}`;
    elements.push({ set: `backends${family}`, key: `${key} . ${slot}`, data });
  }
  if (published === undefined) {
    // What no chain serves is refused by the address.
    elements.push(one('serviceAddresses', address));
    if (inside.length === 0) {
      if (unserved === 'dropped') elements.push({ set: `services${family}`, key, data: 'drop' });
      return;
    }
  }
  const behaviour = behaviourChains({
    family,
    backends: inside.length,
    // Nobody anywhere: refused, whoever asks.
    outside: all.length === 0 ? undefined : outside?.length,
    sticky: sticky !== undefined && all.length > 0,
    ranged: published?.sources !== undefined,
  });
  for (const name of behaviour.chains) chains.add(name);
  elements.push({ set: `services${family}`, key, data: behaviour.verdict });
  if (sticky !== undefined && all.length > 0) {
    const learn = learnChain(family, sticky);
    chains.add(learn);
    elements.push({ set: `learners${family}`, key, data: `jump ${learn}` });
  }
  if (published === undefined) return;
  const client = outside === undefined ? 'clientReplaced' : 'clientKept';
  elements.push({ set: `published${family}`, key, data: `jump ${client}${family}` });
  for (const range of disjoint(published.sources ?? [], problems).flatMap(halves)) {
    if (range.family !== family) continue;
    elements.push({ set: `sourceRanges${family}`, key: `${key} . ${intervalText(range)}` });
  }
}

function goodPlaces(places: readonly Place[], family: Family, problems: string[]): readonly Place[] {
  return places.filter(({ address, port }) => {
    const good = isAddress(address) && familyOf(address) === family && isPort(port);
    if (!good) problems.push(`backend ${address} port ${port} is no IPv${family} address and port`);
    return good;
  });
}

/** nft prints the whole address space in a concatenation in a form of its own; two halves it prints as any prefix. */
function halves(prefix: Prefix): readonly Prefix[] {
  return prefix.length === 0 ? [...splitPrefix(prefix, 1)] : [prefix];
}

function isPort(port: number): boolean {
  return Number.isInteger(port) && port > 0 && port < 65_536;
}
