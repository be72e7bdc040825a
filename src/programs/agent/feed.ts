/** Watch caches → model → compilers: gathers changes for a moment, then tells what changed in the intent. */
import {
  endpointSliceType,
  type Namespace,
  type Node,
  namespaceType,
  nodeType,
  serviceType,
} from '#api/core.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { type IPPool, ipPoolKind } from '#api/kinds/ippool.ts';
import { type QoSPolicy, qosPolicyKind } from '#api/kinds/qospolicy.ts';
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { type PlacementInputs, place } from '#compile/ipam/placement.ts';
import { withoutPools } from '#compile/ipam/pools.ts';
import { createQosCompiler } from '#compile/qos/compile.ts';
import { createServiceCompiler } from '#compile/services/compile.ts';
import { createTopologyCompiler } from '#compile/topology/incremental.ts';
import type { ServedSubnet } from '#compile/topology/served.ts';
import type { SelfIntent } from '#intent/node.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { type BlockClaimModel, readBlockClaim } from '#model/blockclaim.ts';
import { type PoolModel, readIPPool } from '#model/ippool.ts';
import { type NamespaceModel, readNamespace } from '#model/namespace.ts';
import { type NodeModel, readNode } from '#model/node.ts';
import { isIdle, type PodModel } from '#model/pod.ts';
import type { Read } from '#model/problem.ts';
import { type QoSPolicyModel, readQoSPolicy } from '#model/qospolicy.ts';
import { type EndpointSliceModel, readEndpointSlice } from '#model/service.ts';
import { readSubnet, type SubnetModel } from '#model/subnet.ts';
import type { Log } from '#telemetry/log.ts';
import { type BalancerFeed, type BothServices, readBoth, startBalancerFeed } from './balancers.ts';
import { type BGPFeed, startBGPFeed } from './bgp.ts';
import type { FeedChange, FeedOptions } from './feed-options.ts';
import type { Delta } from './handover.ts';
import { type OwnPods, startOwnPods } from './own-pods.ts';
import type { LocalPod } from './pod-intents.ts';
import { logProblem, type PolicyFeed, startPolicyFeed } from './policies.ts';

export type Feed = {
  /** Every cache holds its first list. */
  readonly synced: Promise<void>;
  isSynced(): boolean;
  /** The node's own entry as the API has it; undefined while there is no such Node. */
  self(): SelfIntent | undefined;
  /** Those that are served, as blocks see them: without what is in IPPools. */
  subnets(): readonly ServedSubnet[];
  /** Subnets and IPPools that are served. */
  served(): PlacementInputs;
  claims(): readonly BlockClaimModel[];
  /** Services of type LoadBalancer that have the address. */
  servicesAt: BalancerFeed['servicesAt'];
  readonly bgp: Pick<BGPFeed, 'problems' | 'sessions' | 'takeAnnounced'>;
  /** Nodes of the cluster. */
  nodeCount(): number;
  /** This node's pods, and where each takes its addresses from. */
  placed(): Iterable<LocalPod>;
  /** Subnets from whose blocks pods on this node take addresses. */
  needed(): ReadonlySet<string>;
  /** The pods of this node. */
  readonly pods: OwnPods;
  readonly policies: Pick<
    PolicyFeed,
    'counts' | 'peers' | 'podAt' | 'position' | 'problems' | 'setStatus' | 'setNames'
  >;
  /** What gathered goes out now. */
  settle(): void;
  stop(): void;
};

/** The first change goes at once; what follows it gathers for so long: long against a burst of watch events. */
const gatherMs = 5;

/** Addresses come to a machine and go without anybody telling. */
const lookAtAddressesMs = 10_000;

/** `onDelta` gets every change but those of the domains `self` and `pods`, which the caller makes from `self()` and `placed()`. */
export function startFeed(
  client: Client,
  node: string,
  log: Log,
  options: FeedOptions,
  onDelta: (delta: Delta) => void,
  onChange: (changed: FeedChange) => void,
): Feed {
  const topology = createTopologyCompiler(node);
  const services = createServiceCompiler();
  const qos = createQosCompiler();
  const bgp = startBGPFeed(client, node, log, () => gather());
  const balancers = startBalancerFeed(client, node, log, options.loadBalancers, () => gather());
  balancers.onPool((key, pool) => bgp.setPool(key, pool));
  const policy = startPolicyFeed(client, node, log, options.endpoints, () => gather());
  let own: SelfIntent | undefined;
  let timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  let flushedAt = 0;
  let isSynced = false;
  const local = new Map<string, LocalPod>();
  /** Keys of pods to place again. */
  const dirty = new Set<string>();
  /** Keys of pods that wait for policy. */
  const heldBack = new Set<string>();

  const cancel = (): void => {
    clearTimeout(timer as NodeJS.Timeout | undefined);
    clearImmediate(timer as NodeJS.Immediate | undefined);
  };
  const placeDirty = (): boolean => {
    const inputs = topology.served();
    for (const key of dirty) {
      const [namespace = '', name = ''] = key.split('/');
      const pod = pods.get(namespace, name);
      const space = namespaces.get('', namespace);
      const isTold = local.get(key)?.pod.uid === pod?.uid && !heldBack.has(key);
      const waits = isSynced && !isTold && policy.isFilling();
      if (waits) heldBack.add(key);
      else heldBack.delete(key);
      // The namespace's own watch may be behind, and its labels and annotations decide, too.
      const placed =
        pod === undefined || space === undefined
          ? { considered: [], refused: `namespace ${namespace} is not known on this node yet` }
          : waits
            ? { considered: [], refused: 'the first policies of the cluster are being prepared' }
            : place(pod, space, inputs);
      if (pod === undefined) local.delete(key);
      else local.set(key, { pod, placed });
    }
    const changed = dirty.size > 0;
    dirty.clear();
    return changed;
  };
  const placeAgain = (of: (pod: PodModel) => boolean): void => {
    for (const [key, { pod }] of local) if (of(pod)) dirty.add(key);
  };
  const flush = (): void => {
    timer = undefined;
    flushedAt = performance.now();
    const change = topology.flush();
    if (change !== undefined) {
      const { self, ...put } = change.put;
      if (self?.[node] !== undefined) own = self[node];
      if (change.remove.self?.includes(node)) own = undefined;
      const { self: _, ...remove } = change.remove;
      for (const [name, { cidrs }] of Object.entries(put.subnets ?? {})) policy.setSubnet(name, cidrs);
      for (const name of remove.subnets ?? []) policy.setSubnet(name, undefined);
      onDelta({ put, remove });
    }
    const delta = services.flush();
    if (delta !== undefined) onDelta(delta);
    // Before the pods are told, for which ADDs wait: a pod that starts has its limit.
    const limits = qos.flush();
    if (limits !== undefined) onDelta(limits);
    for (const more of [bgp.flush(), balancers.flush()]) if (more !== undefined) onDelta(more);
    // Before the pods, too: a pod that starts is held to what policy says.
    const held = policy.flush();
    if (held !== undefined) onDelta(held.delta);
    if (!policy.isFilling()) for (const key of heldBack) dirty.add(key);
    onChange({ pods: placeDirty(), policySince: held?.since });
  };
  const settle = (): void => {
    cancel();
    flush();
  };
  const gather = (): void => {
    if (timer !== undefined) return;
    const wait = flushedAt + gatherMs - performance.now();
    timer = wait > 0 ? setTimeout(flush, wait) : setImmediate(flush);
  };

  /** Watches a kind and keeps its model. What is wrong with an object the controller tells, once for all nodes. */
  const watch = <Raw extends KubeObject, M extends object>(
    type: ResourceType,
    read: (object: Raw) => Read<M>,
    set: (key: string, model: M | undefined) => void,
  ): Informer<M> => {
    const informer = startInformer<Raw, M>(client, type, {
      log,
      equal: (a, b) => JSON.stringify(a) === JSON.stringify(b),
      transform: (object) => {
        const { value, problems } = read(object);
        for (const problem of problems) logProblem(log, problem);
        return value;
      },
    });
    informer.onChange((change) => {
      set(change.key, change.new);
      gather();
    });
    return informer;
  };

  let ownNode: NodeModel | undefined;
  const setPlace = (): void => {
    const addresses = ownNode?.addresses ?? [];
    const nodePortAddresses = options.nodePortAddresses(addresses);
    const { externalIPs } = options;
    services.setPlace({ node, zone: ownNode?.zone, addresses, nodePortAddresses, externalIPs });
    policy.setLocalAddresses(options.localAddresses());
  };
  const looking = setInterval(() => {
    setPlace();
    gather();
  }, lookAtAddressesMs);

  const found = <M>(value: M): Read<M> => ({ value, problems: [] });
  const nodes = watch<Node, NodeModel>(nodeType, readNode, (name, model) => {
    topology.setNode(name, model);
    bgp.setNode(name, model);
    balancers.setNode(name, model);
    policy.setNode(name, model);
    if (name !== node) return;
    // A Node that was deleted keeps its addresses, and its node ports: packets go on.
    ownNode = model ?? ownNode;
    setPlace();
  });
  const subnets = watch<Subnet, SubnetModel>(subnetKind, readSubnet, (name, subnet) => {
    topology.setSubnet(name, subnet);
    placeAgain(() => true);
  });
  const pools = watch<IPPool, PoolModel>(ipPoolKind, readIPPool, (name, pool) => {
    topology.setPool(name, pool);
    placeAgain(() => true);
  });
  const claims = watch<BlockClaim, BlockClaimModel>(blockClaimKind, readBlockClaim, (name, claim) => {
    topology.setClaim(name, claim);
    policy.setClaim(name, claim);
  });
  const namespaces = watch<Namespace, NamespaceModel>(
    namespaceType,
    (object) => found(readNamespace(object)),
    (name, namespace) => {
      topology.setNamespace(name, namespace);
      policy.setNamespace(name, namespace);
      placeAgain((pod) => pod.namespace === name);
    },
  );
  const serviceCache = watch<KubeObject, BothServices>(
    serviceType,
    (object) => readBoth(object, options.loadBalancers),
    (key, both) => {
      services.setService(key, both?.service);
      balancers.setService(key, both?.balancer);
      bgp.setBalancer(key, both?.balancer);
    },
  );
  const slices = watch<KubeObject, EndpointSliceModel>(endpointSliceType, readEndpointSlice, (key, slice) => {
    services.setSlice(key, slice);
    balancers.setSlice(key, slice);
    bgp.setSlice(key, slice);
  });
  const pods = startOwnPods(client, node, log);
  pods.onChange(({ key, new: pod }) => {
    dirty.add(key);
    qos.setPod(key, pod);
    policy.setPod(key, pod);
    gather();
  });
  const policies = watch<QoSPolicy, QoSPolicyModel>(qosPolicyKind, readQoSPolicy, qos.setPolicy);
  const all: readonly Informer<object>[] = [
    nodes,
    subnets,
    pools,
    claims,
    namespaces,
    serviceCache,
    slices,
    pods,
    policies,
  ];

  return {
    synced: Promise.all([
      ...all.map((informer) => informer.synced),
      bgp.synced,
      balancers.synced,
      policy.synced,
    ])
      .then(() => policy.filled())
      .then(() => {
        isSynced = true;
        settle();
      }),
    isSynced: () => isSynced,
    self: () => own,
    subnets() {
      const { subnets: served, pools: kept } = topology.served();
      return served.list.map((subnet) => withoutPools(subnet, kept));
    },
    served: () => topology.served(),
    claims: () => claims.list(),
    servicesAt: (address) => balancers.servicesAt(address),
    bgp,
    nodeCount: () => nodes.list().length,
    pods,
    policies: policy,
    needed() {
      const used = new Set<string>();
      for (const { pod, placed } of local.values()) {
        if (!isIdle(pod) && 'placement' in placed && placed.placement.fromBlocks)
          used.add(placed.placement.subnet);
      }
      return used;
    },
    placed: () => local.values(),
    settle,
    stop() {
      cancel();
      clearInterval(looking);
      for (const informer of all) informer.stop();
      for (const each of [bgp, balancers, policy]) each.stop();
    },
  };
}
