/** The columns of pods: readiness, the one word that sums up their state, restarts. */
import type { Condition, KubeObject } from '#api/object.ts';
import { ageColumn, at, text, wide } from './column.ts';
import { age } from './duration.ts';
import type { PrinterColumn } from './types.ts';

type ContainerState = {
  readonly waiting?: { readonly reason?: string };
  readonly running?: object;
  readonly terminated?: {
    readonly reason?: string;
    readonly exitCode?: number;
    readonly signal?: number;
    readonly finishedAt?: string;
  };
};

type ContainerStatus = {
  readonly name: string;
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly started?: boolean;
  readonly state?: ContainerState;
  readonly lastState?: ContainerState;
};

type Container = { readonly name: string; readonly restartPolicy?: string };

type Pod = {
  readonly spec: {
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly nodeName?: string;
    readonly readinessGates?: readonly { readonly conditionType: string }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly reason?: string;
    readonly conditions?: readonly Condition[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
};

export const podColumns: readonly PrinterColumn[] = [
  text('Ready', readiness),
  text('Status', podState),
  text('Restarts', restarts),
  ageColumn,
  wide(
    text(
      'IP',
      (object) =>
        at<string>(object, '.status.podIPs[0].ip') ?? at<string>(object, '.status.podIP') ?? '<none>',
    ),
  ),
  wide(text('Node', (object) => at<string>(object, '.spec.nodeName') || '<none>')),
  wide(text('Nominated Node', (object) => at<string>(object, '.status.nominatedNodeName') || '<none>')),
  wide(text('Readiness Gates', readinessGates)),
];

/** Init containers that run beside the others count as containers. */
function isSidecar(pod: Pod, name: string): boolean {
  return (
    pod.spec.initContainers?.some((each) => each.name === name && each.restartPolicy === 'Always') === true
  );
}

function runningStatuses(pod: Pod): readonly ContainerStatus[] {
  const { containerStatuses = [], initContainerStatuses = [] } = pod.status ?? {};
  return [...initContainerStatuses.filter(({ name }) => isSidecar(pod, name)), ...containerStatuses];
}

function readiness(object: KubeObject): string {
  const pod = object as unknown as Pod;
  const sidecars = (pod.spec.initContainers ?? []).filter((each) => each.restartPolicy === 'Always');
  const ready = runningStatuses(pod).filter((status) => status.ready === true).length;
  return `${ready}/${pod.spec.containers.length + sidecars.length}`;
}

/** As kubectl has always summed it up: deletion first, then the first init container that is not done, then containers. */
function podState(object: KubeObject): string {
  const pod = object as unknown as Pod;
  const { phase = 'Unknown', reason, containerStatuses = [] } = pod.status ?? {};
  const unreachable = reason === 'NodeLost';
  if (object.metadata.deletionTimestamp !== undefined) return unreachable ? 'Unknown' : 'Terminating';
  const init = initState(pod);
  if (init !== undefined) return init;
  let state = reason || phase;
  for (const status of containerStatuses.toReversed()) {
    const found = stateWord(status.state, '');
    if (found !== undefined) state = found;
  }
  const running = containerStatuses.some(
    ({ ready, state: each }) => ready === true && each?.running !== undefined,
  );
  if (state !== 'Completed' || !running) return state;
  const ready = pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
  return ready === true ? 'Running' : 'NotReady';
}

function initState(pod: Pod): string | undefined {
  const all = pod.spec.initContainers ?? [];
  for (const [index, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    const { terminated, waiting } = status.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (isSidecar(pod, status.name) && status.started === true) continue;
    if (terminated !== undefined) return stateWord(status.state, 'Init:');
    if (waiting?.reason && waiting.reason !== 'PodInitializing') return `Init:${waiting.reason}`;
    return `Init:${index}/${all.length}`;
  }
  return undefined;
}

function stateWord(state: ContainerState | undefined, prefix: string): string | undefined {
  if (state?.waiting?.reason) return `${prefix}${state.waiting.reason}`;
  const { terminated } = state ?? {};
  if (terminated === undefined) return undefined;
  if (terminated.reason) return `${prefix}${terminated.reason}`;
  return terminated.signal
    ? `${prefix}Signal:${terminated.signal}`
    : `${prefix}ExitCode:${terminated.exitCode ?? 0}`;
}

/** How often, and when last. */
function restarts(object: KubeObject, now: number): string {
  const pod = object as unknown as Pod;
  const statuses = runningStatuses(pod);
  const total = statuses.reduce((sum, status) => sum + (status.restartCount ?? 0), 0);
  const times = statuses.flatMap((status) => status.lastState?.terminated?.finishedAt ?? []).toSorted();
  const last = times.at(-1);
  return total === 0 || last === undefined ? String(total) : `${total} (${age(last, now)} ago)`;
}

function readinessGates(object: KubeObject): string {
  const pod = object as unknown as Pod;
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const met = gates.filter(({ conditionType }) =>
    pod.status?.conditions?.some(({ type, status }) => type === conditionType && status === 'True'),
  );
  return `${met.length}/${gates.length}`;
}
