/** One container of a pod through its lives: started, watched, ended, started again. */
import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { timestamp } from '#kube/conditions.ts';
import type { Container, LifecycleHandler } from '../objects/container.ts';
import { crashBackoff, startBackoff } from './backoff.ts';
import { createBell } from './bell.ts';
import { type PodSurroundings, prepareContainer } from './containerspec.ts';
import { podEvent } from './context.ts';
import { runHook } from './hook.ts';
import { bundleDirectory, containerLogFile } from './layout.ts';
import { type LogReader, type LogWriter, openLogWriter } from './logs.ts';
import { limited } from './nodehost.ts';
import { recordOf, type StoredContainer } from './podstate.ts';
import type { ProbedContainer, Prober } from './prober.ts';
import {
  containerEvents,
  createBundle,
  removeContainer,
  signalContainer,
  startFailure,
  startMonitor,
  terminationMessage,
} from './runtime.ts';
import { type ContainerRecord, terminatedState } from './status.ts';
import { watchContainer } from './watch.ts';

export type PodContainer = {
  readonly spec: Container;
  stored(): StoredContainer | undefined;
  record(): ContainerRecord | undefined;
  isRunning(): boolean;
  /** Starts it anew; a failure becomes its waiting reason. */
  start(): Promise<void>;
  /** Takes in that it has ended. */
  collect(): Promise<void>;
  /** Milliseconds until it may be started again. */
  backoff(): number;
  wait(reason: string, message?: string): void;
  /** Hook, SIGTERM, then SIGKILL at `deadline` (Unix ms, asked again at each change). Resolves when it has ended. */
  end(deadline: () => number): Promise<void>;
  /** Woken by the pod's events while it is being ended. */
  changed(): void;
  logs(previous: boolean): LogReader | undefined;
  /** Lets go of pipes and timers; the container runs on. */
  release(): void;
  /** Takes what it left on the disk away; it must have ended. */
  forget(): Promise<void>;
  /** Its namespaces are gone with its node. */
  lose(): void;
};

export function createPodContainer(
  spec: Container,
  around: PodSurroundings,
  adopted: StoredContainer | undefined,
): PodContainer {
  const { node } = around;
  const { host } = node;
  let stored = adopted;
  let waiting: ContainerRecord['waiting'];
  let writer: LogWriter | undefined;
  let prober: Prober | undefined;
  let retryAt = 0;
  let failedStarts = 0;
  let ending: Promise<void> | undefined;
  const bell = createBell();

  const pod = around.pod;
  const uid = (): string => pod().metadata.uid ?? '';
  const identity = () => ({
    namespace: pod().metadata.namespace ?? '',
    name: pod().metadata.name,
    uid: uid(),
  });
  const logFile = (attempt: number): string => host.file(containerLogFile(identity(), spec.name, attempt));
  const place = (containerID: string) => ({ podUID: uid(), containerID });
  const bundle = (containerID: string): string => host.disk(bundleDirectory(uid(), containerID));
  const podIP = (): string => around.podIPs()[0] ?? '127.0.0.1';
  const isRunning = (): boolean => stored?.startedAt !== undefined && stored.exit === undefined;
  const put = (next: StoredContainer): void => {
    stored = next;
    around.save();
  };
  const event = (type: 'Normal' | 'Warning', reason: string, note: string): void =>
    podEvent(node, pod(), type, reason, note);

  const wait = (reason: string, message?: string): void => {
    waiting = message === undefined ? { reason } : { reason, message };
  };
  const fail = (reason: string, message: string): void => {
    wait(reason, message);
    failedStarts += 1;
    retryAt = Date.now() + startBackoff(failedStarts);
    event('Warning', reason === 'ErrImagePull' ? 'Failed' : reason, message);
  };
  const watch = (containerID: string, known?: ProbedContainer['adopted']): void => {
    const end = (deadline: number): void => void self.end(() => deadline);
    prober = watchContainer(spec, containerID, around, end, known);
  };
  const stopWatching = (): void => {
    prober?.stop();
    prober = undefined;
  };
  const closeLogs = async (): Promise<void> => {
    await writer?.drained(1000);
    writer?.close();
    writer = undefined;
  };

  const launch = async (): Promise<void> => {
    const prepared = prepareContainer(spec, around);
    if ('reason' in prepared) return fail(prepared.reason, prepared.message);
    waiting = undefined;
    const before = stored;
    const attempt = before === undefined ? 0 : before.attempt + 1;
    const containerID = randomBytes(32).toString('hex');
    const last = before?.exit === undefined ? before?.lastExit : terminatedState(recordOf(spec.name, before));
    createBundle(host, place(containerID), prepared.config, spec.terminationMessagePath);
    writer = openLogWriter(bundle(containerID), logFile(attempt));
    put({
      attempt,
      containerID,
      startedAt: undefined,
      exit: undefined,
      lastExit: last,
      previousAttempt: before?.attempt,
    });
    if (before !== undefined) await removeContainer(host, place(before.containerID));
    if (attempt >= 2)
      for (const end of ['', '.old']) rmSync(`${logFile(attempt - 2)}${end}`, { force: true });
    await limited(() => startMonitor(host, place(containerID), prepared.lower, spec.stdin === true));
    await begun(containerID);
  };
  /** Until the container runs or has failed to. */
  const begun = async (containerID: string): Promise<void> => {
    const deadline = Date.now() + 60_000;
    for (;;) {
      // Asked before the files: a monitor holds the pipes until it has written how the container ended.
      const abandoned = writer?.isOver() === true;
      const { started, exitCode } = containerEvents(host, containerID);
      if (started || exitCode !== undefined) break;
      if (abandoned)
        throw new Error(`the container's monitor ended: ${startFailure(host, place(containerID))}`);
      if (Date.now() > deadline) throw new Error(`container ${spec.name} did not start within 60 s`);
      await bell.next(deadline);
    }
    if (!containerEvents(host, containerID).started) return collect();
    waiting = undefined;
    failedStarts = 0;
    put({ ...(stored as StoredContainer), startedAt: timestamp(new Date()) });
    event('Normal', 'Started', `Started container ${spec.name}`);
    watch(containerID);
    const hook = spec.lifecycle?.postStart;
    if (hook !== undefined && !(await hooked(hook, Date.now() + 30_000))) {
      event('Warning', 'FailedPostStartHook', `PostStart hook of container ${spec.name} failed`);
      const graceEnd = Date.now() + (pod().spec.terminationGracePeriodSeconds ?? 30) * 1000;
      await self.end(() => graceEnd);
    }
  };

  const collect = async (): Promise<void> => {
    if (stored === undefined || stored.exit !== undefined) return;
    const { containerID } = stored;
    const { started, exitCode } = containerEvents(host, containerID);
    if (exitCode === undefined) return;
    stopWatching();
    await closeLogs();
    const finishedAt = timestamp(new Date());
    if (!started && stored.startedAt === undefined) {
      const message = startFailure(host, place(containerID));
      event('Warning', 'Failed', `Error: ${message}`);
      put({ ...stored, exit: { code: 128, finishedAt, reason: 'StartError', message } });
    } else {
      const said = terminationMessage(host, place(containerID));
      const reason = exitCode === 0 ? 'Completed' : 'Error';
      const exit = { code: exitCode, finishedAt, reason, ...(said === '' ? {} : { message: said }) };
      put({ ...stored, startedAt: stored.startedAt ?? finishedAt, exit });
    }
    const ran = Date.now() - Date.parse(stored.startedAt ?? finishedAt);
    retryAt = Date.now() + crashBackoff(stored.attempt, ran);
  };

  const hooked = (hook: LifecycleHandler, deadline: number): Promise<boolean> => {
    const { containerID } = stored as StoredContainer;
    const runsUntil = async (time: number): Promise<void> => {
      while (Date.now() < time && isRunning()) await bell.next(time).then(collect);
    };
    return runHook(hook, { host, container: spec, containerID, podIP: podIP(), runsUntil }, deadline);
  };
  /** Who deletes a pod once more may leave it less time than its hook was given. */
  const hookedUntil = async (hook: LifecycleHandler, deadline: () => number): Promise<boolean> => {
    let succeeded: boolean | undefined;
    const end = hooked(hook, deadline()).then((success) => {
      succeeded = success;
    });
    while (succeeded === undefined && Date.now() < deadline())
      await Promise.race([end, bell.next(deadline())]);
    return succeeded ?? false;
  };
  const terminate = async (deadline: () => number): Promise<void> => {
    prober?.terminating();
    const hook = spec.lifecycle?.preStop;
    if (hook !== undefined && Date.now() < deadline() && !(await hookedUntil(hook, deadline))) {
      event('Warning', 'FailedPreStopHook', `PreStop hook of container ${spec.name} failed`);
    }
    await collect();
    if (isRunning() && stored !== undefined) {
      await signalContainer(host, stored.containerID, Date.now() < deadline() ? 'SIGTERM' : 'SIGKILL');
    }
    let killed = false;
    while (isRunning() && stored !== undefined) {
      await collect();
      if (!isRunning()) break;
      if (!killed && Date.now() >= deadline()) {
        await signalContainer(host, stored.containerID, 'SIGKILL');
        killed = true;
      }
      await bell.next(killed ? Date.now() + 1000 : deadline());
    }
  };

  const self: PodContainer = {
    spec,
    stored: () => stored,
    record() {
      if (stored === undefined && waiting === undefined) return undefined;
      const base = stored === undefined ? { name: spec.name, attempt: 0 } : recordOf(spec.name, stored);
      return {
        ...base,
        ...(waiting === undefined ? {} : { waiting }),
        ...(waiting !== undefined && stored?.exit !== undefined
          ? { lastExit: terminatedState(recordOf(spec.name, stored)) }
          : {}),
        ready: isRunning() && (prober?.ready() ?? true),
        started: isRunning() && (prober?.started() ?? true),
      };
    },
    isRunning,
    async start() {
      try {
        await launch();
      } catch (error) {
        fail('CreateContainerError', (error as Error).message);
      }
    },
    collect,
    backoff: () => Math.max(0, retryAt - Date.now()),
    wait,
    async end(deadline) {
      if (ending === undefined && !isRunning()) return;
      ending ??= terminate(deadline).finally(() => {
        ending = undefined;
        around.wake();
      });
      await ending;
      // What was under way had a later deadline than ours.
      if (isRunning()) await self.end(deadline);
    },
    changed: () => bell.ring(),
    logs(previous) {
      if (stored === undefined) return undefined;
      if (!previous) return { file: logFile(stored.attempt), writer };
      return stored.previousAttempt === undefined
        ? undefined
        : { file: logFile(stored.previousAttempt), writer: undefined };
    },
    release() {
      stopWatching();
      writer?.close();
      writer = undefined;
    },
    async forget() {
      self.release();
      if (stored !== undefined) await removeContainer(host, place(stored.containerID));
    },
    lose() {
      if (stored === undefined || stored.exit !== undefined) return;
      stopWatching();
      writer?.close();
      writer = undefined;
      const exit = {
        code: 137,
        finishedAt: timestamp(new Date()),
        reason: 'Unknown',
        message: 'the node was restarted',
      };
      put({ ...stored, startedAt: stored.startedAt ?? exit.finishedAt, exit });
    },
  };

  // Killed between starting a container and writing that down: the container's own mark counts.
  if (stored !== undefined && stored.startedAt === undefined && stored.exit === undefined) {
    if (containerEvents(host, stored.containerID).started)
      stored = { ...stored, startedAt: timestamp(new Date()) };
  }
  if (isRunning() && stored !== undefined && existsSync(bundle(stored.containerID))) {
    writer = openLogWriter(bundle(stored.containerID), logFile(stored.attempt));
    const all = [...(pod().status?.containerStatuses ?? []), ...(pod().status?.initContainerStatuses ?? [])];
    const known = all.find(({ name }) => name === spec.name);
    watch(stored.containerID, { ready: known?.ready ?? false, started: known?.started ?? false });
  }
  return self;
}
