/** Starts one set of namespaces over the node image (a lab node, a sandbox) and gives the arguments to enter it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory } from './image/image.ts';
import { compileCache, inNode, runtimeDirectory, sourceRoot } from './paths.ts';

export type MachineOptions = {
  /** Its host name. */
  readonly name: string;
  readonly imageRoot: string;
  /** A directory on a real disk that keeps what the machine writes, or `memory`. */
  readonly upper: string;
  /** Bind mounts besides sources and runtime: host path, path inside, mode. */
  readonly binds?: readonly (readonly [string, string, 'ro' | 'rw'])[];
  /** Where the host's procfs stands when the caller has a PID namespace of its own. */
  readonly hostProc?: string;
};

export type Machine = {
  /** PID 1 inside, as the caller's PID namespace sees it. */
  readonly pid: number;
  /** The same as the host sees it. */
  readonly hostPid: number;
  /** unshare(1), which ends when PID 1 does. */
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
  close(): Promise<void>;
  /** As when its power fails: also when its processes are stopped. */
  kill(): Promise<void>;
};

const script = fileURLToPath(new URL('./image/enter.sh', import.meta.url));

/** Resolves when PID 1 runs and the loopback is up. Its life hangs on a pipe to this process, so it can't be left behind. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const point = join(cacheDirectory(), 'mnt');
  mkdirSync(point, { recursive: true });
  mkdirSync(compileCache, { recursive: true });
  if (options.upper !== 'memory') mkdirSync(options.upper, { recursive: true });
  const binds = [
    `${sourceRoot}:${inNode.source}:ro`,
    `${runtimeDirectory}:${inNode.runtime}:ro`,
    `${compileCache}:${inNode.compileCache}:rw`,
    ...(options.binds ?? []).map((bind) => bind.join(':')),
  ];
  const namespaces = ['--pid', '--mount', '--net', '--uts', '--ipc'];
  const enter = ['sh', script, point, options.imageRoot, options.upper, options.name, ...binds];
  const child = spawn(
    'unshare',
    ['--fork', '--kill-child', ...namespaces, '--', ...enter, '--', 'tini', '--', 'cat'],
    {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { PATH: process.env.PATH, HOST_PROC: options.hostProc ?? '/proc' },
    },
  );
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.stdin.on('error', () => {});
  const { pid, hostPid } = await readyPids(child);
  return {
    pid,
    hostPid,
    child,
    ended,
    close: async () => {
      child.stdin.end();
      // PID 1's end takes everything in its namespace along; it needs no time for that unless the machine is very busy.
      const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
      child.ref();
      await ended;
      clearTimeout(timer);
    },
    kill: async () => {
      // Not by its pipe: what reads that may be stopped, too. PID 1 takes along everything in its namespace, then unshare ends.
      if (child.exitCode === null && child.signalCode === null) process.kill(pid, 'SIGKILL');
      child.ref();
      await ended;
    },
  };
}

/** The command line that runs a program in all namespaces of process `pid`, or in another network namespace of that machine. */
export function enterArguments(pid: number, netns = `/proc/${pid}/ns/net`): string[] {
  return ['nsenter', '--target', `${pid}`, '--mount', '--pid', '--uts', '--ipc', `--net=${netns}`, '--'];
}

function readyPids(child: ChildProcess): Promise<{ pid: number; hostPid: number }> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      said += chunk;
      const ready = /^ready (\d+) (\d+)$/m.exec(said);
      if (ready !== null) resolve({ pid: Number(ready[1]), hostPid: Number(ready[2]) });
    });
    let complained = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      complained = (complained + chunk).slice(-4000);
    });
    child.once('error', reject);
    child.once('close', (code) =>
      reject(new Error(`a machine of the lab can not start (exit ${code}): ${complained.trim()}`)),
    );
  });
}
