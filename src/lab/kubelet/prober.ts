/** Runs a container's probes from the node, as long as the container runs. */
import { request } from 'node:http';
import { connect as connectTls } from 'node:tls';
import type { Container, HttpGetAction, Probe, TcpSocketAction } from '../objects/container.ts';
import { connectFrom } from './dial.ts';
import type { NodeHost } from './nodehost.ts';
import {
  freshProbe,
  httpSucceeded,
  type ProbeKind,
  type ProbeState,
  portNumber,
  probed,
  probeHeaders,
} from './probe.ts';
import { execInContainer } from './runtime.ts';

export type Prober = {
  ready(): boolean;
  started(): boolean;
  /** Liveness and startup are of no interest any more: the container is being ended. */
  terminating(): void;
  stop(): void;
};

export type ProbedContainer = {
  readonly host: NodeHost;
  readonly container: Container;
  readonly containerID: string;
  readonly podIP: string;
  /** Taken as true at first: a container that a new kubelet process adopts doesn't lose its readiness. */
  readonly adopted?: { readonly ready: boolean; readonly started: boolean };
  readonly onChange: () => void;
  readonly onFailure: (kind: ProbeKind, message: string) => void;
  /** A liveness or startup probe has failed for good: the container must be restarted. */
  readonly onDead: (kind: ProbeKind, probe: Probe) => void;
};

export function startProber(target: ProbedContainer): Prober {
  const { container, adopted } = target;
  const states: Record<ProbeKind, ProbeState> = {
    startup: freshProbe,
    readiness: freshProbe,
    liveness: freshProbe,
  };
  if (adopted?.started === true) states.startup = { ...freshProbe, passing: true };
  if (adopted?.ready === true) states.readiness = { ...freshProbe, passing: true };
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;
  let ending = false;
  const after = (seconds: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!stopped) work();
    }, seconds * 1000);
    timers.add(timer);
  };
  const started = (): boolean => container.startupProbe === undefined || states.startup.passing === true;
  const loop = async (kind: ProbeKind, probe: Probe): Promise<void> => {
    const again = (): void => after(probe.periodSeconds ?? 10, () => void loop(kind, probe));
    if (kind !== 'startup' && !started()) return again();
    if (kind !== 'readiness' && ending) return;
    const { success, message } = await runProbe(target, probe);
    if (stopped) return;
    const before = states[kind];
    states[kind] = probed(before, probe, success);
    if (!success) target.onFailure(kind, message);
    if (before.passing !== states[kind].passing) {
      target.onChange();
      if (kind === 'startup' && started()) begin(['readiness', 'liveness']);
    }
    if (states[kind].passing === false && kind !== 'readiness') return target.onDead(kind, probe);
    if (kind !== 'startup' || !started()) again();
  };
  const begin = (kinds: readonly ProbeKind[]): void => {
    for (const kind of kinds) {
      const probe = container[`${kind}Probe`];
      if (probe !== undefined) after(probe.initialDelaySeconds ?? 0, () => void loop(kind, probe));
    }
  };
  begin(started() ? ['readiness', 'liveness'] : ['startup']);
  return {
    started,
    ready: () => started() && (container.readinessProbe === undefined || states.readiness.passing === true),
    terminating() {
      ending = true;
    },
    stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

export type ProbeOutcome = { readonly success: boolean; readonly message: string };

/** One run of a probe; never rejects. */
export async function runProbe(
  target: Pick<ProbedContainer, 'host' | 'container' | 'containerID' | 'podIP'>,
  probe: Probe,
): Promise<ProbeOutcome> {
  const milliseconds = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.exec !== undefined) {
      const { code, output } = await execInContainer(
        target.host,
        target.containerID,
        probe.exec.command ?? [],
        milliseconds,
      );
      if (code === 124) return { success: false, message: `command timed out after ${milliseconds / 1000}s` };
      return { success: code === 0, message: output.slice(0, 500) };
    }
    if (probe.httpGet !== undefined) return await httpGet(target, probe.httpGet, milliseconds);
    if (probe.tcpSocket !== undefined) return await tcpConnect(target, probe.tcpSocket, milliseconds);
    return { success: false, message: 'the probe names no action' };
  } catch (error) {
    return { success: false, message: (error as Error).message };
  }
}

/** One HTTP GET from the node to the pod. */
export async function httpGet(
  target: Pick<ProbedContainer, 'host' | 'container' | 'podIP'>,
  action: HttpGetAction,
  milliseconds: number,
): Promise<ProbeOutcome> {
  const port = portNumber(action.port, target.container);
  if (port === undefined)
    return { success: false, message: `there is no port named ${JSON.stringify(action.port)}` };
  const address = action.host ?? target.podIP;
  const socket = await connectFrom(target.host, address, port, milliseconds);
  const { promise, resolve, reject } = Promise.withResolvers<ProbeOutcome>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${milliseconds / 1000}s`)), milliseconds);
  // Kubelets don't verify certificates: a probe asks whether a pod is well, not who it is.
  const stream = action.scheme === 'HTTPS' ? connectTls({ socket, rejectUnauthorized: false }) : socket;
  const call = request({
    // Without `agent`: any agent, also none, would make a connection of its own in the kubelet's network.
    createConnection: () => stream,
    host: address,
    port,
    path: action.path || '/',
    headers: probeHeaders(action),
  });
  call.on('error', reject);
  call.on('response', (response) => {
    response.resume();
    const status = response.statusCode ?? 0;
    resolve({ success: httpSucceeded(status), message: `HTTP probe failed with statuscode: ${status}` });
  });
  call.end();
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

async function tcpConnect(
  target: Pick<ProbedContainer, 'host' | 'container' | 'podIP'>,
  action: TcpSocketAction,
  milliseconds: number,
): Promise<ProbeOutcome> {
  const port = portNumber(action.port, target.container);
  if (port === undefined)
    return { success: false, message: `there is no port named ${JSON.stringify(action.port)}` };
  const socket = await connectFrom(target.host, action.host ?? target.podIP, port, milliseconds);
  socket.destroy();
  return { success: true, message: '' };
}
