/** Who holds each address, change by change, and which addresses that touches. */
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import { parseAddr } from '#net/addr.ts';
import { type Prefix, parsePrefix, prefixHas } from '#net/prefix.ts';
import { compareClaims, type Holder, nodeAddresses } from './holders.ts';
import { isPolicyPod } from './order.ts';

export type LiveHolders = {
  /** Pods without a network of their own hold nothing. */
  readonly setPod: (key: string, pod: PodModel | undefined) => void;
  readonly setNode: (name: string, node: NodeModel | undefined) => void;
  readonly setTunnelAddresses: (node: string, addresses: readonly string[] | undefined) => void;
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
  readonly toldAddresses: () => Iterable<string>;
  readonly addressesOf: (node: string) => readonly string[];
  /** Addresses whose holder, or what is known of him, is another since the last time. */
  readonly take: () => { readonly addresses: Set<string>; readonly podPrefixes: boolean };
};

export function createLiveHolders(): LiveHolders {
  const podsOf = new Map<string, Map<string, PodModel>>();
  const claims = createClaims();
  const nodes = new Map<string, NodeModel>();
  const tunnels = new Map<string, readonly string[]>();
  const nodeClaims = createClaims();
  const names = new Map<string, ReadonlySet<string>>();
  const nameClaims = createClaims();
  const podPrefixes = new Map<string, readonly string[]>();
  let parsedPrefixes: readonly Prefix[] = [];
  let dirty = new Set<string>();
  let dirtyPrefixes = false;

  const podAt = (key: string): PodModel | undefined => podsOf.get(key.slice(0, key.indexOf('/')))?.get(key);
  const addressesOf = (name: string): readonly string[] => {
    const node = nodes.get(name);
    return node === undefined ? [] : nodeAddresses(node, tunnels.get(name));
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
      move(nodeClaims, name, before, addressesOf(name));
    },
    setTunnelAddresses(name, addresses) {
      const before = addressesOf(name);
      if (addresses === undefined) tunnels.delete(name);
      else tunnels.set(name, addresses);
      move(nodeClaims, name, before, addressesOf(name));
    },
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
      if (node !== undefined) return { kind: 'node', node };
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
    toldAddresses: () => nameClaims.addresses(),
    take() {
      const taken = { addresses: dirty, podPrefixes: dirtyPrefixes };
      dirty = new Set();
      dirtyPrefixes = false;
      return taken;
    },
  };
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
