/** One node's kubelet: its Node object, its network and its pods. */

import { readFileSync, statfsSync, watch } from 'node:fs';
import { arch, availableParallelism, release, totalmem } from 'node:os';
import { isDeepStrictEqual } from 'node:util';
import { nodeType } from '#api/core.ts';
import { isAlreadyExists, isNotFound } from '#kube/client.ts';
import { timestamp } from '#kube/conditions.ts';
import { createRecorder } from '#kube/events.ts';
import { holdLease } from '#kube/lease.ts';
import type { LabNode as NodeConfig } from '../config.ts';
import type { LabNode } from '../objects/node.ts';
import type { Pod } from '../objects/pod.ts';
import { collectGarbage } from './cni.ts';
import type { Kubelet, NodeContext } from './context.ts';
import { eventsDirectory } from './layout.ts';
import { watchNetwork } from './network.ts';
import { openNode } from './nodehost.ts';
import { type NodeFacts, newNode, nodeLabels, nodeStatus } from './nodestatus.ts';
import { loadStates } from './podstate.ts';
import { type PodWorker, startPodWorker } from './podworker.ts';
import { pluginCall } from './sandbox.ts';

export type NodeAgent = {
  readonly config: NodeConfig;
  /** Pods of this node, as they are now; each is told once. */
  podChanged(pod: Pod): void;
  podGone(uid: string): void;
  /** The Node object as it is now: another may have called it lost. */
  nodeChanged(node: LabNode): void;
  /** An object that pods may name changed. */
  namedChanged(namespace: string): void;
  worker(namespace: string, name: string): PodWorker | undefined;
  context: NodeContext;
  /** Lets go; pods run on. */
  stop(): Promise<void>;
};

export type NodeAgentOptions = { readonly leaseSeconds?: number };

/** `known` are the pods that the server has now, so that what the disk remembers beyond them is taken away. */
export async function startNodeAgent(
  kubelet: Kubelet,
  config: NodeConfig,
  options: NodeAgentOptions = {},
): Promise<NodeAgent> {
  const host = openNode(config);
  const log = kubelet.log.child({ node: config.name });
  const recorder = createRecorder(kubelet.client, { controller: 'kubelet', instance: config.name, log });
  const workers = new Map<string, PodWorker>();
  /** Nothing of them is left here, whatever the server still says. */
  const ended = new Set<string>();
  let stopped = false;

  // So that a mount in a container with Bidirectional propagation is seen by the node and by other containers.
  await host.run(['mount', '--make-rshared', '/']);
  const network = watchNetwork(host, log, () => {
    for (const worker of workers.values()) worker.wake();
    void publish();
    void garbage();
  });
  const context: NodeContext = { kubelet, host, recorder, network: network.state };

  const facts = (): NodeFacts => {
    const disk = statfsSync(host.disk('.'));
    const { list, reason } = network.state();
    return {
      name: config.name,
      addresses: config.addresses,
      labels: config.labels ?? {},
      cpus: availableParallelism(),
      memoryBytes: totalmem(),
      diskBytes: disk.blocks * disk.bsize,
      architecture: arch() === 'x64' ? 'amd64' : arch(),
      kernel: release(),
      osImage: osImage(host.file('/usr/lib/os-release')),
      bootID: host.boot,
      machineID: config.name,
      networkProblem: list === undefined ? reason : undefined,
      now: timestamp(new Date()),
    };
  };
  /** A kubelet registers when it starts; a Node that is deleted later stays deleted. */
  let registered = false;
  let publishing: Promise<void> | undefined;
  let republish = false;
  const publish = (): Promise<void> => {
    republish = true;
    publishing ??= (async () => {
      while (republish && !stopped) {
        republish = false;
        try {
          await register();
        } catch (error) {
          log.warn('the node could not be written', { error });
          republish = true;
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      }
      publishing = undefined;
    })();
    return publishing;
  };
  const register = async (): Promise<void> => {
    const current = facts();
    let node: LabNode;
    try {
      node = await kubelet.client.get<LabNode>(nodeType, config.name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      if (registered) return;
      try {
        await kubelet.client.create(nodeType, newNode(current));
        registered = true;
        return;
      } catch (conflict) {
        if (!isAlreadyExists(conflict)) throw conflict;
        republish = true;
        return;
      }
    }
    registered = true;
    const labels = nodeLabels(current);
    const missing = Object.entries(labels).some(([key, value]) => node.metadata.labels?.[key] !== value);
    if (missing) {
      const body = { metadata: { labels } };
      await kubelet.client.patch(nodeType, { name: config.name }, { kind: 'merge', body });
    }
    const status = nodeStatus(current, node.status);
    if (isDeepStrictEqual({ ...node.status, ...status }, node.status)) return;
    const target = { name: config.name, subresource: 'status' };
    await kubelet.client.patch(nodeType, target, { kind: 'merge', body: { status } });
  };
  /** What no running pod's sandbox claims is an attachment of the past. */
  const garbage = async (): Promise<void> => {
    const { list } = network.state();
    if (list === undefined) return;
    const valid = loadStates(host).flatMap(({ sandbox }) =>
      sandbox?.network === undefined
        ? []
        : [{ containerID: sandbox.id, ifname: sandbox.network.attachment.interfaceName }],
    );
    try {
      await collectGarbage(list, valid, pluginCall(host));
    } catch (error) {
      log.warn('the network could not collect its garbage', { error });
    }
  };

  const start = (pod: Pod, state?: Parameters<typeof startPodWorker>[2]): PodWorker => {
    const uid = pod.metadata.uid ?? '';
    const worker = startPodWorker(context, pod, state, () => {
      workers.delete(uid);
      ended.add(uid);
    });
    workers.set(uid, worker);
    return worker;
  };
  const byEvents = watch(host.disk(eventsDirectory), (_, name) => {
    const id = name?.split('.')[0];
    if (id === undefined || id === '') return;
    for (const worker of workers.values()) if (worker.owns(id)) worker.wake();
  });

  await network.looked;
  await publish();
  const lease = holdLease(kubelet.client, {
    name: config.name,
    namespace: 'kube-node-lease',
    identity: config.name,
    leaseSeconds: options.leaseSeconds ?? 40,
    log,
  });

  // What an earlier kubelet process left: the pods that still exist go on, the others are ended.
  const existing = new Map(kubelet.pods.byIndex('node', config.name).map((pod) => [pod.metadata.uid, pod]));
  for (const state of loadStates(host)) {
    const pod = existing.get(state.pod.metadata.uid);
    const worker = start(pod ?? state.pod, state);
    if (pod === undefined) worker.update(undefined);
  }

  return {
    config,
    context,
    podChanged(pod) {
      const uid = pod.metadata.uid ?? '';
      const worker = workers.get(uid);
      if (worker !== undefined) return worker.update(pod);
      if (ended.has(uid)) return;
      const phase = pod.status?.phase;
      const over = phase === 'Succeeded' || phase === 'Failed';
      // What ended before and is not on this disk leaves nothing to do but to let the object go.
      if (!over || pod.metadata.deletionTimestamp !== undefined) start(pod);
    },
    podGone(uid) {
      workers.get(uid)?.update(undefined);
      ended.delete(uid);
    },
    nodeChanged(node) {
      const said = node.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
      const meant = network.state().list === undefined ? 'False' : 'True';
      if (said !== meant) void publish();
    },
    namedChanged(namespace) {
      for (const worker of workers.values()) if (worker.pod().metadata.namespace === namespace) worker.wake();
    },
    worker(namespace, name) {
      const same = [...workers.values()].filter(
        (worker) => worker.pod().metadata.name === name && worker.pod().metadata.namespace === namespace,
      );
      // A StatefulSet's next pod may be there before its predecessor's end: the younger is meant.
      return same.at(-1);
    },
    async stop() {
      stopped = true;
      byEvents.close();
      network.stop();
      for (const worker of workers.values()) worker.release();
      await lease.stop();
      await recorder.stop();
      await publishing;
    },
  };
}

function osImage(file: string): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync(file, 'utf8'))?.[1] ?? 'Linux';
  } catch {
    return 'Linux';
  }
}
