/** The Node object of a lab node; pure. */
import type { LabNode, Taint } from '../objects/node.ts';
import type { PodCondition } from '../objects/pod.ts';

export type NodeFacts = {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly architecture: string;
  readonly kernel: string;
  readonly osImage: string;
  readonly bootID: string;
  readonly machineID: string;
  /** Undefined: the network takes pods; else why not. */
  readonly networkProblem: string | undefined;
  readonly now: string;
};

/** As written on registration. The taint keeps pods away until the node was seen to be ready. */
export function newNode(facts: NodeFacts): LabNode {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: facts.name, labels: nodeLabels(facts) },
    spec: facts.networkProblem === undefined ? {} : { taints: [notReadyTaint('NoSchedule')] },
    status: nodeStatus(facts, undefined),
  };
}

export function nodeLabels(
  facts: Pick<NodeFacts, 'name' | 'architecture' | 'labels'>,
): Record<string, string> {
  return {
    'kubernetes.io/hostname': facts.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': facts.architecture,
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': facts.architecture,
    ...facts.labels,
  };
}

export function notReadyTaint(effect: Taint['effect']): Taint {
  return { key: 'node.kubernetes.io/not-ready', effect };
}

/** Times of conditions that didn't change are kept, heartbeats only where something else changed. */
export function nodeStatus(facts: NodeFacts, before: LabNode['status']): NonNullable<LabNode['status']> {
  const resources = {
    cpu: String(facts.cpus),
    memory: `${Math.floor(facts.memoryBytes / 1024)}Ki`,
    'ephemeral-storage': `${Math.floor(facts.diskBytes / 1024)}Ki`,
    pods: '250',
  };
  const conditions = nodeConditions(facts).map((condition) => {
    const old = (before?.conditions ?? []).find(({ type }) => type === condition.type);
    const same = old !== undefined && old.status === condition.status;
    return {
      ...condition,
      lastHeartbeatTime:
        same && old.message === condition.message ? (old.lastHeartbeatTime ?? facts.now) : facts.now,
      lastTransitionTime: same ? (old.lastTransitionTime ?? facts.now) : facts.now,
    };
  });
  const names = new Set(conditions.map(({ type }) => type));
  return {
    addresses: [
      ...facts.addresses.map((address) => ({ type: 'InternalIP', address })),
      { type: 'Hostname', address: facts.name },
    ],
    capacity: resources,
    allocatable: resources,
    conditions: [...conditions, ...(before?.conditions ?? []).filter(({ type }) => !names.has(type))],
    nodeInfo: {
      architecture: facts.architecture,
      operatingSystem: 'linux',
      kernelVersion: facts.kernel,
      osImage: facts.osImage,
      containerRuntimeVersion: 'crun://1',
      kubeletVersion: 'v1.32.3-netloom-lab',
      kubeProxyVersion: '',
      bootID: facts.bootID,
      machineID: facts.machineID,
      systemUUID: facts.machineID,
    },
  };
}

function nodeConditions({ networkProblem }: NodeFacts): readonly PodCondition[] {
  const fine = (type: string, reason: string, message: string): PodCondition => ({
    type,
    status: 'False',
    reason,
    message,
  });
  return [
    fine('MemoryPressure', 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    fine('DiskPressure', 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    fine('PIDPressure', 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    networkProblem === undefined
      ? { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' }
      : {
          type: 'Ready',
          status: 'False',
          reason: 'KubeletNotReady',
          message: `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:${networkProblem}`,
        },
  ];
}
