/** A process of the lab that is started again whenever it ends. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { ProcessStatus } from '../lab.ts';

export type ChildOptions = {
  readonly name: string;
  readonly argv: readonly string[];
  /** File that its output is appended to. */
  readonly log: string;
  readonly env: NodeJS.ProcessEnv;
  /** Its number on the host. */
  readonly hostPid: (pid: number) => number;
};

export type Child = {
  /** As this process sees it; undefined while it doesn't run. */
  pid(): number | undefined;
  status(): ProcessStatus;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL when it has not ended after `graceMs`. It is not started again. */
  stop(graceMs?: number): Promise<void>;
};

const firstPause = 100;
const longestPause = 5_000;
/** A process that ran this long has started well: the next pause is short again. */
const steady = 10_000;

export function keepRunning(options: ChildOptions): Child {
  const [file = '', ...args] = options.argv;
  let child: ChildProcess | undefined;
  let hostPid = 0;
  let restarts = -1;
  let startedAt = 0;
  let pause = firstPause;
  let lastExit: string | undefined;
  let stopping = false;
  let timer: NodeJS.Timeout | undefined;
  let ended: Promise<void> = Promise.resolve();

  const start = () => {
    restarts++;
    startedAt = Date.now();
    const log = openSync(options.log, 'a');
    const started = spawn(file, args, { stdio: ['ignore', log, log], env: options.env });
    closeSync(log);
    child = started;
    hostPid = started.pid === undefined ? 0 : options.hostPid(started.pid);
    ended = new Promise((resolve) => {
      const over = (how: string) => {
        if (child === started) child = undefined;
        lastExit = how;
        resolve();
        if (stopping) return;
        pause = Date.now() - startedAt > steady ? firstPause : Math.min(pause * 2, longestPause);
        timer = setTimeout(start, pause);
      };
      started.once('error', (error) => over(error.message));
      started.once('exit', (code, signal) => over(signal ?? `exit code ${code}`));
    });
  };
  start();

  return {
    pid: () => child?.pid,
    status: () => ({
      name: options.name,
      running: child !== undefined,
      pid: child === undefined ? 0 : hostPid,
      restarts,
      startedAt: new Date(startedAt).toISOString(),
      ...(lastExit === undefined ? {} : { lastExit }),
    }),
    signal: (signal) => void child?.kill(signal),
    stop: async (graceMs = 5_000) => {
      stopping = true;
      clearTimeout(timer);
      child?.kill('SIGTERM');
      const kill = setTimeout(() => child?.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(kill);
    },
  };
}
