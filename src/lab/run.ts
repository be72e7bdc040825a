/** Runs a program of the machine to its end and gives what it wrote. */
import { spawn } from 'node:child_process';

export type RunOptions = {
  /** Written to its standard input, which is then closed. */
  readonly input?: string | Uint8Array | undefined;
  /** After this the program and its process group are killed; `code` is then 124, as timeout(1) does. */
  readonly timeoutMs?: number | undefined;
  readonly env?: NodeJS.ProcessEnv | undefined;
  readonly cwd?: string | undefined;
  /** Called for each whole line of standard output and error as it comes. */
  readonly onLine?: ((line: string) => void) | undefined;
};

export type RunResult = {
  /** Exit status; 128 + signal number where a signal ended it; 127 when it can not be started. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
};

const signals: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

/** Never rejects: a program that can not be started is a result with code 127. */
export function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [file = '', ...args] = argv;
  return new Promise((resolve) => {
    // Its own process group: nsenter and unshare fork, and killing only them would leave the program running.
    const child = spawn(file, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      detached: true,
      stdio: 'pipe',
    });
    let timedOut = false;
    const kill = () => {
      if (child.pid !== undefined) {
        try {
          process.kill(-child.pid, 'SIGKILL');
        } catch {
          child.kill('SIGKILL');
        }
      }
    };
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            kill();
          }, options.timeoutMs);
    const stdout = collect(child.stdout, options.onLine);
    const stderr = collect(child.stderr, options.onLine);
    const finish = (code: number, extra = '') => {
      clearTimeout(timer);
      resolve({ code: timedOut ? 124 : code, stdout: stdout(), stderr: stderr() + extra });
    };
    child.on('error', (error) => finish(127, error.message));
    child.on('close', (code, signal) => finish(code ?? 128 + (signals[signal ?? ''] ?? 0)));
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
  });
}

/** Like run, but throws an error that names program and message when its exit status isn't 0. Gives standard output. */
export async function must(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const result = await run(argv, options);
  if (result.code !== 0) {
    throw new Error(
      `${argv.join(' ')}: exit ${result.code}: ${(result.stderr.trim() || result.stdout.trim()).slice(-2000)}`,
    );
  }
  return result.stdout;
}

function collect(stream: NodeJS.ReadableStream, onLine: RunOptions['onLine']): () => string {
  const chunks: string[] = [];
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    chunks.push(chunk);
    if (onLine === undefined) return;
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line);
  });
  return () => chunks.join('');
}
