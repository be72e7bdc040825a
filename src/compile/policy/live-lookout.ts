/** What the classes of a node ask of peers, counted: each selector, prefix and name stands here once, as long as somebody asks. */
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import type { PolicyPeer } from '#model/policy.ts';
import { type Labels, selects } from '#model/selector.ts';
import { type Addr, type Family, parseAddr } from '#net/addr.ts';
import { prefixOf } from '#net/prefix.ts';
import { namesOf } from './addresses.ts';
import { type Asked, facts, nodeCidrFeatures, peerText } from './features.ts';
import { toldAddresses } from './holders.ts';
import { portFeatures } from './owned.ts';
import { inCidr } from './peer.ts';
import { createSelectorIndex, type SelectorIndex } from './selector-index.ts';

export type LookoutChanges = {
  /** By feature: asked for since the last time, and no longer. */
  readonly fresh: ReadonlyMap<string, PolicyPeer>;
  readonly stale: ReadonlyMap<string, PolicyPeer>;
  /** Names of ports of which either is true. */
  readonly portNames: ReadonlySet<string>;
  readonly own: boolean;
  readonly strict: boolean;
};

export type LiveLookout = {
  readonly hold: (asked: Asked) => void;
  readonly drop: (asked: Asked) => void;
  readonly settle: () => LookoutChanges;
  readonly strict: () => boolean;
  readonly cidrs: () => ReadonlyMap<string, PolicyPeer & { readonly kind: 'cidr' }>;
  readonly podFeatures: (pod: PodModel, outer: Labels) => string[];
  readonly nodeFeatures: (node: NodeModel, isOwn: boolean) => string[];
  readonly cidrsWith: (addr: Addr) => string[];
  /** Of a tunnel address of the node. */
  readonly nodeCidrs: (node: NodeModel, tunnel: Addr) => string[];
  readonly namesWith: (told: Iterable<string>) => ReturnType<typeof namesOf>;
};

type Cidr = PolicyPeer & { readonly kind: 'cidr' };
type Name = PolicyPeer & { readonly kind: 'name' };

export function createLiveLookout(): LiveLookout {
  const peers = new Map<string, PolicyPeer>();
  const counts = createCounts();
  const portNames = new Set<string>();
  const index: SelectorIndex<string> = createSelectorIndex();
  const nodes = new Map<string, PolicyPeer & { readonly kind: 'nodes' }>();
  const names = new Map<string, Name>();
  const cidrs = createCidrIndex();
  const known = { own: false, strict: false };

  const enter = (text: string, peer: PolicyPeer): void => {
    peers.set(text, peer);
    if (peer.kind === 'pods') index.add(peer.select, text);
    else if (peer.kind === 'nodes') nodes.set(text, peer);
    else if (peer.kind === 'name') names.set(text, peer);
    else if (peer.kind === 'cidr') cidrs.add(text, peer);
  };
  const leave = (text: string, peer: PolicyPeer): void => {
    peers.delete(text);
    if (peer.kind === 'pods') index.remove(peer.select, text);
    else if (peer.kind === 'cidr') cidrs.remove(text, peer);
    nodes.delete(text);
    names.delete(text);
  };
  const candidates = new Map<string, PolicyPeer>();
  const count = (asked: Asked, by: 1 | -1): void => {
    for (const peer of asked.peers) {
      const text = peerText(peer);
      if (text === undefined) continue;
      counts.change(text, by);
      if (counts.of(text) === 0 || !peers.has(text)) candidates.set(text, peer);
    }
    for (const name of asked.portNames) counts.change(portKey(name), by);
    if (asked.own) counts.change(facts.own, by);
    if (asked.strict) counts.change(facts.unknown, by);
  };

  return {
    cidrs: () => cidrs.all,
    hold: (asked) => count(asked, 1),
    drop: (asked) => count(asked, -1),
    strict: () => known.strict,
    settle() {
      const fresh = new Map<string, PolicyPeer>();
      const stale = new Map<string, PolicyPeer>();
      for (const [text, peer] of candidates) {
        const isWanted = counts.of(text) > 0;
        if (isWanted === peers.has(text)) continue;
        (isWanted ? fresh : stale).set(text, peer);
        if (isWanted) enter(text, peer);
        else leave(text, peers.get(text) ?? peer);
      }
      candidates.clear();
      const touched = [...counts.touched()].flatMap((key) => nameOf(key) ?? []);
      const changedNames = touched.filter((name) => counts.of(portKey(name)) > 0 !== portNames.has(name));
      for (const name of changedNames) if (!portNames.delete(name)) portNames.add(name);
      const before = { ...known };
      known.own = counts.of(facts.own) > 0;
      known.strict = counts.of(facts.unknown) > 0;
      return {
        fresh,
        stale,
        portNames: new Set(changedNames),
        own: before.own !== known.own,
        strict: before.strict !== known.strict,
      };
    },
    podFeatures: (pod, outer) => [...index.taking(pod, outer), ...portFeatures(pod.namedPorts, portNames)],
    nodeFeatures(node, isOwn) {
      const selected = [...nodes].flatMap(([text, { select }]) =>
        selects(select, node.labels ?? {}) ? [text] : [],
      );
      return known.own && isOwn ? [...selected, facts.own] : selected;
    },
    cidrsWith: (addr) => cidrs.with(addr),
    nodeCidrs(node, tunnel) {
      const told = toldAddresses(node).flatMap((text) => parseAddr(text) ?? []);
      const near = new Set([tunnel, ...told].flatMap((addr) => cidrs.with(addr)));
      return [...near].flatMap((text) => nodeCidrFeatures([text, cidrs.all.get(text)!], node, tunnel));
    },
    namesWith: (told) => namesOf(told, names),
  };
}

function portKey(name: string): string {
  return `port ${name}`;
}

function nameOf(key: string): string | undefined {
  return key.startsWith('port ') ? key.slice(5) : undefined;
}

type Counts = {
  readonly change: (key: string, by: 1 | -1) => void;
  readonly of: (key: string) => number;
  /** Keys since the last call. */
  readonly touched: () => ReadonlySet<string>;
};

function createCounts(): Counts {
  const counts = new Map<string, number>();
  let touched = new Set<string>();
  return {
    change(key, by) {
      const now = (counts.get(key) ?? 0) + by;
      if (now === 0) counts.delete(key);
      else counts.set(key, now);
      touched.add(key);
    },
    of: (key) => counts.get(key) ?? 0,
    touched() {
      const keys = touched;
      touched = new Set();
      return keys;
    },
  };
}

type CidrIndex = {
  readonly all: ReadonlyMap<string, Cidr>;
  readonly add: (text: string, cidr: Cidr) => void;
  readonly remove: (text: string, cidr: Cidr) => void;
  readonly with: (addr: Addr) => string[];
};

/** By length and network: an address is looked for once a length that is there, however many prefixes there are. */
function createCidrIndex(): CidrIndex {
  const families: Readonly<Record<Family, Map<number, Map<bigint, Map<string, Cidr>>>>> = {
    4: new Map(),
    6: new Map(),
  };
  const all = new Map<string, Cidr>();
  return {
    all,
    add(text, cidr) {
      all.set(text, cidr);
      const { family, length, value } = cidr.prefix;
      const networks = families[family].get(length) ?? new Map<bigint, Map<string, Cidr>>();
      families[family].set(length, networks);
      const here = networks.get(value) ?? new Map<string, Cidr>();
      networks.set(value, here.set(text, cidr));
    },
    remove(text, { prefix: { family, length, value } }) {
      all.delete(text);
      const networks = families[family].get(length);
      const here = networks?.get(value);
      here?.delete(text);
      if (here?.size === 0) networks?.delete(value);
      if (networks?.size === 0) families[family].delete(length);
    },
    with(addr) {
      const found: string[] = [];
      for (const [length, networks] of families[addr.family])
        for (const [text, cidr] of networks.get(prefixOf(addr, length).value) ?? [])
          if (inCidr(cidr, addr)) found.push(text);
      return found;
    },
  };
}
