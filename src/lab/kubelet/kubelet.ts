/** All kubelets of a lab in one process: shared caches, a node agent each, one socket for logs, exec and connections to pods. */
import { nodeType, podType, serviceType } from '#api/core.ts';
import type { Client } from '#kube/client.ts';
import { startInformer } from '#kube/informer.ts';
import type { Log } from '#telemetry/log.ts';
import type { ContainerAddress } from '../apiserver/kubelet.ts';
import type { KubeletConfig, LabNode } from '../config.ts';
import type { LabNode as NodeObject } from '../objects/node.ts';
import type { Pod } from '../objects/pod.ts';
import type { Service } from '../objects/service.ts';
import { type ConfigMap, configMapType, type Secret, secretType } from '../objects/volume.ts';
import type { Kubelet } from './context.ts';
import { connectFrom } from './dial.ts';
import { type NodeAgent, startNodeAgent } from './nodeagent.ts';
import type { PodContainer } from './podcontainer.ts';
import type { PodWorker } from './podworker.ts';
import { type Refusal, startKubeletServer } from './server.ts';
import { containerState } from './status.ts';

export type RunningKubelet = {
  /** Nodes came, went or were made anew. */
  setNodes(nodes: readonly LabNode[]): Promise<void>;
  /** Ends the process's work and leaves all pods running. */
  stop(): Promise<void>;
};

/** What a real server waits for a pod. */
const dialMs = 30_000;
/** Between two tries to serve a node. */
const retryMs = 1_000;

export async function startKubelet(client: Client, config: KubeletConfig, log: Log): Promise<RunningKubelet> {
  const pods = startInformer<Pod>(client, podType, {
    log,
    indexers: { node: ({ spec }) => (spec.nodeName === undefined ? [] : [spec.nodeName]) },
  });
  const configMaps = startInformer<ConfigMap>(client, configMapType, { log });
  const secrets = startInformer<Secret>(client, secretType, { log });
  const services = startInformer<Service>(client, serviceType, {
    log,
    indexers: { namespace: ({ metadata }) => [metadata.namespace ?? ''] },
  });
  const nodes = startInformer<NodeObject>(client, nodeType, { log });
  const kubelet: Kubelet = { config, client, log, pods, configMaps, secrets, services, nodes };
  const agents = new Map<string, NodeAgent>();
  const server = await startKubeletServer({
    socket: config.socket,
    logs: ({ container: address, options }) => {
      const found = find(agents, address);
      if ('message' in found) return found;
      const previous = options.previous === true;
      const reader = found.container.logs(previous);
      if (reader !== undefined) return reader;
      const message = previous
        ? `previous terminated container "${address.container}" in pod "${address.pod}" not found`
        : waitingMessage(address, found.container);
      return { code: 400, message };
    },
    exec: ({ container: address }) => {
      const found = find(agents, address);
      if ('message' in found) return found;
      const { host } = found.agent.context;
      const stored = found.container.stored();
      if (!found.container.isRunning() || stored === undefined) {
        return {
          code: 400,
          message: `container "${address.container}" in pod "${address.pod}" is not running`,
        };
      }
      return { host, podUID: found.worker.uid, containerID: stored.containerID };
    },
    dial: async ({ node, address, port }) => {
      const agent = agents.get(node);
      if (agent === undefined) throw new Error(`node "${node}" is not running`);
      return connectFrom(agent.context.host, address, port, dialMs);
    },
  });
  await Promise.all([pods.synced, configMaps.synced, secrets.synced, services.synced, nodes.synced]);

  const stopListening = pods.onChange(({ old, new: pod }) => {
    if (old !== undefined && pod === undefined) {
      return agents.get(old.spec.nodeName ?? '')?.podGone(old.metadata.uid ?? '');
    }
    if (pod?.spec.nodeName !== undefined) agents.get(pod.spec.nodeName)?.podChanged(pod);
  });
  for (const informer of [configMaps, secrets]) {
    informer.onChange(({ old, new: object }) => {
      const namespace = (object ?? old)?.metadata.namespace ?? '';
      for (const agent of agents.values()) agent.namedChanged(namespace);
    });
  }

  nodes.onChange(({ new: node }) => {
    if (node !== undefined) agents.get(node.metadata.name)?.nodeChanged(node);
  });

  const addNode = async (node: LabNode): Promise<void> => {
    try {
      const agent = await startNodeAgent(kubelet, node);
      agents.set(node.name, agent);
      for (const pod of pods.byIndex('node', node.name)) agent.podChanged(pod);
    } catch (error) {
      // The API server may be away just now.
      log.warn('a node can not be served yet', { node: node.name, error });
      retry ??= setTimeout(() => {
        retry = undefined;
        void inTurn(latest);
      }, retryMs);
    }
  };
  const dropNode = async (agent: NodeAgent): Promise<void> => {
    agents.delete(agent.config.name);
    await agent.stop();
  };
  const setNodes = async (nodes: readonly LabNode[]): Promise<void> => {
    const wanted = new Map(nodes.map((node) => [node.name, node]));
    const old = [...agents.values()].filter(({ config: { name, pid } }) => wanted.get(name)?.pid !== pid);
    await Promise.all(old.map(dropNode));
    await Promise.all(nodes.filter(({ name }) => !agents.has(name)).map(addNode));
  };
  // One change of the node list after the other.
  let turn: Promise<void> = Promise.resolve();
  let latest: readonly LabNode[] = [];
  let retry: NodeJS.Timeout | undefined;
  const inTurn = (nodes: readonly LabNode[]): Promise<void> => {
    latest = nodes;
    turn = turn.then(() => setNodes(nodes));
    return turn;
  };
  await inTurn(config.nodes);

  return {
    setNodes: inTurn,
    async stop() {
      stopListening();
      await turn;
      clearTimeout(retry);
      await server.close();
      await Promise.all([...agents.values()].map(dropNode));
      for (const informer of [pods, configMaps, secrets, services, nodes]) informer.stop();
    },
  };
}

function find(
  agents: ReadonlyMap<string, NodeAgent>,
  address: ContainerAddress,
): { readonly agent: NodeAgent; readonly worker: PodWorker; readonly container: PodContainer } | Refusal {
  const agent = agents.get(address.node);
  if (agent === undefined) return { code: 404, message: `node "${address.node}" is not running` };
  const worker = agent.worker(address.namespace, address.pod);
  if (worker === undefined) {
    return {
      code: 404,
      message: `pod "${address.pod}" is not known to the kubelet of node "${address.node}"`,
    };
  }
  const container = worker.container(address.container);
  if (container !== undefined) return { agent, worker, container };
  return { code: 404, message: `container "${address.container}" is not in pod "${address.pod}"` };
}

function waitingMessage({ container, pod }: ContainerAddress, found: PodContainer): string {
  const reason = containerState(found.record()).waiting?.reason ?? 'ContainerCreating';
  return `container "${container}" in pod "${pod}" is waiting to start: ${reason}`;
}
