/** Every end that a connection can have, each standing for all that are the same to every policy. */
import type { NodeModel } from '#model/node.ts';
import type { PodModel } from '#model/pod.ts';
import { type Family, parseAddr } from '#net/addr.ts';
import { type FlowPeer, flowPeer } from '../policy/peer.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import { formatPart, type PrefixTree, sampleOf } from './prefixes.ts';
import { addressOf, type Looked, only, type Side, type Sides, type Unit } from './units.ts';

export type NodeGroup = { readonly names: readonly string[] };

export type End = {
  readonly kind: 'pods' | 'nodes' | 'world';
  /** For people; ends with the same label are told of together. */
  readonly label: string;
  readonly unit?: Unit;
  readonly nodes?: NodeGroup;
  /** Of the world. */
  readonly address?: string;
  readonly part?: number;
  /** As rules see it; `undefined`: it isn't there on this side, or not of this family. */
  readonly before: FlowPeer | undefined;
  readonly after: FlowPeer | undefined;
};

export type EndsInput = {
  readonly sides: Sides;
  readonly snapshots: { readonly before: PolicySnapshot; readonly after: PolicySnapshot };
  readonly units: readonly Unit[];
  readonly looked: Looked;
  readonly tree: PrefixTree;
  readonly family: Family;
};

export function endsOf(input: EndsInput): readonly End[] {
  const { sides, units, family } = input;
  const pods = units.map((unit): End => {
    const seen = (name: 'before' | 'after'): FlowPeer | undefined => {
      const found = unit.pods.find((pod) => pod[name] !== undefined);
      const pod = found?.[name];
      const address = pod === undefined ? undefined : addressOf(pod, family);
      return pod === undefined || address === undefined
        ? undefined
        : { text: `pod ${found?.key}`, pod, address };
    };
    return { kind: 'pods', label: unit.label, unit, before: seen('before'), after: seen('after') };
  });
  const taken = new Set([sides.before, sides.after].flatMap((side) => addressesOf(side)));
  return [...pods, ...nodeEnds(input), ...worldEnds(input, taken)];
}

/** An address that a node has of the family. */
export function nodeAddress({ addresses }: NodeModel, family: Family): string | undefined {
  return addressOf({ addresses }, family);
}

/** Nodes that every rule treats alike, on both sides. */
function nodeEnds({ sides, snapshots, looked, tree, family }: EndsInput): readonly End[] {
  const groups = new Map<string, string[]>();
  const names = new Set([...sides.before.cluster.nodes.keys(), ...sides.after.cluster.nodes.keys()]);
  for (const name of names) {
    const alike = JSON.stringify(
      [sides.before, sides.after].map(({ cluster, gates }) => {
        const node = cluster.nodes.get(name);
        const address = node === undefined ? undefined : nodeAddress(node, family);
        const addr = address === undefined ? undefined : parseAddr(address);
        if (node === undefined || address === undefined || addr === undefined) return undefined;
        return [only(node.labels ?? {}, looked.nodeLabels), tree.partOf(addr), gates.subnetOf(address)];
      }),
    );
    const group = groups.get(alike);
    if (group === undefined) groups.set(alike, [name]);
    else group.push(name);
  }
  return [...groups.values()].map((group): End => {
    const seen = (name: 'before' | 'after'): FlowPeer | undefined => {
      const node = sides[name].cluster.nodes.get(group[0] ?? '');
      const address = node === undefined ? undefined : nodeAddress(node, family);
      return address === undefined
        ? undefined
        : flowPeer(snapshots[name], { kind: 'address', address }, family);
    };
    const label = group.length === names.size && names.size > 1 ? 'every node' : `node ${group.join(', ')}`;
    return { kind: 'nodes', label, nodes: { names: group }, before: seen('before'), after: seen('after') };
  });
}

/** Parts of a pod Subnet are left out: whoever is there is a pod. */
function worldEnds({ sides, tree, family }: EndsInput, taken: ReadonlySet<string>): readonly End[] {
  return tree.parts.flatMap((part): End[] => {
    if (part.prefix.family !== family) return [];
    const address = sampleOf(part, taken);
    if (address === undefined) return [];
    const isPods = ({ gates }: Side) => gates.subnetOf(address) !== undefined;
    if (isPods(sides.before) || isPods(sides.after)) return [];
    const peer: FlowPeer = { text: address, address };
    const label = formatPart(part);
    return [{ kind: 'world', label, address, part: part.number, before: peer, after: peer }];
  });
}

function addressesOf({ cluster }: Side): string[] {
  const tunnels = [...cluster.tunnelAddresses.values()].flat();
  const services = [...cluster.services.values()].flatMap(({ clusterIPs }) => clusterIPs);
  const own = [...cluster.pods.values(), ...cluster.nodes.values()].flatMap(({ addresses }) => addresses);
  return [...own, ...tunnels, ...services];
}

/** A pod of a unit that there is on a side. */
export function podOf(unit: Unit, name: 'before' | 'after'): PodModel | undefined {
  return unit.pods.find((pod) => pod[name] !== undefined)?.[name];
}
