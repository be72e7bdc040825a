/** What this node must hold of policy: policies of all kinds, and whom they speak of → compiler → changes. */

import { isDeepStrictEqual } from 'node:util';
import type { KubeObject, ResourceType } from '#api/object.ts';
import {
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  clusterNetworkPolicyType,
  networkPolicyType,
} from '#api/policies.ts';
import { createPolicyCompiler } from '#compile/policy/incremental.ts';
import { isPolicyPod } from '#compile/policy/order.ts';
import type { EndpointStatus, NamesAnswer } from '#intent/handover.ts';
import { formatOrigin } from '#intent/origin.ts';
import type { Client } from '#kube/client.ts';
import { type Informer, startInformer } from '#kube/informer.ts';
import { readAdminNetworkPolicy, readBaselineAdminNetworkPolicy } from '#model/adminnetworkpolicy.ts';
import { inAudit } from '#model/audit.ts';
import type { BlockClaimModel } from '#model/blockclaim.ts';
import { readClusterNetworkPolicy } from '#model/clusternetworkpolicy.ts';
import type { NamespaceModel } from '#model/namespace.ts';
import { readNetworkPolicy } from '#model/networkpolicy.ts';
import type { NodeModel } from '#model/node.ts';
import { isIdle, type PodModel, runtimeUID } from '#model/pod.ts';
import type { PolicyModel } from '#model/policy.ts';
import { namespacePosture } from '#model/posture.ts';
import type { Problem, Read } from '#model/problem.ts';
import type { Log } from '#telemetry/log.ts';
import type { Delta } from './handover.ts';
import type { Versions } from './in-force.ts';
import { createLearntNames } from './learnt-names.ts';
import { createLeavingPods } from './leaving-pods.ts';
import { createNodeTunnels } from './node-tunnels.ts';
import { followPolicyPods } from './policy-pods.ts';

/**
 * Order is safety here. A pod's ADD waits for its entry in the domain `pods`, so that must come last: `flush` before the pods are told.
 *
 * - Of a pod of this node compiler and `pods` hear by one watch, in one turn: whoever is told of in `pods` has its subjects by then.
 * - Its namespace may come by a later event than the pod. Until it is known, labels, audit and posture with it, the pod is refused
 *   (`feed.ts`), so its ADD waits.
 * - A policy may come by a later event than a pod that was made after it: the API promises no order between kinds. Such a pod is what
 *   a running pod is to a new policy: connections that the policy forbids are cut when it comes, a moment later. Who must be sure waits
 *   for the policy's InForce (or for its version in the node's lease) before making the pod.
 * - A pod that is deleted by force runs on for a moment after the API has forgotten it: its subjects stay until it is unplugged.
 * - A pod of another node that is not heard of yet is `unknownPod`, which gets the strictest answer: late news opens nothing.
 * - The first policy of the cluster finds no pod of other nodes known. As long as that watch fills, everybody would be such an unknown
 *   pod, and connections that are allowed would be cut. So nothing of policy is handed over until then, and pods of this node that are
 *   new wait (`isFilling`). That is safe: policy comes late as a whole, as if it had been written later, and no pod starts in that time
 *   that it would not hold. It is bounded by one list of pods; if the server can't give it, pods wait with that reason.
 */
export type PolicyFeed = {
  /** Policies of all kinds are known. */
  readonly synced: Promise<void>;
  /** Whether pods that this node's datapath has not been told of must wait. */
  isFilling(): boolean;
  /** Resolves when nothing is filling; for the start, when policies and namespaces are known. */
  filled(): Promise<void>;
  setNode(name: string, node: NodeModel | undefined): void;
  setClaim(name: string, claim: BlockClaimModel | undefined): void;
  /** Of this machine, on whatever device. */
  setLocalAddresses(addresses: readonly string[]): void;
  /** Which prefixes pods have addresses in. */
  setSubnet(name: string, cidrs: readonly string[] | undefined): void;
  setNamespace(name: string, namespace: NamespaceModel | undefined): void;
  /** A pod of this node. One that is gone is still held to its policies as long as the datapath has it wired. */
  setPod(key: string, pod: PodModel | undefined): void;
  /** For `Handover.onStatus`. */
  setStatus(): void;
  /** What the datapath learnt of names since the last time, or as a whole. */
  setNames(answer: NamesAnswer): void;
  /**
   * What changed since the last flush, and when the oldest of it was heard of (performance.now()); undefined when nothing did, and as
   * long as policy is held back.
   */
  flush(): { readonly delta: Delta; readonly since: number } | undefined;
  /** How far the watches are; undefined while something of that is not flushed. */
  position(): Versions | undefined;
  /** Why this node is stricter than policy asks for, if it is. */
  problems(): readonly Problem[];
  /** Policies by kind. */
  counts(): ReadonlyMap<string, number>;
  /** How many pods of other nodes it knows. */
  peers(): number;
  /** `namespace/name` of the pod that has this address; looks through all of them. */
  podAt(address: string): string | undefined;
  stop(): void;
};

/** `endpoints` asks the datapath what is wired. `onChange` is told when there may be something to flush. */
export function startPolicyFeed(
  client: Client,
  node: string,
  log: Log,
  endpoints: () => Promise<readonly EndpointStatus[]>,
  onChange: () => void,
): PolicyFeed {
  const compiler = createPolicyCompiler(node);
  const tunnels = createNodeTunnels(compiler.setTunnelAddresses);
  const namespaces = new Map<string, NamespaceModel>();
  /** As they were read, by key. */
  const policies = new Map<string, PolicyModel>();
  const ofNamespace = new Map<string, Set<string>>();
  const postures = new Map<string, readonly string[]>();
  const own = new Map<string, PodModel>();
  const others = new Map<string, PodModel>();
  /** Pods whose namespace is not known yet, by its name: who they are can't be said, so they stay strangers. */
  const homeless = new Map<string, Set<string>>();
  /** Since when something isn't flushed. */
  let since: number | undefined;
  let isSynced = false;

  const changed = (): void => {
    since ??= performance.now();
    onChange();
  };
  const tellPod = (key: string): void => {
    const pod = own.get(key) ?? others.get(key);
    const isKnown = pod !== undefined && namespaces.has(pod.namespace);
    if (pod !== undefined && !isKnown)
      homeless.set(pod.namespace, (homeless.get(pod.namespace) ?? new Set()).add(key));
    compiler.setPod(key, isKnown ? pod : undefined);
    changed();
  };
  const leaving = createLeavingPods(endpoints, (key) => {
    own.delete(key);
    tellPod(key);
  });
  const pods = followPolicyPods(
    client,
    node,
    log,
    (key, pod) => {
      store(others, key, pod);
      tellPod(key);
    },
    onChange,
  );

  const learnt = createLearntNames(compiler.setName);
  const tellPolicy = (key: string): void => {
    const policy = policies.get(key);
    const space = namespaces.get(policy?.origin.namespace ?? '');
    compiler.setPolicy(key, policy && { ...policy, audit: inAudit(policy, space) });
  };
  const setPolicy = (key: string, policy: PolicyModel | undefined): void => {
    const namespace = (policy ?? policies.get(key))?.origin.namespace;
    if (namespace !== undefined) {
      const keys = ofNamespace.get(namespace) ?? new Set();
      if (policy === undefined) keys.delete(key);
      else keys.add(key);
      if (keys.size === 0) ofNamespace.delete(namespace);
      else ofNamespace.set(namespace, keys);
    }
    store(policies, key, policy);
    tellPolicy(key);
    pods.need(policies.size > 0);
    changed();
  };
  const watch = <Raw extends KubeObject>(
    type: ResourceType,
    read: (object: Raw) => Read<PolicyModel>,
  ): Informer<PolicyModel> => {
    const informer = startInformer<Raw, PolicyModel>(client, type, {
      log,
      // Their CRDs are the user's to install.
      mayBeAbsent: true,
      // Status of a policy is written to the very object that is watched.
      equal: isDeepStrictEqual,
      transform: (object) => logged(read(object)),
    });
    informer.onChange(({ old, new: policy }) => {
      const { key } = (policy ?? old) as PolicyModel;
      setPolicy(key, policy);
    });
    return informer;
  };
  const logged = <M>({ value, problems }: Read<M>): M | undefined => {
    for (const problem of problems) logProblem(log, problem);
    return value;
  };

  const kinds = new Map<string, Informer<PolicyModel>>([
    [networkPolicyType.kind, watch(networkPolicyType, readNetworkPolicy)],
    [adminNetworkPolicyType.kind, watch(adminNetworkPolicyType, readAdminNetworkPolicy)],
    [
      baselineAdminNetworkPolicyType.kind,
      watch(baselineAdminNetworkPolicyType, readBaselineAdminNetworkPolicy),
    ],
    [clusterNetworkPolicyType.kind, watch(clusterNetworkPolicyType, readClusterNetworkPolicy)],
  ]);
  let told = '';
  let locals = '';
  const tellProblems = (): void => {
    const text = JSON.stringify(compiler.problems());
    if (text === told) return;
    told = text;
    for (const { field, code, message } of compiler.problems()) log.error(message, { field, reason: code });
  };
  const isHeld = (): boolean => !isSynced || pods.isFilling();

  return {
    synced: Promise.all([...kinds.values()].map((informer) => informer.synced)).then(() => {
      isSynced = true;
    }),
    isFilling: () => pods.isFilling(),
    filled: () => pods.filled(),
    setNode(name, model) {
      compiler.setNode(name, model);
      tunnels.setNode(name, model);
      changed();
    },
    setClaim(name, claim) {
      tunnels.setClaim(name, claim);
      changed();
    },
    setLocalAddresses(addresses) {
      if (addresses.join() === locals) return;
      locals = addresses.join();
      compiler.setLocalAddresses(node, addresses);
      changed();
    },
    setSubnet(name, cidrs) {
      compiler.setPodPrefixes(name, cidrs);
      changed();
    },
    setNamespace(name, namespace) {
      store(namespaces, name, namespace);
      compiler.setNamespace(name, namespace);
      for (const key of ofNamespace.get(name) ?? []) tellPolicy(key);
      const posture = namespace === undefined ? [] : (logged(namespacePosture(namespace)) ?? []);
      const keys = posture.map(({ key }) => key);
      for (const key of postures.get(name) ?? []) if (!keys.includes(key)) setPolicy(key, undefined);
      for (const policy of posture) setPolicy(policy.key, policy);
      store(postures, name, keys.length === 0 ? undefined : keys);
      const found = namespace === undefined ? undefined : homeless.get(name);
      homeless.delete(name);
      for (const key of found ?? []) tellPod(key);
      changed();
    },
    setPod(key, pod) {
      const before = own.get(key);
      if (pod === undefined && before !== undefined && !isIdle(before)) {
        leaving.leave(key, runtimeUID(before));
        return;
      }
      leaving.returned(key);
      store(own, key, pod);
      tellPod(key);
    },
    setStatus: leaving.look,
    setNames(answer) {
      if (learnt.take(answer)) changed();
    },
    flush() {
      if (isHeld()) return undefined;
      const compiled = compiler.flush() as Delta | undefined;
      const names = learnt.flush();
      // In one message: the datapath takes the one as a sign of the other.
      const delta =
        names === undefined
          ? compiled
          : { put: { ...compiled?.put, policyNames: { [node]: names } }, remove: compiled?.remove ?? {} };
      tellProblems();
      const oldest = since ?? performance.now();
      since = undefined;
      return delta === undefined ? undefined : { delta, since: oldest };
    },
    position() {
      if (isHeld() || since !== undefined) return undefined;
      const versions = [...kinds].flatMap(([kind, informer]) => {
        const position = informer.position();
        return position === undefined ? [] : [[kind, position] as const];
      });
      return new Map(versions);
    },
    problems: compiler.problems,
    counts: () => new Map([...kinds].map(([kind, informer]) => [kind, informer.list().length])),
    peers: () => others.size,
    podAt(address) {
      for (const pods of [own, others])
        for (const [key, pod] of pods) if (isPolicyPod(pod) && pod.addresses.includes(address)) return key;
      return undefined;
    },
    stop() {
      for (const informer of kinds.values()) informer.stop();
      pods.stop();
    },
  };
}

export function logProblem(log: Log, { object, field, code, message }: Problem): void {
  log.debug(message, { object: formatOrigin(object), field, reason: code });
}

function store<T>(map: Map<string, T>, key: string, value: T | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
