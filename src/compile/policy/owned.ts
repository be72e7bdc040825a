/** Which single addresses of a snapshot need an identity of their own, and what CIDRs are cut from. */
import type { NamedPort } from '#model/pod.ts';
import type { PolicyPeer } from '#model/policy.ts';
import { selects } from '#model/selector.ts';
import { parseAddr } from '#net/addr.ts';
import { parsePrefix } from '#net/prefix.ts';
import { namesOf, ownFeatures, prefixFeatures } from './addresses.ts';
import type { AtomSource } from './atoms.ts';
import type { PolicyClass } from './classes.ts';
import { askedBy, facts, nodeCidrFeatures, peerText, portFeature } from './features.ts';
import { type Holder, holdersOf, inPodPrefixes } from './holders.ts';
import { takesPod } from './order.ts';
import { inCidr } from './peer.ts';
import type { PolicySnapshot } from './snapshot.ts';

/** What the policies of a node ask of peers. */
export type Lookout = {
  /** By the text that is their feature. */
  readonly peers: ReadonlyMap<string, PolicyPeer>;
  /** Ports of destinations. */
  readonly portNames: ReadonlySet<string>;
  readonly own: boolean;
  readonly strict: boolean;
};

/** What the policies of all classes ask of peers. */
export function lookoutOf(classes: Iterable<PolicyClass>): Lookout {
  const asked = [...classes].flatMap(({ policies, direction }) =>
    policies.map((policy) => askedBy(policy, direction)),
  );
  const peers = new Map<string, PolicyPeer>();
  for (const peer of asked.flatMap((each) => each.peers)) {
    const text = peerText(peer);
    if (text !== undefined) peers.set(text, peer);
  }
  return {
    peers,
    portNames: new Set(asked.flatMap((each) => each.portNames)),
    own: asked.some((each) => each.own),
    strict: asked.some((each) => each.strict),
  };
}

export type OwnedAddress = {
  /** Key of the entry. */
  readonly owner: string;
  readonly address: string;
  readonly features: readonly string[];
};

/** In order of addresses. */
export function ownedAddresses(snapshot: PolicySnapshot, node: string, lookout: Lookout): OwnedAddress[] {
  const holders = holdersOf(snapshot);
  const told = nameLearners(snapshot.names);
  const patterns = [...lookout.peers].flatMap(([text, peer]) =>
    peer.kind === 'name' ? [[text, peer] as const] : [],
  );
  return [...new Set([...holders.keys(), ...told.keys()])].sort().flatMap((address) => {
    const holder = holders.get(address);
    const names = namesOf(told.get(address) ?? [], patterns);
    const known = {
      ...(holder === undefined ? {} : { holder: featuresOf(holder, snapshot, node, lookout) }),
      cidrs: cidrsWith(address, lookout),
      ...(holder?.kind === 'node' && holder.tunnel ? { nodeCidrs: nodeCidrs(holder, address, lookout) } : {}),
      names: names.features,
      inPodPrefixes: inPodPrefixes(snapshot.podPrefixes, address),
    };
    const features = ownFeatures(known, lookout.strict);
    if (features === undefined) return [];
    return [{ owner: ownerKey(holder, names.name), address, features }];
  });
}

export function ownerKey(holder: Holder | undefined, name: string | undefined): string {
  if (holder?.kind === 'node') return `node ${holder.node.name}`;
  return holder?.kind === 'pod' ? `pod ${holder.key}` : `name ${name}`;
}

function nameLearners(names: PolicySnapshot['names']): Map<string, string[]> {
  const told = new Map<string, string[]>();
  for (const [name, addresses] of names ?? [])
    for (const address of addresses) told.set(address, [...(told.get(address) ?? []), name]);
  return told;
}

function featuresOf(holder: Holder, snapshot: PolicySnapshot, node: string, lookout: Lookout): string[] {
  const found = [...lookout.peers].flatMap(([text, peer]) => {
    if (holder.kind === 'node')
      return peer.kind === 'nodes' && selects(peer.select, holder.node.labels ?? {}) ? [text] : [];
    return peer.kind === 'pods' && takesPod(peer.select, holder.pod, snapshot.namespaces) ? [text] : [];
  });
  if (holder.kind === 'node') return lookout.own && holder.node.name === node ? [...found, facts.own] : found;
  return [...found, ...portFeatures(holder.pod.namedPorts, lookout.portNames)];
}

export function portFeatures(ports: readonly NamedPort[], wanted: ReadonlySet<string>): string[] {
  return ports.filter(({ name }) => wanted.has(name)).map(portFeature);
}

function cidrsWith(address: string, lookout: Lookout): string[] {
  const addr = parseAddr(address);
  if (addr === undefined) return [];
  return [...lookout.peers].flatMap(([text, peer]) =>
    peer.kind === 'cidr' && inCidr(peer, addr) ? [text] : [],
  );
}

function nodeCidrs(
  { node }: Holder & { readonly kind: 'node' },
  address: string,
  lookout: Lookout,
): string[] {
  const addr = parseAddr(address);
  if (addr === undefined) return [];
  return [...lookout.peers].flatMap(([text, peer]) =>
    peer.kind === 'cidr' ? nodeCidrFeatures([text, peer], node, addr) : [],
  );
}

/** Where addresses of pod Subnets are treated otherwise, prefixes are cut at the edges of these, too. */
export function atomSources(
  lookout: Pick<Lookout, 'peers' | 'strict'>,
  podPrefixes: PolicySnapshot['podPrefixes'],
): AtomSource[] {
  const cidrs = [...lookout.peers].flatMap(([id, peer]) =>
    peer.kind === 'cidr' ? [{ id, prefix: peer.prefix, except: peer.except }] : [],
  );
  if (!lookout.strict) return cidrs;
  const pods = [...(podPrefixes?.values() ?? [])].flat().flatMap((text) => parsePrefix(text) ?? []);
  return [...cidrs, ...pods.map((prefix) => ({ id: facts.unknown, prefix, except: [] }))];
}

export function atomFeatures(ids: readonly string[]): readonly string[] {
  const cidrs = ids.filter((id) => id !== facts.unknown);
  return prefixFeatures(cidrs, cidrs.length < ids.length);
}
