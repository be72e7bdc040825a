/** Identities of addresses, change by change: what a change can't reach is not looked at. */
import type { PolicyAddressIntent } from '#intent/policy.ts';
import type { PodModel } from '#model/pod.ts';
import type { PodsSelector, PolicyPeer } from '#model/policy.ts';
import type { Labels } from '#model/selector.ts';
import { parseAddr } from '#net/addr.ts';
import { createAddressIndex } from './address-index.ts';
import { ownFeatures } from './addresses.ts';
import type { HolderChanges, LiveHolders } from './live-holders.ts';
import type { Identity, LiveIdentities } from './live-identities.ts';
import type { LiveLookout, LookoutChanges } from './live-lookout.ts';
import { ownerKey } from './owned.ts';
import { matches } from './selector-index.ts';

export type LiveAddresses = {
  /** The pod's namespace has other labels. */
  readonly askNamespace: (namespace: string) => void;
  readonly settle: (moved: HolderChanges, asked: LookoutChanges) => AddressChanges;
};

/** `undefined`: the entry is gone. */
export type AddressChanges = ReadonlyMap<string, PolicyAddressIntent | undefined>;

export type LiveAddressParts = {
  readonly node: string;
  readonly labelsOf: (namespace: string) => Labels;
  readonly holders: LiveHolders;
  readonly lookout: LiveLookout;
  readonly identities: LiveIdentities;
};

/** Of so many new ones each looks for its pods; with more, each pod looks for what takes it. */
const fewSelectors = 16;

const everywhere: Exclude<PodsSelector['namespaces'], string> = {};

type Place = { readonly owner: string; readonly identity: Identity };

export function createLiveAddresses(parts: LiveAddressParts): LiveAddresses {
  const { node: self, labelsOf, holders, lookout, identities } = parts;
  const places = new Map<string, Place>();
  const owners = new Map<string, Map<string, number>>();
  /** Addresses with an entry. */
  const placed = createAddressIndex();
  /** Addresses without, of which somebody must know nonetheless should their last prefix go. */
  const plain = createAddressIndex();
  const namespaces = new Set<string>();

  const placeOf = (address: string): Place | undefined => {
    const holder = holders.holder(address);
    const names = lookout.namesWith(holders.told(address));
    const addr = parseAddr(address);
    const known = {
      ...(holder === undefined
        ? {}
        : {
            holder:
              holder.kind === 'node'
                ? lookout.nodeFeatures(holder.node, holder.node.name === self)
                : lookout.podFeatures(holder.pod, labelsOf(holder.pod.namespace)),
          }),
      cidrs: addr === undefined ? [] : lookout.cidrsWith(addr),
      ...(addr !== undefined && holder?.kind === 'node' && holder.tunnel
        ? { nodeCidrs: lookout.nodeCidrs(holder.node, addr) }
        : {}),
      names: names.features,
      inPodPrefixes: lookout.strict() && holders.inPodPrefixes(address),
    };
    const features = ownFeatures(known, lookout.strict());
    if (features === undefined) return undefined;
    return { owner: ownerKey(holder, names.name), identity: identities.take(features) };
  };

  const refresh = (address: string, touched: Set<string>): void => {
    const before = places.get(address);
    const after = placeOf(address);
    if (after === undefined && lookout.strict() && holders.holder(address) !== undefined) plain.add(address);
    else plain.remove(address);
    if (before?.owner === after?.owner && before?.identity === after?.identity) return;
    if (after !== undefined) {
      places.set(address, after);
      placed.add(address);
      after.identity.addresses.add(address);
      const entry = owners.get(after.owner) ?? new Map<string, number>();
      owners.set(after.owner, entry.set(address, after.identity.number));
      touched.add(after.owner);
    } else {
      places.delete(address);
      placed.remove(address);
    }
    if (before === undefined) return;
    if (before.identity !== after?.identity) {
      before.identity.addresses.delete(address);
      identities.left(before.identity);
    }
    if (before.owner === after?.owner) return;
    const entry = owners.get(before.owner);
    if (entry?.delete(address) && entry.size === 0) owners.delete(before.owner);
    touched.add(before.owner);
  };

  const entryOf = (owner: string): PolicyAddressIntent | undefined => {
    const entry = owners.get(owner);
    if (entry === undefined) return undefined;
    return { identities: Object.fromEntries([...entry].sort(([a], [b]) => (a < b ? -1 : 1))) };
  };

  /** Adds what may match a peer that is asked for since now. */
  const reach = (peer: PolicyPeer, dirty: Set<string>): void => {
    if (peer.kind === 'nodes') addAll(dirty, holders.nodeAddresses());
    else if (peer.kind === 'name') addAll(dirty, holders.toldAddresses());
    else if (peer.kind === 'pods')
      for (const [namespace, pods] of podsAround(holders.podsOf, peer.select.namespaces)) {
        const labels = labelsOf(namespace);
        if (!matches({ namespaces: peer.select.namespaces }, { namespace, labels: {} }, labels)) continue;
        for (const pod of pods.values()) if (matches(peer.select, pod, labels)) addAll(dirty, pod.addresses);
      }
    else if (peer.kind === 'cidr') {
      // What had no entry of its own has none with one more prefix either: its prefix says it all, as before.
      addAll(dirty, placed.inside(peer.prefix));
      addAll(dirty, holders.nodesInside(peer.prefix));
    }
  };

  const markAsked = ({ fresh, stale, portNames, own, strict }: LookoutChanges, dirty: Set<string>): void => {
    const places = Map.groupBy(fresh.values(), placeAsked);
    for (const [place, peers] of places) {
      if (place === undefined || peers.length <= fewSelectors) for (const peer of peers) reach(peer, dirty);
      else for (const [, pods] of podsAround(holders.podsOf, place)) addPods(dirty, pods.values());
    }
    for (const [feature, peer] of stale) {
      for (const { addresses } of identities.about(feature)) addAll(dirty, addresses);
      if (peer.kind === 'cidr') addAll(dirty, plain.inside(peer.prefix));
    }
    for (const name of portNames)
      for (const { addresses } of identities.about(`port ${name}`)) addAll(dirty, addresses);
    if (portNames.size > 0)
      for (const pods of holders.podsOf.values())
        for (const { namedPorts, addresses } of pods.values())
          if (namedPorts.some(({ name }) => portNames.has(name))) addAll(dirty, addresses);
    if (own) addAll(dirty, holders.addressesOf(self));
    if (strict) markAll(dirty);
  };
  const markAll = (dirty: Set<string>): void => {
    addAll(dirty, holders.podAddresses());
    addAll(dirty, holders.nodeAddresses());
    addAll(dirty, holders.toldAddresses());
  };

  return {
    askNamespace: (namespace) => namespaces.add(namespace),
    settle(moved, asked) {
      const dirty = new Set(moved.addresses);
      for (const namespace of namespaces) addPods(dirty, holders.podsOf.get(namespace)?.values() ?? []);
      namespaces.clear();
      markAsked(asked, dirty);
      if (moved.podPrefixes && lookout.strict()) markAll(dirty);
      // Whoever found no number tries again: others may have left.
      addAll(dirty, identities.beyond.addresses);
      const touched = new Set<string>();
      for (const address of dirty) refresh(address, touched);
      return new Map([...touched].map((owner) => [owner, entryOf(owner)]));
    },
  };
}

function addAll(to: Set<string>, values: Iterable<string>): void {
  for (const each of values) to.add(each);
}

function addPods(to: Set<string>, pods: Iterable<PodModel>): void {
  for (const { addresses } of pods) addAll(to, addresses);
}

/** Where a selector looks for pods; `undefined`: it is about something else. */
function placeAsked(peer: PolicyPeer): string | typeof everywhere | undefined {
  if (peer.kind !== 'pods') return undefined;
  return typeof peer.select.namespaces === 'string' ? peer.select.namespaces : everywhere;
}

function podsAround<T>(
  podsOf: ReadonlyMap<string, T>,
  namespaces: (PolicyPeer & { readonly kind: 'pods' })['select']['namespaces'],
): Iterable<readonly [string, T]> {
  if (typeof namespaces !== 'string') return podsOf;
  const own = podsOf.get(namespaces);
  return own === undefined ? [] : [[namespaces, own]];
}
