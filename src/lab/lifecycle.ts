/** Brings a lab up and takes it down, from any state that a crash may have left. */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, statfs, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { buildRouter, buildStream } from '#router/build.ts';
import { must } from '#system/process.ts';
import type { Family } from './config.ts';
import { labStatus } from './control.ts';
import { imageRoot } from './image/image.ts';
import {
  type LabFiles,
  type LabSpec,
  type LabStatus,
  labFiles,
  type NodeLabels,
  nodeNames,
  type Progress,
} from './lab.ts';
import { withLock } from './lock.ts';
import { labsDirectory } from './paths.ts';

export type UpOptions = {
  readonly name: string;
  readonly nodes: number;
  readonly family: Family;
  /** Default 1500. */
  readonly mtu?: number;
  /** L2 segments behind the router; default one. */
  readonly segments?: number;
  /** The router speaks BGP with the nodes. */
  readonly bgp?: boolean;
  /** Additional labels by node name; a running lab keeps its own. */
  readonly labels?: NodeLabels;
  readonly progress?: (line: string) => void;
};

const fullDisk = () =>
  `the disk of the lab's state is full (${labsDirectory()}): free some space there, or name another place in NETLOOM_STATE`;

/** Something about the wish or the machine; the message is for the user. */
export class LabError extends Error {}

/**
 * Starts a lab whose API server answers and whose kubelet runs when this resolves. A running lab of that name is left as it is
 * (`started: false`) if it is of the wished shape, else LabError. What a crash left of one is removed first.
 */
export async function labUp(
  options: UpOptions,
): Promise<{ readonly spec: LabSpec; readonly started: boolean }> {
  const files = labFiles(options.name);
  const progress = options.progress ?? (() => {});
  return withLock(
    files.directory,
    async () => {
      const running = await labStatus(options.name);
      if (running !== undefined && running.phase !== 'failed') {
        const difference = shapeDifference(running, options);
        if (difference !== undefined) {
          throw new LabError(
            `lab ${options.name} is running with ${difference}: take it down first (netloom lab down --name ${options.name})`,
          );
        }
        return { spec: running.spec, started: false };
      }
      await remove(files);
      await compilePrograms(progress);
      const spec: LabSpec = {
        name: options.name,
        family: options.family,
        mtu: options.mtu ?? 1500,
        nodes: nodeNames(options.nodes),
        segments: options.segments ?? 1,
        bgp: options.bgp ?? false,
        labels: options.labels,
        imageRoot: await imageRoot({ progress }),
        apiPort: await freePort(),
        createdAt: new Date().toISOString(),
      };
      try {
        await mkdir(files.directory, { recursive: true, mode: 0o700 });
        await writeFile(files.spec, `${JSON.stringify(spec, undefined, 2)}\n`);
        await startSupervisor(spec, files, progress);
      } catch (error) {
        throw isFullDisk(error) || (await hasNoRoom()) ? new LabError(fullDisk()) : error;
      }
      return { spec, started: true };
    },
    { onWait: () => progress(`waiting for another process that works on lab ${options.name}`) },
  );
}

/** Ends a lab and removes all of it; false when there was nothing. */
export async function labDown(name: string): Promise<boolean> {
  const files = labFiles(name);
  return withLock(files.directory, () => remove(files));
}

/** Names of the labs that have files on this machine. */
export async function labNames(): Promise<string[]> {
  return (await readdir(labsDirectory()).catch(() => [] as string[])).toSorted((a, b) => a.localeCompare(b));
}

/** Nodes see these sources read-only: what their gateways load of them is made here. */
async function compilePrograms(progress: (line: string) => void): Promise<void> {
  const start = performance.now();
  let isTold = false;
  const tell = () => {
    if (!isTold) progress("compiling the gateways' programs, once for each state of their sources");
    isTold = true;
  };
  await buildRouter('nginx', tell);
  await buildStream(tell);
  if (isTold) progress(`gateways' programs compiled (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

/** Whoever met it: this process, or one of the lab that told of it. */
function isFullDisk(error: unknown): boolean {
  return (
    error instanceof Error && /ENOSPC|No space left on device|disk of the lab's state/.test(error.message)
  );
}

/** Less than a lab's first files take: what failed for it may have other words (`I/O error` of a shell). */
async function hasNoRoom(): Promise<boolean> {
  const { bavail, bsize } = await statfs(labsDirectory());
  return bavail * bsize < 64 * 1024;
}

/** Nodes that were started or killed since count as they are now. */
function shapeDifference({ spec, machines }: LabStatus, wish: UpOptions): string | undefined {
  const nodes = machines.filter(({ role, running }) => role === 'node' && running).length;
  if (nodes !== wish.nodes) return nodes === 1 ? '1 node' : `${nodes} nodes`;
  if (spec.family !== wish.family) return `family ${spec.family}`;
  if (wish.mtu !== undefined && spec.mtu !== wish.mtu) return `MTU ${spec.mtu}`;
  if (wish.segments !== undefined && (spec.segments ?? 1) !== wish.segments)
    return `${spec.segments ?? 1} segments`;
  if (wish.bgp !== undefined && (spec.bgp ?? false) !== wish.bgp)
    return `${spec.bgp === true ? '' : 'no '}BGP on its router`;
  return undefined;
}

async function startSupervisor(
  spec: LabSpec,
  files: LabFiles,
  progress: (line: string) => void,
): Promise<void> {
  const path = (name: string) => fileURLToPath(new URL(`./supervisor/${name}`, import.meta.url));
  const log = openSync(files.log('supervisor'), 'a');
  const start = ['sh', path('start.sh'), files.directory, spec.imageRoot, process.execPath, path('main.ts')];
  const child = spawn('unshare', ['--fork', '--pid', '--mount', '--kill-child', ...start], {
    stdio: ['ignore', 'pipe', log],
    // Its own session: the terminal's Ctrl-C and hang-up don't reach it.
    detached: true,
    cwd: '/',
  });
  closeSync(log);
  const { stdout } = child;
  if (stdout === null) throw new Error('no pipe to the supervisor');
  const started = new Promise<void>((resolve, reject) => {
    createInterface({ input: stdout }).on('line', (line) => {
      const told = JSON.parse(line) as Progress;
      if ('step' in told) progress(`${told.step} (${(told.milliseconds / 1000).toFixed(1)} s)`);
      else if ('done' in told) resolve();
      else
        reject(
          new LabError(`lab ${spec.name} can not start: ${told.failed} (logs: ${files.directory}/*.log)`),
        );
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      const said = readFileSync(files.log('supervisor'), 'utf8').trim().split('\n').slice(-5).join('\n');
      reject(new LabError(`lab ${spec.name}: its supervisor ended (exit ${code}): ${said}`));
    });
  });
  try {
    await started;
  } catch (error) {
    // What runs is of no use; the logs stay until the next up or down.
    await killSupervisors(files.directory);
    throw error;
  } finally {
    child.removeAllListeners('exit');
    stdout.destroy();
    child.unref();
  }
}

/** Ends what runs of a lab, then removes its files. */
async function remove(files: LabFiles): Promise<boolean> {
  const killed = await killSupervisors(files.directory);
  if (!existsSync(files.directory)) return killed;
  await must(['rm', '-rf', '--one-file-system', files.directory]);
  // Directories above are Netloom's own; gone when no lab is left.
  for (const path of [dirname(files.directory), dirname(dirname(files.directory))])
    await rmdir(path).catch(() => {});
  return true;
}

/** Found by their command line, not by a file: a crash can't make that wrong, and no PID is taken for another's. */
async function killSupervisors(directory: string): Promise<boolean> {
  let found = false;
  const deadline = Date.now() + 30_000;
  for (;;) {
    const { init, starters } = await supervisorPids(directory);
    if (init.length + starters.length === 0) return found;
    if (Date.now() > deadline)
      throw new LabError(`processes ${[...init, ...starters].join(', ')} of the lab do not end`);
    found = true;
    // The end of PID 1 takes its whole namespace along, and unshare waits for it: killing unshare, too, would leave nobody to reap.
    for (const pid of init.length > 0 ? init : starters) killNow(pid);
    await sleep(10);
  }
}

function killNow(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** `init`: tini, PID 1 of the lab's namespace (before that: its shell); `starters`: unshare(1). */
async function supervisorPids(directory: string): Promise<{ init: number[]; starters: number[] }> {
  const init: number[] = [];
  const starters: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const words = (await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')).split('\0');
    const ours = words.includes(directory) && words.some((word) => word.endsWith('/supervisor/start.sh'));
    if (ours && words[0] === 'unshare') starters.push(Number(name));
    else if (ours) init.push(Number(name));
    else if (words[0]?.endsWith('/tini-static') === true && words.includes(`${directory}/lab.json`))
      init.push(Number(name));
  }
  return { init, starters };
}

/**
 * A port that nobody listens on, below the range that connections take theirs from: what any program's connection happened to have
 * would be refused to the API server, for a minute after its end even.
 */
async function freePort(): Promise<number> {
  const isFree = (port: number): Promise<boolean> =>
    new Promise((resolve) => {
      const server = createServer();
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
    });
  for (let tries = 0; tries < 100; tries += 1) {
    const port = randomInt(portRange.first, portRange.last + 1);
    if (await isFree(port)) return port;
  }
  throw new LabError(`no free port on 127.0.0.1 from ${portRange.first} to ${portRange.last}`);
}

const portRange = { first: 20_000, last: 29_999 } as const;
