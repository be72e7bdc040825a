/** Who holds each address, change by change, and which addresses that touches. */
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import { parseAddr } from '#net/addr.ts';
import { type Prefix, parsePrefix, prefixHas } from '#net/prefix.ts';
import { createAddressIndex } from './address-index.ts';
import { compareClaims, extrasOf, type Holder, nodeAddresses, nodeHolder } from './holders.ts';
import { isPolicyPod } from './order.ts';

export type LiveHolders = {
  /** Pods without a network of their own hold nothing. */
  readonly setPod: (key: string, pod: PodModel | undefined) => void;
  readonly setNode: (name: string, node: NodeModel | undefined) => void;
  readonly setTunnelAddresses: (node: string, addresses: readonly string[] | undefined) => void;
  readonly setLocalAddresses: (node: string, addresses: readonly string[] | undefined) => void;
  readonly setName: (name: string, addresses: ReadonlySet<string> | undefined) => void;
  readonly setPodPrefixes: (subnet: string, cidrs: readonly string[] | undefined) => void;
  readonly holder: (address: string) => Holder | undefined;
  readonly told: (address: string) => Iterable<string>;
  readonly podPrefixes: ReadonlyMap<string, readonly string[]>;
  readonly inPodPrefixes: (address: string) => boolean;
  /** Pods with addresses, by namespace. */
  readonly podsOf: ReadonlyMap<string, ReadonlyMap<string, PodModel>>;
  readonly podAddresses: () => Iterable<string>;
  readonly nodeAddresses: () => Iterable<string>;
  /** All addresses of nodes that have one in the prefix. */
  readonly nodesInside: (prefix: Prefix) => Iterable<string>;
  readonly toldAddresses: () => Iterable<string>;
  readonly addressesOf: (node: string) => readonly string[];
  /** Addresses whose holder, or what is known of him, is another since the last time. */
  readonly take: () => HolderChanges;
};

export type HolderChanges = { readonly addresses: ReadonlySet<string>; readonly podPrefixes: boolean };

export function createLiveHolders(): LiveHolders {
  const podsOf = new Map<string, Map<string, PodModel>>();
  const claims = createClaims();
  const nodes = new Map<string, NodeModel>();
  const tunnels = new Map<string, readonly string[]>();
  const locals = new Map<string, readonly string[]>();
  const extras = { tunnelAddresses: tunnels, localAddresses: locals };
  const nodeClaims = createClaims();
  const nodeIndex = createAddressIndex();
  const names = new Map<string, ReadonlySet<string>>();
  const nameClaims = createClaims();
  const podPrefixes = new Map<string, readonly string[]>();
  let parsedPrefixes: readonly Prefix[] = [];
  let dirty = new Set<string>();
  let dirtyPrefixes = false;

  const podAt = (key: string): PodModel | undefined => podsOf.get(key.slice(0, key.indexOf('/')))?.get(key);
  const addressesOf = (name: string): readonly string[] => {
    const node = nodes.get(name);
    return node === undefined ? [] : nodeAddresses(node, extrasOf(extras, node));
  };
  const move = (of: Claims, key: string, before: Iterable<string>, after: Iterable<string>): void => {
    for (const address of before) {
      of.remove(address, key);
      dirty.add(address);
    }
    for (const address of after) {
      of.add(address, key);
      dirty.add(address);
    }
  };

  const moveNode = (name: string, before: readonly string[]): void => {
    const after = addressesOf(name);
    move(nodeClaims, name, before, after);
    for (const address of before) if (isUnclaimed(nodeClaims, address)) nodeIndex.remove(address);
    for (const address of after) nodeIndex.add(address);
  };

  const setExtra = (
    of: Map<string, readonly string[]>,
    name: string,
    addresses: readonly string[] | undefined,
  ): void => {
    const before = addressesOf(name);
    if (addresses === undefined) of.delete(name);
    else of.set(name, addresses);
    moveNode(name, before);
  };

  return {
    podsOf,
    podPrefixes,
    addressesOf,
    setPod(key, pod) {
      const namespace = key.slice(0, key.indexOf('/'));
      const inside = podsOf.get(namespace) ?? new Map<string, PodModel>();
      const before = inside.get(key);
      const holds = pod !== undefined && isPolicyPod(pod) && pod.addresses.length > 0;
      move(claims, key, before?.addresses ?? [], holds ? pod.addresses : []);
      if (holds) podsOf.set(namespace, inside.set(key, pod));
      else if (inside.delete(key) && inside.size === 0) podsOf.delete(namespace);
    },
    setNode(name, node) {
      const before = addressesOf(name);
      if (node === undefined) nodes.delete(name);
      else nodes.set(name, node);
      moveNode(name, before);
    },
    setTunnelAddresses: (name, addresses) => setExtra(tunnels, name, addresses),
    setLocalAddresses: (name, addresses) => setExtra(locals, name, addresses),
    setName(name, addresses) {
      move(nameClaims, name, names.get(name) ?? [], addresses ?? []);
      if (addresses === undefined) names.delete(name);
      else names.set(name, addresses);
    },
    setPodPrefixes(subnet, cidrs) {
      if (cidrs === undefined) podPrefixes.delete(subnet);
      else podPrefixes.set(subnet, cidrs);
      parsedPrefixes = [...podPrefixes.values()].flat().flatMap((text) => parsePrefix(text) ?? []);
      dirtyPrefixes = true;
    },
    holder(address) {
      const name = [...nodeClaims.of(address)].sort()[0];
      const node = name === undefined ? undefined : nodes.get(name);
      if (node !== undefined) return nodeHolder(node, address, extrasOf(extras, node));
      let first: readonly [string, PodModel] | undefined;
      for (const key of claims.of(address)) {
        const pod = podAt(key);
        if (pod !== undefined && (first === undefined || compareClaims([key, pod], first) > 0))
          first = [key, pod];
      }
      return first === undefined ? undefined : { kind: 'pod', key: first[0], pod: first[1] };
    },
    told: (address) => nameClaims.of(address),
    inPodPrefixes(address) {
      const addr = parseAddr(address);
      return addr !== undefined && parsedPrefixes.some((prefix) => prefixHas(prefix, addr));
    },
    podAddresses: () => claims.addresses(),
    nodeAddresses: () => nodeClaims.addresses(),
    *nodesInside(prefix) {
      for (const address of nodeIndex.inside(prefix))
        for (const name of nodeClaims.of(address)) yield* addressesOf(name);
    },
    toldAddresses: () => nameClaims.addresses(),
    take() {
      const taken = { addresses: dirty, podPrefixes: dirtyPrefixes };
      dirty = new Set();
      dirtyPrefixes = false;
      return taken;
    },
  };
}

function isUnclaimed(claims: Claims, address: string): boolean {
  return [...claims.of(address)].length === 0;
}

type Claims = {
  readonly add: (address: string, key: string) => void;
  readonly remove: (address: string, key: string) => void;
  readonly of: (address: string) => Iterable<string>;
  readonly addresses: () => Iterable<string>;
};

/** Nearly every address has one that claims it: a set only where there are more. */
function createClaims(): Claims {
  const claims = new Map<string, string | Set<string>>();
  return {
    add(address, key) {
      const known = claims.get(address);
      if (known === undefined || known === key) claims.set(address, key);
      else if (typeof known === 'string') claims.set(address, new Set([known, key]));
      else known.add(key);
    },
    remove(address, key) {
      const known = claims.get(address);
      if (known === key) claims.delete(address);
      else if (typeof known === 'object' && known.delete(key) && known.size === 0) claims.delete(address);
    },
    of(address) {
      const known = claims.get(address);
      return known === undefined ? [] : typeof known === 'string' ? [known] : known;
    },
    addresses: () => claims.keys(),
  };
}
