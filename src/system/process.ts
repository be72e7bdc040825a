/** Child processes with a deadline and bounded output, and one kind that stays open and speaks in lines. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { inNamespace } from './namespace.ts';

export type ProcessOptions = {
  /** Path of the network namespace to start in; default: this process's own. */
  readonly namespace?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly cwd?: string | undefined;
};

export type RunOptions = ProcessOptions & {
  /** Written to its standard input, which is then closed. */
  readonly input?: string | Uint8Array | undefined;
  /** Milliseconds until it is killed; default 30,000. */
  readonly deadline?: number | undefined;
  /** Bytes of stdout and stderr together until it is killed; default 64 MiB. */
  readonly outputLimit?: number | undefined;
};

export type Finished = {
  /** Exit code, undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
};

/** A child that could not be started, ran too long, said too much or (from `output`) failed. */
export class ProcessError extends Error {
  readonly command: string;
  readonly reason: 'start' | 'deadline' | 'output' | 'exit';
  readonly finished: Finished | undefined;

  constructor(command: string, reason: ProcessError['reason'], detail: string, finished?: Finished) {
    super(`${command}: ${detail}`);
    this.name = 'ProcessError';
    this.command = command;
    this.reason = reason;
    this.finished = finished;
  }
}

/** Runs a program to its end, whatever its exit code. Throws ProcessError (start, deadline, output) otherwise. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const deadline = options.deadline ?? 30_000;
    const limit = options.outputLimit ?? 64 * 1024 * 1024;
    const child = start(command, args, options);
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let size = 0;
    let failure: ProcessError | undefined;
    const giveUp = (error: ProcessError) => {
      failure ??= error;
      child.kill('SIGKILL');
      // A grandchild may hold the pipes open long after the child is gone.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const timer = setTimeout(
      () => giveUp(new ProcessError(command, 'deadline', `killed after ${deadline} ms`)),
      deadline,
    );
    const collect = (chunks: Buffer[]) => (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit)
        giveUp(new ProcessError(command, 'output', `killed after more than ${limit} bytes of output`));
      else chunks.push(chunk);
    };
    child.stdout.on('data', collect(stdout));
    child.stderr.on('data', collect(stderr));
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(failure ?? new ProcessError(command, 'start', error.message));
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      if (failure !== undefined) reject(failure);
      else {
        resolve({
          code: code ?? undefined,
          signal: signal ?? undefined,
          stdout: Buffer.concat(stdout).toString(),
          stderr: Buffer.concat(stderr).toString(),
        });
      }
    });
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
  });
}

/** The standard output of a program that must succeed; else ProcessError with what it said on stderr. */
export async function output(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const finished = await run(command, args, options);
  if (finished.code === 0) return finished.stdout;
  const how = finished.code === undefined ? `ended by ${finished.signal}` : `exit code ${finished.code}`;
  const said = finished.stderr.trim() || finished.stdout.trim();
  throw new ProcessError(command, 'exit', said === '' ? how : `${how}: ${said}`, finished);
}

export type LineProcessOptions = ProcessOptions & {
  readonly onStdout?: (line: string) => void;
  readonly onStderr?: (line: string) => void;
  /** Once, when it has ended and its last line was handed over. */
  readonly onExit?: (finished: Pick<Finished, 'code' | 'signal'>) => void;
  /** Bytes in one line until it is killed; default 16 MiB. */
  readonly lineLimit?: number;
};

/** A child that stays open, reads text and answers in lines. */
export type LineProcess = {
  readonly pid: number | undefined;
  /** False once it has ended or was told to. */
  readonly alive: boolean;
  /** Resolves when the text is in the pipe; rejects when the child is gone. */
  write(text: string): Promise<void>;
  /** Closes its input, waits `grace` ms (default 2,000) for it to end, then kills it. */
  close(grace?: number): Promise<void>;
  kill(signal?: NodeJS.Signals): void;
};

/** Starts a child that stays open. A program that can't be started ends with `onStderr` saying why and `onExit`. */
export function openLineProcess(
  command: string,
  args: readonly string[],
  options: LineProcessOptions = {},
): LineProcess {
  const child = start(command, args, options);
  const limit = options.lineLimit ?? 16 * 1024 * 1024;
  let alive = true;
  let ended: () => void = () => {};
  const end = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const killNow = () => {
    child.kill('SIGKILL');
    // A grandchild may hold the pipes open long after the child is gone.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const tooLong = () => {
    options.onStderr?.(`killed: a line of more than ${limit} bytes`);
    killNow();
  };
  const flushes = [
    readLines(child.stdout, limit, (line) => options.onStdout?.(line), tooLong),
    readLines(child.stderr, limit, (line) => options.onStderr?.(line), tooLong),
  ];
  child.stdin.on('error', () => {});
  child.on('error', (error) => {
    options.onStderr?.(error.message);
    if (child.pid === undefined) finish(undefined, undefined);
  });
  child.on('close', (code, signal) => finish(code ?? undefined, signal ?? undefined));

  let finished = false;
  function finish(code: number | undefined, signal: NodeJS.Signals | undefined): void {
    if (finished) return;
    finished = true;
    alive = false;
    for (const flush of flushes) flush();
    options.onExit?.({ code, signal });
    ended();
  }

  return {
    pid: child.pid,
    get alive() {
      return alive;
    },
    write: (text) =>
      new Promise((resolve, reject) => {
        if (!alive) return reject(new ProcessError(command, 'exit', 'has ended'));
        child.stdin.write(text, (error) =>
          error ? reject(new ProcessError(command, 'exit', error.message)) : resolve(),
        );
      }),
    close: async (grace = 2_000) => {
      if (finished) return;
      alive = false;
      child.stdin.end();
      const timer = setTimeout(killNow, grace);
      await end;
      clearTimeout(timer);
    },
    kill: (signal = 'SIGKILL') => (signal === 'SIGKILL' ? killNow() : void child.kill(signal)),
  };
}

// The fork happens inside spawn(), on this thread, so the child is born in the namespace that the thread is in.
function start(
  command: string,
  args: readonly string[],
  options: ProcessOptions,
): ChildProcessWithoutNullStreams {
  return inNamespace(options.namespace, () =>
    spawn(command, args, {
      stdio: 'pipe',
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    }),
  );
}

/** Hands over each line without its end; the returned function hands over what is left without one. */
function readLines(
  stream: NodeJS.ReadableStream,
  limit: number,
  onLine: (line: string) => void,
  tooLong: () => void,
): () => void {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
    if (rest.length > limit) {
      rest = '';
      tooLong();
    }
  });
  return () => {
    if (rest !== '') onLine(rest);
    rest = '';
  };
}
