/** One pod on one node: brought, step by step, to what its object says, and taken away when that is gone. */
import { rm } from 'node:fs/promises';
import { podType } from '#api/core.ts';
import { isConflict, isNotFound } from '#kube/client.ts';
import { timestamp } from '#kube/conditions.ts';
import type { Pod } from '../objects/pod.ts';
import { createBell } from './bell.ts';
import { type NodeContext, podEvent } from './context.ts';
import { podDirectory, podLogDirectory } from './layout.ts';
import { createPodContainer, type PodContainer } from './podcontainer.ts';
import { createPodNetwork } from './podnetwork.ts';
import { type PodState, saveState } from './podstate.ts';
import { type Blocked, createPodVolumes } from './podvolumes.ts';
import { createPublisher } from './publish.ts';
import { initialized, isSidecar, type PodObservation, podPhase, restarts } from './status.ts';
import { createWaker } from './waker.ts';

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
  let pod = first;
  let gone = false;
  let done = false;
  let failed: PodObservation['failed'];
  let deletionSeen: number | undefined;

  const save = (): void => {
    if (done) return;
    const stored = containers.map((container) => [container.spec.name, container.stored()] as const);
    const known = Object.fromEntries(stored.filter(([, state]) => state !== undefined));
    const sandbox = network.record();
    saveState(host, {
      pod,
      boot: host.boot,
      startTime,
      sandbox,
      containers: known as PodState['containers'],
    });
  };
  const endingBell = createBell();
  const waker = createWaker(() => look(), log);
  const wake = (): void => {
    for (const container of containers) container.changed();
    endingBell.ring();
    waker.wake();
  };
  const network = createPodNetwork(node, adopted?.sandbox, save);
  const volumes = createPodVolumes(node);
  const publisher = createPublisher(kubelet.client);
  const surroundings = {
    pod: () => pod,
    node,
    sandboxID: () => network.record()?.id,
    podIPs: () => network.addresses(pod),
    plans: () => volumes.plans(),
    files: () => network.files(),
    wake,
    save,
  };
  const create = (spec: Pod['spec']['containers'][number]): PodContainer =>
    createPodContainer(spec, surroundings, adopted?.containers[spec.name]);
  const containers: PodContainer[] = [];
  const inits = (first.spec.initContainers ?? []).map(create);
  const mains = first.spec.containers.map(create);
  containers.push(...inits, ...mains);
  // The network tells it of a pod's own namespaces only; what is on the node's network has none.
  if (adopted !== undefined && adopted.boot !== host.boot)
    for (const container of containers) container.lose();

  const isTerminating = (): boolean => gone || pod.metadata.deletionTimestamp !== undefined;
  const gracePeriod = (): number => (pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
  /** Unix milliseconds at which a pod that is being deleted has had its time. */
  const deletionDeadline = (): number => {
    if (gone) return 0;
    const { deletionTimestamp, deletionGracePeriodSeconds: seconds } = pod.metadata;
    if (deletionTimestamp === undefined) return Date.now() + gracePeriod();
    deletionSeen ??= Date.now();
    return deletionSeen + (seconds === undefined ? gracePeriod() : seconds * 1000);
  };
  const observation = (): PodObservation => {
    const records = containers.map((container) => [container.spec.name, container.record()] as const);
    return {
      containers: Object.fromEntries(
        records.filter(([, record]) => record !== undefined),
      ) as PodObservation['containers'],
      podIPs: network.addresses(pod),
      hostIPs: host.addresses,
      startTime,
      sandboxReady: network.isReady(pod),
      ...(failed === undefined ? {} : { failed }),
      terminating: isTerminating(),
      now: timestamp(new Date()),
    };
  };

  const look = async (): Promise<void> => {
    for (const container of containers) await container.collect();
    if (isTerminating()) return remove();
    limitLife();
    const phase = podPhase(pod, observation());
    if (phase === 'Failed' || phase === 'Succeeded') {
      const deadline = Date.now() + gracePeriod();
      await endContainers(() => Math.min(deadline, deletionDeadline()));
      await publisher.publish(pod, observation());
      return network.drop(pod);
    }
    const blocked = await bring();
    if (blocked === undefined) await runContainers();
    else block(blocked);
    if (!isTerminating()) await publisher.publish(pod, observation());
  };
  const bring = async (): Promise<Blocked | undefined> => {
    const blocked = await volumes.bring(pod, network.addresses(pod));
    if (blocked !== undefined) return blocked;
    const due = volumes.due();
    if (due !== undefined) waker.wakeAfter(due);
    return network.bring(pod, () => {
      for (const container of containers) container.lose();
    });
  };
  const block = ({ reason, message, retryAfter }: Blocked): void => {
    podEvent(node, pod, 'Warning', reason, message);
    for (const container of containers) {
      if (container.stored() === undefined) container.wait('ContainerCreating', message);
    }
    if (retryAfter > 0) waker.wakeAfter(retryAfter);
  };
  const limitLife = (): void => {
    if (pod.spec.shareProcessNamespace === true) {
      const message =
        'spec.shareProcessNamespace is not part of the lab: each container has a process namespace';
      failed = { reason: 'UnsupportedByLab', message };
    }
    const limit = pod.spec.activeDeadlineSeconds;
    if (limit === undefined || failed !== undefined) return;
    const left = Date.parse(startTime) + limit * 1000 - Date.now();
    if (left > 0) {
      waker.wakeAfter(left);
      return;
    }
    const message = 'Pod was active on the node longer than the specified deadline';
    failed = { reason: 'DeadlineExceeded', message };
  };

  const runContainers = async (): Promise<void> => {
    const begun = mains.some((main) => main.stored() !== undefined);
    for (const container of inits) {
      if (isSidecar(container.spec)) {
        await keepRunning(container);
        if (container.record()?.started !== true) return;
      } else if (!isInitDone(container)) {
        // Once the containers have begun, init containers are never run again.
        if (begun) continue;
        return keepRunning(container);
      }
    }
    if (!begun && !initialized(pod, observation().containers)) return;
    await Promise.all(mains.map(keepRunning));
  };
  const keepRunning = async (container: PodContainer): Promise<void> => {
    if (container.isRunning() || isTerminating()) return;
    const exit = container.stored()?.exit;
    if (exit !== undefined && !restarts(pod, container.spec, exit.code)) return;
    const milliseconds = container.backoff();
    if (milliseconds === 0) {
      await container.start();
      return waker.wake();
    }
    waker.wakeAfter(milliseconds);
    if (exit === undefined || exit.reason === 'Unknown') return;
    const { name } = container.spec;
    if (container.record()?.waiting?.reason !== 'CrashLoopBackOff') {
      podEvent(node, pod, 'Warning', 'BackOff', `Back-off restarting failed container ${name}`);
    }
    const seconds = Math.ceil(milliseconds / 1000);
    container.wait('CrashLoopBackOff', `back-off ${seconds}s restarting failed container=${name}`);
  };

  const endContainers = async (deadline: () => number): Promise<void> => {
    await Promise.all(mains.map((container) => container.end(deadline)));
    // Sidecars serve the others to their end, the last started first to go.
    for (const container of inits.toReversed()) await container.end(deadline);
  };
  /** A pod that ends still says whether it is ready. */
  const tellUntil = async (end: Promise<void>): Promise<void> => {
    let ends = false;
    const ended = end.finally(() => {
      ends = true;
      endingBell.ring();
    });
    while (!ends) {
      await endingBell.next(Date.now() + 1000);
      // What can't be told now is told at the next ring, or at the end.
      if (!ends && !gone) await publisher.publish(pod, observation()).catch(() => {});
    }
    await ended;
  };
  const remove = async (): Promise<void> => {
    if (containers.some((container) => container.isRunning())) {
      podEvent(node, pod, 'Normal', 'Killing', 'Stopping containers');
    }
    await tellUntil(endContainers(deletionDeadline));
    if (!gone) await publisher.publish(pod, observation());
    await network.drop(pod);
    if (!gone) await deleteObject();
    await volumes.release(pod);
    for (const container of containers) await container.forget();
    const { namespace = '', name } = pod.metadata;
    await rm(host.disk(podDirectory(uid)), { recursive: true, force: true });
    await rm(host.file(podLogDirectory({ namespace, name, uid })), { recursive: true, force: true });
    done = true;
    waker.stop();
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
      waker.stop();
      for (const container of containers) container.release();
    },
  };
}

function isInitDone(container: PodContainer): boolean {
  const exit = container.stored()?.exit;
  return exit?.code === 0 && exit.reason === 'Completed';
}
