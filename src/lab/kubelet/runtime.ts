/** Containers on a node, run by crun. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { makeFifo } from '#system/libc.ts';
import { inNode } from '../paths.ts';
import { bundleDirectory, eventsDirectory } from './layout.ts';
import { type NodeHost, nodeEnvironment } from './nodehost.ts';
import type { OciConfig } from './oci.ts';

export const crun = ['crun', '--cgroup-manager=disabled'] as const;

export type ContainerPlace = { readonly podUID: string; readonly containerID: string };

const monitorScript = `${inNode.source}/src/lab/kubelet/monitor.sh`;

/** Where a container may leave why it ended (Kubernetes: `terminationMessagePath`). */
const defaultMessagePath = '/dev/termination-log';

/** Makes the bundle: `config.json` (`config` is without the root's path), empty overlay layers, pipes, termination message. */
export function createBundle(
  host: NodeHost,
  { podUID, containerID }: ContainerPlace,
  { root, mounts, ...config }: OciConfig,
  messagePath = defaultMessagePath,
): void {
  const relative = bundleDirectory(podUID, containerID);
  const bundle = host.disk(relative);
  const inside = host.diskInside(relative);
  for (const name of ['upper', 'work', 'rootfs']) mkdirSync(`${bundle}/${name}`, { recursive: true });
  const message = {
    destination: messagePath,
    type: 'bind',
    source: `${inside}/message`,
    options: ['bind', 'rprivate', 'rw'],
  };
  const placed = { ...config, root: { ...root, path: `${inside}/rootfs` }, mounts: [...mounts, message] };
  writeFileSync(`${bundle}/config.json`, JSON.stringify(placed));
  writeFileSync(`${bundle}/message`, '');
  // Written by whatever user the container runs as.
  chmodSync(`${bundle}/message`, 0o666);
  for (const stream of ['stdout', 'stderr']) makeFifo(`${bundle}/${stream}`, 0o600);
}

/** What the container left as its termination message, cut to 4096 characters; empty when nothing. */
export function terminationMessage(host: NodeHost, { podUID, containerID }: ContainerPlace): string {
  const file = `${host.disk(bundleDirectory(podUID, containerID))}/message`;
  return existsSync(file) ? readFileSync(file, 'utf8').slice(0, 4096) : '';
}

/**
 * Starts the monitor and resolves when it is on its own. That the container runs or has ended is told by the files in
 * `events`. The log readers must be open before: output is lost where nobody holds the pipe.
 */
export function startMonitor(
  host: NodeHost,
  { podUID, containerID }: ContainerPlace,
  lower: string,
  keepStdin: boolean,
): Promise<void> {
  const relative = bundleDirectory(podUID, containerID);
  const script = ['sh', monitorScript, host.diskInside(relative), lower];
  const place = [host.diskInside(eventsDirectory), containerID, host.diskInside('')];
  const monitor = [
    'setsid',
    '--fork',
    'unshare',
    '--mount',
    '--propagation',
    'unchanged',
    '--',
    ...script,
    ...place,
  ];
  const [file = '', ...args] = host.command(monitor);
  // Read and write: a container must not die of SIGPIPE because the kubelet restarts.
  const pipes = ['stdout', 'stderr'].map((stream) =>
    openSync(host.disk(`${relative}/${stream}`), constants.O_RDWR),
  );
  const stdin = keepStdin ? openStdin(host.disk(relative)) : undefined;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      stdio: [stdin ?? 'ignore', pipes[0], pipes[1]],
      env: nodeEnvironment,
      detached: true,
    });
    for (const fd of [...pipes, stdin]) if (fd !== undefined) closeSync(fd);
    child.once('error', reject);
    child.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`the container's monitor can't be started (exit ${code})`)),
    );
  });
}

/** A pipe that is never written to: reading it waits for ever, as at a terminal where nobody types. */
function openStdin(bundle: string): number {
  makeFifo(`${bundle}/stdin`, 0o600);
  return openSync(`${bundle}/stdin`, constants.O_RDWR);
}

/** What became of a container, by the files it left: undefined exit code while it runs. */
export function containerEvents(
  host: NodeHost,
  containerID: string,
): { readonly started: boolean; readonly exitCode: number | undefined } {
  const events = host.disk(eventsDirectory);
  const exit = existsSync(`${events}/${containerID}.exit`)
    ? readFileSync(`${events}/${containerID}.exit`, 'utf8')
    : undefined;
  return {
    started: existsSync(`${events}/${containerID}.pid`),
    exitCode: exit === undefined ? undefined : Number.parseInt(exit, 10),
  };
}

/** Why crun could not start a container, in its own words. */
export function startFailure(host: NodeHost, { podUID, containerID }: ContainerPlace): string {
  const bundle = host.disk(bundleDirectory(podUID, containerID));
  const text = ['crun.log', 'monitor.log']
    .map((name) => (existsSync(`${bundle}/${name}`) ? readFileSync(`${bundle}/${name}`, 'utf8').trim() : ''))
    .find((said) => said !== '');
  return (text ?? 'the container runtime gave no reason')
    .replace(/^\d{4}-\d\d-\d\dT\S+\s+/, '')
    .slice(0, 1024);
}

/** Sends a signal to the container's first process; one that has ended is no error. */
export async function signalContainer(host: NodeHost, containerID: string, signal: string): Promise<void> {
  await host.run([...crun, 'kill', containerID, signal], { timeoutMs: 30_000 });
}

/** Runs a command in a container, with its environment and user. */
export async function execInContainer(
  host: NodeHost,
  containerID: string,
  command: readonly string[],
  timeoutMs: number,
): Promise<{ readonly code: number; readonly output: string }> {
  const result = await host.run([...crun, 'exec', containerID, ...command], { timeoutMs });
  return { code: result.code, output: (result.stdout + result.stderr).trim() };
}

/** Removes what a container that has ended left on the disk. */
export async function removeContainer(
  host: NodeHost,
  { podUID, containerID }: ContainerPlace,
): Promise<void> {
  const events = host.disk(eventsDirectory);
  for (const suffix of ['pid', 'exit']) rmSync(`${events}/${containerID}.${suffix}`, { force: true });
  await rm(host.disk(bundleDirectory(podUID, containerID)), { recursive: true, force: true });
}
