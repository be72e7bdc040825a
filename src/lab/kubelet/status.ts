/** A pod's status from what its containers did; pure. */
import type { Container } from '../objects/container.ts';
import type {
  ContainerState,
  ContainerStatus,
  Pod,
  PodCondition,
  PodPhase,
  PodStatus,
} from '../objects/pod.ts';

/** What is known of one container of a pod. Times are RFC 3339. */
export type ContainerRecord = {
  readonly name: string;
  /** Starts so far, less one. */
  readonly attempt: number;
  readonly containerID?: string;
  readonly startedAt?: string;
  readonly exit?: {
    readonly code: number;
    readonly finishedAt: string;
    readonly reason: string;
    readonly message?: string;
  };
  /** Why it does not run, when it should. */
  readonly waiting?: { readonly reason: string; readonly message?: string };
  readonly lastExit?: ContainerState['terminated'];
  /** Readiness probe passed, or there is none. */
  readonly ready: boolean;
  /** Startup probe passed, or there is none. */
  readonly started: boolean;
};

export type PodObservation = {
  readonly containers: Readonly<Record<string, ContainerRecord>>;
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  readonly startTime: string;
  readonly sandboxReady: boolean;
  /** Set once the kubelet gave the pod up: it stays Failed. */
  readonly failed?: { readonly reason: string; readonly message: string };
  readonly terminating: boolean;
  readonly now: string;
};

/** The whole status that the kubelet owns. Conditions of others in the old status are kept, and so are unchanged times. */
export function podStatus(pod: Pod, seen: PodObservation): PodStatus {
  const before = pod.status?.conditions ?? [];
  const inits = (pod.spec.initContainers ?? []).map((container) => containerStatus(container, seen, true));
  const mains = pod.spec.containers.map((container) => containerStatus(container, seen, false));
  const phase = podPhase(pod, seen);
  const own = conditions(pod, seen, phase, inits, mains).map((condition) =>
    timed(condition, before, seen.now),
  );
  const names = new Set(own.map(({ type }) => type));
  return {
    phase,
    ...(seen.failed === undefined ? {} : seen.failed),
    conditions: [...own, ...before.filter(({ type }) => !names.has(type))],
    containerStatuses: mains,
    ...(inits.length === 0 ? {} : { initContainerStatuses: inits }),
    ...(seen.podIPs[0] === undefined
      ? {}
      : { podIP: seen.podIPs[0], podIPs: seen.podIPs.map((ip) => ({ ip })) }),
    ...(seen.hostIPs[0] === undefined
      ? {}
      : { hostIP: seen.hostIPs[0], hostIPs: seen.hostIPs.map((ip) => ({ ip })) }),
    startTime: seen.startTime,
    qosClass: qosClass(pod),
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
  };
}

/** An init container with `restartPolicy: Always` runs beside the containers. */
export function isSidecar(container: Container): boolean {
  return container.restartPolicy === 'Always';
}

/** Whether an ended container is started again. */
export function restarts(pod: Pod, container: Container, exitCode: number): boolean {
  const { restartPolicy = 'Always' } = pod.spec;
  if (isSidecar(container)) return true;
  const isInit = (pod.spec.initContainers ?? []).some(({ name }) => name === container.name);
  if (isInit) return exitCode !== 0 && restartPolicy !== 'Never';
  return restartPolicy === 'Always' || (restartPolicy === 'OnFailure' && exitCode !== 0);
}

/** Whether every init container has done its part: ended well, or, beside the others, started. */
export function initialized(pod: Pod, containers: PodObservation['containers']): boolean {
  return (pod.spec.initContainers ?? []).every((container) => {
    const record = containers[container.name];
    return isSidecar(container)
      ? record?.startedAt !== undefined && record.exit === undefined && record.started
      : record?.exit?.code === 0 && record.exit.reason === 'Completed';
  });
}

export function podPhase(pod: Pod, seen: PodObservation): PodPhase {
  if (seen.failed !== undefined) return 'Failed';
  const { restartPolicy = 'Always' } = pod.spec;
  const broken = (pod.spec.initContainers ?? []).some((container) => {
    const exit = seen.containers[container.name]?.exit;
    return exit !== undefined && exit.code !== 0 && !restarts(pod, container, exit.code);
  });
  if (broken) return 'Failed';
  const records = pod.spec.containers.map(({ name }) => seen.containers[name]);
  const begun = records.filter((record) => record?.startedAt !== undefined || record?.lastExit !== undefined);
  if (!initialized(pod, seen.containers) && begun.length === 0) return 'Pending';
  if (begun.length < records.length) return 'Pending';
  const exits = records.map((record) => record?.exit);
  const ended = exits.every((exit) => exit !== undefined);
  if (!ended) return 'Running';
  const good = exits.every((exit) => exit?.code === 0);
  // A pod that is being deleted starts nothing again.
  if (seen.terminating) return good ? 'Succeeded' : 'Failed';
  if (restartPolicy === 'Always') return 'Running';
  if (good) return 'Succeeded';
  return restartPolicy === 'Never' ? 'Failed' : 'Running';
}

/** Guaranteed, Burstable or BestEffort, by cpu and memory of all containers. */
export function qosClass(pod: Pod): string {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const resources = ['cpu', 'memory'] as const;
  const has = (container: Container, list: 'requests' | 'limits', name: string): boolean =>
    container.resources?.[list]?.[name] !== undefined;
  const any = all.some((container) =>
    resources.some((name) => has(container, 'requests', name) || has(container, 'limits', name)),
  );
  if (!any) return 'BestEffort';
  const guaranteed = all.every((container) =>
    resources.every((name) => {
      const limit = container.resources?.limits?.[name];
      const request = container.resources?.requests?.[name] ?? limit;
      return limit !== undefined && String(limit) === String(request);
    }),
  );
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

function containerStatus(container: Container, seen: PodObservation, isInit: boolean): ContainerStatus {
  const record = seen.containers[container.name];
  const image = container.image ?? '';
  const running = record?.startedAt !== undefined && record.exit === undefined;
  // A finished init container counts as ready; a finished container does not.
  const done = isInit && !isSidecar(container) && record?.exit?.code === 0;
  return {
    name: container.name,
    state: containerState(record),
    lastState: record?.lastExit === undefined ? {} : { terminated: record.lastExit },
    ready: running ? record.ready : done,
    started: running && record.started,
    restartCount: record?.attempt ?? 0,
    image,
    imageID: record?.containerID === undefined ? '' : image,
    ...(record?.containerID === undefined ? {} : { containerID: `crun://${record.containerID}` }),
  };
}

export function containerState(record: ContainerRecord | undefined): ContainerState {
  if (record === undefined) return { waiting: { reason: 'PodInitializing' } };
  if (record.waiting !== undefined) return { waiting: record.waiting };
  if (record.exit !== undefined) return { terminated: terminatedState(record) };
  if (record.startedAt !== undefined) return { running: { startedAt: record.startedAt } };
  return { waiting: { reason: 'ContainerCreating' } };
}

/** State of a container that has ended. */
export function terminatedState(record: ContainerRecord): NonNullable<ContainerState['terminated']> {
  const { code, finishedAt, reason, message } = record.exit ?? {
    code: 137,
    finishedAt: '',
    reason: 'Unknown',
  };
  return {
    exitCode: code,
    reason,
    ...(message === undefined ? {} : { message }),
    ...(record.startedAt === undefined ? {} : { startedAt: record.startedAt }),
    finishedAt,
    ...(record.containerID === undefined ? {} : { containerID: `crun://${record.containerID}` }),
  };
}

function conditions(
  pod: Pod,
  seen: PodObservation,
  phase: PodPhase,
  inits: readonly ContainerStatus[],
  mains: readonly ContainerStatus[],
): readonly PodCondition[] {
  const over = phase === 'Succeeded' || phase === 'Failed';
  const initsDone = initialized(pod, seen.containers) || (over && phase === 'Succeeded');
  const unready = mains.filter(({ ready }) => !ready).map(({ name }) => name);
  const notReady: Pick<PodCondition, 'reason' | 'message'> | undefined =
    phase === 'Succeeded'
      ? { reason: 'PodCompleted' }
      : phase === 'Failed'
        ? { reason: 'PodFailed' }
        : unready.length > 0
          ? {
              reason: 'ContainersNotReady',
              message: `containers with unready status: [${unready.join(' ')}]`,
            }
          : undefined;
  const gates = (pod.spec.readinessGates ?? []).filter(
    ({ conditionType }) =>
      !(pod.status?.conditions ?? []).some(({ type, status }) => type === conditionType && status === 'True'),
  );
  const gated: Pick<PodCondition, 'reason' | 'message'> | undefined =
    notReady ??
    (gates.length === 0
      ? undefined
      : {
          reason: 'ReadinessGatesNotReady',
          message: gates
            .map(({ conditionType }) => `readiness gate "${conditionType}" is not "True"`)
            .join(', '),
        });
  const pending = inits.filter(
    ({ state }) => state.terminated?.exitCode !== 0 && state.running === undefined,
  );
  return [
    judged('PodReadyToStartContainers', seen.sandboxReady && !over),
    judged('Initialized', initsDone, {
      reason: 'ContainersNotInitialized',
      message: `containers with incomplete status: [${pending.map(({ name }) => name).join(' ')}]`,
    }),
    judged('Ready', gated === undefined, gated),
    judged('ContainersReady', notReady === undefined, notReady),
    judged('PodScheduled', true),
  ];
}

function judged(
  type: string,
  good: boolean,
  why: Pick<PodCondition, 'reason' | 'message'> = {},
): PodCondition {
  return good ? { type, status: 'True' } : { type, status: 'False', ...why };
}

function timed(condition: PodCondition, before: readonly PodCondition[], now: string): PodCondition {
  const old = before.find(({ type }) => type === condition.type);
  const since = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now;
  return { ...condition, lastTransitionTime: since };
}
