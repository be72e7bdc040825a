/** Who stands at an end of a question, family by family. */
import type { ClusterModel } from '#model/cluster.ts';
import type { PodModel } from '#model/pod.ts';
import { type Family, parseAddr } from '#net/addr.ts';
import { type Holder, holderOf } from '../policy/holders.ts';
import { isPolicyPod } from '../policy/order.ts';
import type { PolicySnapshot } from '../policy/snapshot.ts';
import { worldStandIns } from './prefixes.ts';
import type { AskedEnd } from './question.ts';
import { addressOf } from './units.ts';

export type Party = {
  readonly kind: 'pod' | 'node' | 'address';
  /** `pod shop/web-0`, `node node1`, the address, or `world`. */
  readonly name: string;
  readonly address: string;
  readonly family: Family;
  /** Of a pod with a network of its own. */
  readonly key?: string;
  readonly pod?: PodModel;
  /** Where it is; of a node, itself. */
  readonly node?: string;
};

/** `notes` gets what the reader wouldn't guess. A Service is nobody here: see routes.ts. */
export function partyOf(
  cluster: ClusterModel,
  snapshot: PolicySnapshot,
  end: AskedEnd,
  family: Family,
  notes: Set<string>,
): Party | undefined {
  switch (end.kind) {
    case 'pod':
      return podParty(cluster, end.key, end.pod, family, notes);
    case 'node':
      return nodeParty(cluster, end.name, family);
    case 'world':
      return worldParty(end.addresses, family);
    case 'address':
      return addressParty(cluster, snapshot, end.address, family, notes);
    case 'service':
      return undefined;
  }
}

function worldParty(addresses: readonly string[] | undefined, family: Family): Party | undefined {
  const address = addressOf({ addresses: addresses ?? Object.values(worldStandIns) }, family);
  return address === undefined ? undefined : { kind: 'address', name: 'world', address, family };
}

export function addressParty(
  cluster: ClusterModel,
  snapshot: PolicySnapshot,
  address: string,
  family: Family,
  notes: Set<string>,
): Party | undefined {
  return heldParty(cluster, holderOf(snapshot, address), address, family, notes);
}

/** By an address whose holder is known. */
export function heldParty(
  cluster: ClusterModel,
  holder: Holder | undefined,
  address: string,
  family: Family,
  notes: Set<string>,
): Party | undefined {
  if (parseAddr(address)?.family !== family) return undefined;
  if (holder?.kind === 'node') {
    const { name } = holder.node;
    return { kind: 'node', name: `node ${name}`, address, family, node: name };
  }
  if (holder?.kind === 'pod') return podParty(cluster, holder.key, holder.pod, family, notes);
  return { kind: 'address', name: address, address, family };
}

function podParty(
  cluster: ClusterModel,
  key: string,
  pod: PodModel,
  family: Family,
  notes: Set<string>,
): Party | undefined {
  if (!isPolicyPod(pod)) {
    notes.add(`pod ${key} uses its node's network: to policy it is node ${pod.node ?? ''}`);
    return pod.node === undefined ? undefined : nodeParty(cluster, pod.node, family);
  }
  const address = addressOf(pod, family);
  if (address === undefined) return undefined;
  if (cluster.invented.has(address)) notes.add('addresses of pods that have none yet are made up');
  const { node } = pod;
  return {
    kind: 'pod',
    name: `pod ${key}`,
    address,
    family,
    key,
    pod,
    ...(node === undefined ? {} : { node }),
  };
}

/** A node by its own address of that family. */
export function nodeParty({ nodes }: ClusterModel, name: string, family: Family): Party | undefined {
  const address = addressOf({ addresses: nodes.get(name)?.addresses ?? [] }, family);
  return address === undefined
    ? undefined
    : { kind: 'node', name: `node ${name}`, address, family, node: name };
}
