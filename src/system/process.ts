/** Child processes with a deadline and bounded output, and one kind that stays open and speaks in lines. */
import { type ChildProcessWithoutNullStreams, type StdioOptions, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { inNamespace } from './namespace.ts';

export type ProcessOptions = {
  /** Path of the network namespace to start in; default: this process's own. */
  readonly namespace?: string | undefined;
  /** All of its environment; default: this process's own. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly cwd?: string | undefined;
};

export type RunOptions = ProcessOptions & {
  /** Written to its standard input, which is then closed. */
  readonly input?: string | Uint8Array | undefined;
  /** After this the program and its process group are killed, and `code` is 124, as timeout(1) does. Default: never. */
  readonly timeoutMs?: number | undefined;
  /** Bytes of stdout and stderr together until they are killed; default 64 MiB. */
  readonly outputLimit?: number | undefined;
  /** Called for each line of stdout and stderr as it comes. */
  readonly onLine?: ((line: string) => void) | undefined;
};

export type RunResult = {
  /** Exit status; 128 + signal number where a signal ended it; 127 when it can not be started. */
  readonly code: number;
  readonly stdout: string;
  /** Ends with our own line when it was not started or was killed by us. */
  readonly stderr: string;
};

/** Runs a program to its end. Never rejects: what goes wrong is in the result. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const { timeoutMs, outputLimit = 64 * 1024 * 1024, onLine = () => {} } = options;
  return new Promise((resolve) => {
    const said = { stdout: [] as string[], stderr: [] as string[] };
    let size = 0;
    let killed: { readonly code: number; readonly why: string } | undefined;
    let timer: NodeJS.Timeout | undefined;
    const finish = (code: number, why = ''): void => {
      clearTimeout(timer);
      const [stdout, stderr] = [said.stdout.join(''), said.stderr.join('')];
      resolve({ code, stdout, stderr: why === '' ? stderr : `${stderr}${why}\n` });
    };
    let child: ChildProcessWithoutNullStreams;
    try {
      // Its own process group: nsenter and unshare fork, and killing only them would leave the program running.
      child = start(argv, options, true);
    } catch (error) {
      return finish(127, (error as Error).message);
    }
    const kill = (code: number, why: string): void => {
      killed ??= { code, why };
      killGroup(child);
      // What left the process group may hold the pipes open long after the program is gone.
      child.stdout.destroy();
      child.stderr.destroy();
    };
    if (timeoutMs !== undefined)
      timer = setTimeout(() => kill(124, `killed after ${timeoutMs} ms`), timeoutMs);
    const flushes = (['stdout', 'stderr'] as const).map((name) => {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        size += Buffer.byteLength(chunk);
        if (size > outputLimit) kill(137, `killed after more than ${outputLimit} bytes of output`);
        else said[name].push(chunk);
      });
      return readLines(child[name], outputLimit, onLine, () => {});
    });
    child.on('error', (error) => finish(127, error.message));
    child.on('close', (code, signal) => {
      for (const flush of flushes) flush();
      if (killed !== undefined) finish(killed.code, killed.why);
      else finish(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
    // A program that ends without reading its input is judged by its exit code.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
  });
}

/** The standard output of a program that must succeed; else an Error that names the program and what it said. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await run(argv, options);
  if (code === 0) return stdout;
  throw new Error(`${argv.join(' ')}: exit ${code}: ${(stderr.trim() || stdout.trim()).slice(-2000)}`);
}

export type LineProcessOptions = ProcessOptions & {
  readonly onStdout?: (line: string) => void;
  readonly onStderr?: (line: string) => void;
  /** Once, when it has ended and its last line was handed over. */
  readonly onExit?: (ended: {
    /** Undefined when a signal ended it or it could not be started. */
    readonly code: number | undefined;
    readonly signal: NodeJS.Signals | undefined;
  }) => void;
  /** Bytes in one line until it is killed; default 16 MiB. */
  readonly lineLimit?: number;
  /** What the child has as file descriptor 3. */
  readonly third?: number | undefined;
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
export function openLineProcess(argv: readonly string[], options: LineProcessOptions = {}): LineProcess {
  const child = start(argv, options, false, options.third);
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
        if (!alive) return reject(new Error(`${argv[0]}: has ended`));
        child.stdin.write(text, (error) =>
          error ? reject(new Error(`${argv[0]}: ${error.message}`)) : resolve(),
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
  [file = '', ...args]: readonly string[],
  { namespace, env, cwd }: ProcessOptions,
  detached = false,
  third?: number,
): ChildProcessWithoutNullStreams {
  const stdio: StdioOptions = ['pipe', 'pipe', 'pipe', ...(third === undefined ? [] : [third])];
  const child = inNamespace(namespace, () => spawn(file, args, { stdio, env, cwd, detached }));
  return child as ChildProcessWithoutNullStreams;
}

function killGroup(child: ChildProcessWithoutNullStreams): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    child.kill('SIGKILL');
  }
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
