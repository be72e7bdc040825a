/** One pod on one node: brought, step by step, to what its object says, and taken away when that is gone. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { isIPv6 } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { podType } from '#api/core.ts';
import { isConflict, isNotFound } from '#kube/client.ts';
import { timestamp } from '#kube/conditions.ts';
import type { Pod, PodStatus } from '../objects.ts';
import { type NodeContext, podEvent } from './context.ts';
import { podDirectory, podLogDirectory } from './layout.ts';
import type { BindMount } from './oci.ts';
import { createPodContainer, type PodContainer } from './podcontainer.ts';
import { type PodState, saveState } from './podstate.ts';
import { podHostname, podHosts, podResolvConf } from './resolv.ts';
import {
  attachNetwork,
  createNamespaces,
  detachNetwork,
  plannedNetwork,
  removeNamespaces,
  type SandboxRecord,
  sandboxAlive,
} from './sandbox.ts';
import { initialized, isSidecar, type PodObservation, podPhase, podStatus, restarts } from './status.ts';
import { createPodTokens } from './tokens.ts';
import { prepareInNode, releaseInNode, type VolumePlans, writeVolumes } from './volumefiles.ts';
import { volumePlan } from './volumes.ts';

export type PodWorker = {
  readonly uid: string;
  /** The object as it is now; undefined: it is gone. */
  update(pod: Pod | undefined): void;
  /** Looks again: a container ended, the network came, an object that it names changed. */
  wake(): void;
  pod(): Pod;
  /** Whether a container of that ID is one of its. */
  owns(containerID: string): boolean;
  container(name: string): PodContainer | undefined;
  /** Waits for nothing: lets go of everything and leaves the pod running. */
  release(): void;
};

/** `ended` is called once, when nothing of the pod is left on the node. */
export function startPodWorker(
  node: NodeContext,
  first: Pod,
  adopted: PodState | undefined,
  ended: () => void,
): PodWorker {
  const { host, kubelet } = node;
  const uid = first.metadata.uid ?? '';
  const log = kubelet.log.child({ pod: first, node: host.name });
  const startTime = adopted?.startTime ?? timestamp(new Date());
  const tokens = createPodTokens(kubelet.client);
  let pod = first;
  let gone = false;
  let released = false;
  let done = false;
  let sandbox: SandboxRecord | undefined = adopted?.sandbox;
  let lastAddresses: readonly string[] = [];
  let plans: VolumePlans = {};
  let written: readonly BindMount[] = [];
  let prepared = false;
  let failed: PodObservation['failed'];
  let published: PodStatus | undefined;
  let deletionSeen: number | undefined;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let timerDue = 0;
  let working = false;
  let again = false;

  const save = (): void => {
    if (done) return;
    const stored = containers.map((container) => [container.spec.name, container.stored()] as const);
    const known = Object.fromEntries(
      stored.filter(([, state]) => state !== undefined),
    ) as PodState['containers'];
    saveState(host, { pod, boot: host.boot, startTime, sandbox, containers: known });
  };
  const wake = (): void => {
    if (released || done) return;
    for (const container of containers) container.changed();
    again = true;
    if (!working) void work();
  };
  /** The earliest of what was asked for counts; each look asks anew for what it still needs. */
  const wakeAfter = (milliseconds: number): void => {
    const due = Date.now() + milliseconds;
    if (timer !== undefined && timerDue <= due) return;
    clearTimeout(timer);
    timerDue = due;
    timer = setTimeout(
      () => {
        timer = undefined;
        wake();
      },
      Math.min(Math.max(1, milliseconds), 0x7fff_ffff),
    );
  };
  const surroundings = {
    pod: () => pod,
    node,
    sandboxID: () => sandbox?.id,
    podIPs: (): readonly string[] => podIPs(),
    plans: () => plans,
    files: () => written,
    wake,
    save,
  };
  const create = (spec: Pod['spec']['containers'][number]): PodContainer =>
    createPodContainer(spec, surroundings, adopted?.containers[spec.name]);
  const inits = (): readonly PodContainer[] => initContainers;
  const initContainers: readonly PodContainer[] = [];
  const containers: PodContainer[] = [];
  const mains: PodContainer[] = [];

  const podIPs = (): readonly string[] => {
    if (pod.spec.hostNetwork === true) return host.addresses;
    // What has ended keeps the addresses that it had.
    if (sandbox !== undefined) lastAddresses = sandbox.addresses;
    // The node's first family comes first, whatever the plugin's order.
    const six = isIPv6(host.addresses[0] ?? '');
    return lastAddresses.toSorted((a, b) => Number(isIPv6(a) !== six) - Number(isIPv6(b) !== six));
  };
  const observation = (): PodObservation => ({
    containers: Object.fromEntries(
      containers.flatMap((container) => {
        const record = container.record();
        return record === undefined ? [] : [[container.spec.name, record]];
      }),
    ),
    podIPs: podIPs(),
    hostIPs: host.addresses,
    startTime,
    sandboxReady: pod.spec.hostNetwork === true || (sandbox?.addresses.length ?? 0) > 0,
    ...(failed === undefined ? {} : { failed }),
    terminating: isTerminating(),
    now: timestamp(new Date()),
  });
  const isTerminating = (): boolean => gone || pod.metadata.deletionTimestamp !== undefined;
  /** Unix milliseconds at which a pod that is being deleted has had its time. */
  const deletionDeadline = (): number => {
    if (gone) return 0;
    const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
    if (deletionTimestamp === undefined)
      return Date.now() + (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
    deletionSeen ??= Date.now();
    return deletionSeen + (deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
  };

  const work = async (): Promise<void> => {
    working = true;
    while (again && !released && !done) {
      again = false;
      try {
        await look();
        failures = 0;
      } catch (error) {
        failures += 1;
        const milliseconds = Math.min(15_000, 250 * 2 ** (failures - 1));
        log.warn('a step of a pod failed and will be tried again', { error, milliseconds });
        if (!released && !done) wakeAfter(milliseconds);
      }
    }
    working = false;
  };

  const look = async (): Promise<void> => {
    for (const container of containers) await container.collect();
    if (isTerminating()) return remove();
    await limitLife();
    const phase = podPhase(pod, observation());
    if (phase === 'Failed' || phase === 'Succeeded') {
      await endContainers(() => Date.now() + (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000);
      await publish();
      await takeDown();
      return;
    }
    if ((await volumesReady()) && (await sandboxReady())) await runContainers();
    if (!isTerminating()) await publish();
  };

  const limitLife = async (): Promise<void> => {
    if (pod.spec.shareProcessNamespace === true) {
      failed = {
        reason: 'UnsupportedByLab',
        message:
          'spec.shareProcessNamespace is not part of the lab; containers of a pod have a process namespace each',
      };
    }
    const limit = pod.spec.activeDeadlineSeconds;
    if (limit === undefined || failed !== undefined) return;
    const left = Date.parse(startTime) + limit * 1000 - Date.now();
    if (left > 0) return wakeAfter(left);
    failed = {
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    };
  };

  /** Files follow their objects; what was made once is not made again. */
  const volumesReady = async (): Promise<boolean> => {
    const { namespace = '' } = pod.metadata;
    try {
      await tokens.refresh(pod);
    } catch (error) {
      return blocked('FailedMount', `MountVolume.SetUp failed: ${(error as Error).message}`, 2000);
    }
    const due = tokens.due();
    if (due !== undefined) wakeAfter(due);
    const sources = {
      pod,
      podIPs: podIPs(),
      hostIPs: host.addresses,
      configMap: (name: string) => kubelet.configMaps.get(namespace, name),
      secret: (name: string) => kubelet.secrets.get(namespace, name),
      token: (volume: string, path: string) => tokens.get(volume, path),
    };
    const next: Record<string, VolumePlans[string]> = {};
    for (const volume of pod.spec.volumes ?? []) {
      const plan = volumePlan(pod, volume, sources);
      if ('problem' in plan) {
        // A running pod goes on with the files that it has.
        if (prepared) return true;
        return blocked(
          'FailedMount',
          `MountVolume.SetUp failed for volume "${volume.name}" : ${plan.problem}`,
          0,
        );
      }
      next[volume.name] = plan.value;
    }
    plans = next;
    writeVolumes(host, pod, plans);
    if (prepared) return true;
    try {
      await prepareInNode(host, pod, plans);
    } catch (error) {
      return blocked('FailedMount', `MountVolume.SetUp failed: ${(error as Error).message}`, 2000);
    }
    prepared = true;
    return true;
  };
  /** Why nothing runs yet; `milliseconds` 0: only a change can help. */
  const blocked = (reason: string, message: string, milliseconds: number): false => {
    podEvent(node, pod, 'Warning', reason, message);
    for (const container of containers) {
      if (container.stored() === undefined) container.wait('ContainerCreating', message);
    }
    if (milliseconds > 0) wakeAfter(milliseconds);
    return false;
  };

  const sandboxReady = async (): Promise<boolean> => {
    if (pod.spec.hostNetwork === true) {
      writeFiles();
      return true;
    }
    if (sandbox !== undefined && !sandboxAlive(host, sandbox)) {
      for (const container of containers) container.lose();
      await dropSandbox(sandbox);
    }
    if (sandbox !== undefined && sandbox.network?.result === undefined) await dropSandbox(sandbox);
    if (sandbox === undefined) {
      const { list, reason } = node.network();
      if (list === undefined) return blocked('NetworkNotReady', `network is not ready: ${reason}`, 0);
      const id = randomBytes(32).toString('hex');
      sandbox = plannedNetwork({ id, boot: host.boot, addresses: [] }, list, pod);
      const planned = sandbox;
      save();
      try {
        await createNamespaces(host, id, pod, podHostname(pod, kubelet.config.dns.domain));
        sandbox = await attachNetwork(host, planned);
        save();
      } catch (error) {
        const message = `Failed to create pod sandbox: ${(error as Error).message}`;
        await dropSandbox(planned);
        failures += 1;
        return blocked(
          'FailedCreatePodSandBox',
          message,
          Math.min(15_000, 250 * 2 ** Math.min(failures, 10)),
        );
      }
    }
    writeFiles();
    return true;
  };
  /** DEL must have succeeded before a sandbox is forgotten; its record stays until then. */
  const dropSandbox = async (record: SandboxRecord): Promise<void> => {
    try {
      await detachNetwork(host, record);
    } catch (error) {
      podEvent(node, pod, 'Warning', 'FailedKillPodSandBox', (error as Error).message);
      throw error;
    }
    await removeNamespaces(host, record.id);
    sandbox = undefined;
    save();
  };

  const writeFiles = (): void => {
    const { dns } = kubelet.config;
    const read = (path: string): string =>
      existsSync(host.file(path)) ? readFileSync(host.file(path), 'utf8') : '';
    const files = [
      ['/etc/resolv.conf', podResolvConf(pod, dns, read('/etc/resolv.conf'))],
      ['/etc/hosts', podHosts(pod, podIPs(), dns.domain, read('/etc/hosts'))],
      ['/etc/hostname', `${pod.spec.hostNetwork === true ? host.name : podHostname(pod, dns.domain)}\n`],
    ] as const;
    const directory = `${podDirectory(uid)}/etc`;
    mkdirSync(host.disk(directory), { recursive: true });
    written = files.map(([target, text]) => {
      const name = target.slice('/etc/'.length);
      writeFileSync(host.disk(`${directory}/${name}`), text);
      return { source: host.diskInside(`${directory}/${name}`), target, readOnly: false };
    });
  };

  const runContainers = async (): Promise<void> => {
    for (const container of inits()) {
      if (isSidecar(container.spec)) {
        await keepRunning(container);
        if (container.record()?.started !== true) return;
      } else if (!initDone(container)) {
        // Once the containers have begun, init containers are never run again.
        if (mains.some((main) => main.stored() !== undefined)) continue;
        await keepRunning(container);
        return;
      }
    }
    if (!initialized(pod, observation().containers) && mains.every((main) => main.stored() === undefined))
      return;
    await Promise.all(mains.map(keepRunning));
  };
  const initDone = (container: PodContainer): boolean => {
    const exit = container.stored()?.exit;
    return exit?.code === 0 && exit.reason === 'Completed';
  };
  const keepRunning = async (container: PodContainer): Promise<void> => {
    if (container.isRunning() || isTerminating()) return;
    const exit = container.stored()?.exit;
    if (exit !== undefined && !restarts(pod, container.spec, exit.code)) return;
    const milliseconds = container.backoff();
    if (milliseconds > 0) {
      wakeAfter(milliseconds);
      if (exit === undefined || exit.reason === 'Unknown') return;
      const message = `back-off ${Math.ceil(milliseconds / 1000)}s restarting failed container=${container.spec.name}`;
      if (container.record()?.waiting?.reason !== 'CrashLoopBackOff') {
        podEvent(
          node,
          pod,
          'Warning',
          'BackOff',
          `Back-off restarting failed container ${container.spec.name}`,
        );
      }
      container.wait('CrashLoopBackOff', message);
      return;
    }
    await container.start();
    again = true;
  };

  const endContainers = async (deadline: () => number): Promise<void> => {
    await Promise.all(mains.map((container) => container.end(deadline)));
    // Sidecars serve the others to their end, the last started first to go.
    for (const container of inits().toReversed()) await container.end(deadline);
  };
  const takeDown = async (): Promise<void> => {
    if (sandbox !== undefined) await dropSandbox(sandbox);
  };
  const remove = async (): Promise<void> => {
    if (containers.some((container) => container.isRunning())) {
      podEvent(node, pod, 'Normal', 'Killing', 'Stopping containers');
    }
    await endContainers(deletionDeadline);
    if (!gone) await publish();
    await takeDown();
    if (!gone) await deleteObject();
    await releaseInNode(host, pod);
    for (const container of containers) await container.forget();
    await rm(host.disk(podDirectory(uid)), { recursive: true, force: true });
    const { namespace = '', name } = pod.metadata;
    await rm(host.file(podLogDirectory({ namespace, name, uid })), { recursive: true, force: true });
    done = true;
    clearTimeout(timer);
    ended();
  };
  const deleteObject = async (): Promise<void> => {
    const { namespace, name } = pod.metadata;
    try {
      await kubelet.client.delete(podType, name, { namespace, uid, gracePeriodSeconds: 0 });
    } catch (error) {
      // Gone, or another pod of that name by now: either way ours is no more.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  };

  const publish = async (): Promise<void> => {
    if (gone) return;
    // Another may have said of the pod that it isn't ready (its node was lost); we know better.
    const disputed = readyOf(published) !== readyOf(pod.status);
    const before = (disputed ? undefined : published) ?? pod.status ?? {};
    const own = new Set((published?.conditions ?? []).map(({ type }) => type));
    const foreign = (pod.status?.conditions ?? []).filter(({ type }) => !own.has(type));
    const conditions = [...(published?.conditions ?? []), ...foreign];
    const status = podStatus({ ...pod, status: { ...pod.status, conditions } }, observation());
    if (isDeepStrictEqual(status, before)) return;
    // A merge patch takes a field away by null.
    const removed = Object.keys(before).filter((key) => !(key in status));
    const body = {
      metadata: { uid },
      status: { ...Object.fromEntries(removed.map((key) => [key, null])), ...status },
    };
    const { namespace, name } = pod.metadata;
    try {
      await kubelet.client.patch(
        podType,
        { name, namespace, subresource: 'status' },
        { kind: 'merge', body },
      );
      published = status;
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  };

  for (const spec of first.spec.initContainers ?? []) (initContainers as PodContainer[]).push(create(spec));
  for (const spec of first.spec.containers) mains.push(create(spec));
  containers.push(...initContainers, ...mains);
  queueMicrotask(wake);

  return {
    uid,
    update(next) {
      if (next === undefined) gone = true;
      else pod = next;
      wake();
    },
    wake,
    pod: () => pod,
    owns: (containerID) => containers.some((container) => container.stored()?.containerID === containerID),
    container: (name) => containers.find(({ spec }) => spec.name === name),
    release() {
      released = true;
      clearTimeout(timer);
      for (const container of containers) container.release();
    },
  };
}

function readyOf(status: PodStatus | undefined): string | undefined {
  return (status?.conditions ?? []).find(({ type }) => type === 'Ready')?.status;
}
