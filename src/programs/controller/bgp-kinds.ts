/** MetalLB's kinds for BGP as the controller sees them: what is wrong with them, and their conditions. */
import { type BGPAdvertisement, bgpAdvertisementKind } from '#api/kinds/bgpadvertisement.ts';
import type { BGPNeighbor } from '#api/kinds/bgpneighbor.ts';
import { type BGPPeer, bgpPeerKind } from '#api/kinds/bgppeer.ts';
import { type Community, communityKind } from '#api/kinds/community.ts';
import type { Condition, KubeObject, ResourceType } from '#api/object.ts';
import { conflicts } from '#compile/bgp/conflicts.ts';
import { hasPeer } from '#compile/bgp/peers.ts';
import { preferenceConflicts } from '#compile/loadbalancer/preferences.ts';
import { sayingsOf } from '#compile/loadbalancer/sayings.ts';
import { type Client, isConflict, isNotFound } from '#kube/client.ts';
import { type NewCondition, setCondition } from '#kube/conditions.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { type BGPAdvertisementModel, readBGPAdvertisement } from '#model/bgpadvertisement.ts';
import { readBGPNeighbor } from '#model/bgpneighbor.ts';
import { readBGPPeer } from '#model/bgppeer.ts';
import { type CommunityModel, readCommunity } from '#model/community.ts';
import type { AddressPoolModel } from '#model/loadbalancer.ts';
import type { NodeModel } from '#model/node.ts';
import type { Problem } from '#model/problem.ts';
import { catalogue } from '#telemetry/catalogue.ts';
import type { Log } from '#telemetry/log.ts';
import { sessionStatus } from './neighbor-status.ts';

/** Empty where the cluster doesn't serve the kinds. */
export type BGPCaches = {
  readonly bgpPeers: Informer<BGPPeer>;
  readonly bgpAdvertisements: Informer<BGPAdvertisement>;
  readonly communities: Informer<Community>;
};

export function startBGPCaches(client: Client, log: Log): BGPCaches {
  return {
    bgpPeers: startInformer<BGPPeer>(client, bgpPeerKind, { log, mayBeAbsent: true }),
    bgpAdvertisements: startInformer<BGPAdvertisement>(client, bgpAdvertisementKind, {
      log,
      mayBeAbsent: true,
    }),
    communities: startInformer<Community>(client, communityKind, { log, mayBeAbsent: true }),
  };
}

/** Of BGPNeighbors, too, which share the nodes' one speaker. */
export function bgpProblems(
  caches: BGPCaches,
  neighbors: readonly BGPNeighbor[],
  pools: readonly AddressPoolModel[],
  nodes: readonly NodeModel[],
): readonly Problem[] {
  const reads = {
    neighbors: neighbors.map(readBGPNeighbor),
    peers: caches.bgpPeers.list().map(readBGPPeer),
    advertisements: caches.bgpAdvertisements.list().map(readBGPAdvertisement),
    communities: caches.communities.list().map(readCommunity),
  };
  const advertisements = new Map<string, BGPAdvertisementModel>();
  for (const { value } of reads.advertisements)
    if (value !== undefined) advertisements.set(`${value.namespace}/${value.name}`, value);
  const communities = new Map<string, CommunityModel>();
  for (const { value } of reads.communities)
    if (value !== undefined) communities.set(`${value.namespace}/${value.origin.name}`, value);
  const sayings = sayingsOf({
    pools: new Map(pools.map((pool) => [pool.name, pool])),
    advertisements,
    communities,
    node: undefined,
    neighbors: {},
  });
  return [
    ...Object.values(reads).flatMap((each) => each.flatMap(({ problems }) => problems)),
    ...conflicts(
      reads.neighbors.flatMap(({ value }) => value ?? []),
      nodes,
      reads.peers.flatMap(({ value }) => value ?? []),
    ),
    ...sayings.problems,
    ...preferenceConflicts(advertisements.values(), pools, nodes),
  ];
}

/** One pass over all objects; writes only what differs. */
export async function reconcileBGPKinds(
  client: Client,
  caches: BGPCaches,
  nodes: readonly NodeModel[],
  problems: readonly Problem[],
  now: Date,
  log: Log,
): Promise<void> {
  const write = async (
    type: ResourceType,
    object: KubeObject,
    ready: NewCondition,
    stale: readonly string[] = [],
  ): Promise<void> => {
    const { name, namespace = '', generation } = object.metadata;
    const condition = generation === undefined ? ready : { ...ready, observedGeneration: generation };
    const { conditions: before } = (object['status'] ?? {}) as { readonly conditions?: readonly Condition[] };
    const conditions = setCondition(before, condition, now);
    if (conditions === before && stale.length === 0) return;
    const sessions = Object.fromEntries(stale.map((node) => [node, null]));
    const body = { status: { conditions, ...(stale.length === 0 ? {} : { sessions }) } };
    try {
      await client.patch(type, { name, namespace, subresource: 'status' }, { kind: 'merge', body });
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return;
      log.warn('a status can not be written and is tried again', { kind: type.kind, name, error });
    }
  };
  for (const peer of caches.bgpPeers.list()) {
    const { value } = readBGPPeer(peer);
    const having = value === undefined ? [] : nodes.filter((node) => hasPeer(value, node));
    const own = problemsOf(bgpPeerKind, peer, problems);
    const { ready, stale } = sessionStatus(
      own,
      having.map(({ name }) => name),
      peer.status?.sessions ?? {},
      'spec.nodeSelectors',
    );
    await write(bgpPeerKind, peer, ready, stale);
  }
  for (const advertisement of caches.bgpAdvertisements.list())
    await write(bgpAdvertisementKind, advertisement, readyOf(bgpAdvertisementKind, advertisement, problems));
  for (const community of caches.communities.list())
    await write(communityKind, community, readyOf(communityKind, community, problems));
}

function problemsOf(
  { kind }: ResourceType,
  { metadata }: KubeObject,
  problems: readonly Problem[],
): readonly Problem[] {
  return problems.filter(
    ({ object, code }) =>
      object.kind === kind &&
      object.name === metadata.name &&
      object.namespace === metadata.namespace &&
      catalogue[code].severity === 'error',
  );
}

function readyOf(type: ResourceType, object: KubeObject, problems: readonly Problem[]): NewCondition {
  const own = problemsOf(type, object, problems);
  const [first] = own;
  if (first === undefined)
    return { type: 'Ready', status: 'True', reason: 'InEffect', message: 'all that it says is in effect' };
  const message = own.map(({ field, message: text }) => `${field}: ${text}`).join('; ');
  return { type: 'Ready', status: 'False', reason: first.code, message };
}
