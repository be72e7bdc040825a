/** `kubectl exec`: a process in a container, spoken to over the channel sub-protocols v4 and v5 (kubelet-contract.md). */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { WebSocket } from 'ws';
import type { ExecOptions } from '../apiserver/kubelet.ts';
import { bundleDirectory } from './layout.ts';
import { type NodeHost, nodeEnvironment } from './nodehost.ts';
import { crun } from './runtime.ts';

const channels = { stdin: 0, stdout: 1, stderr: 2, status: 3, resize: 4, close: 255 } as const;

export type ExecTarget = {
  readonly host: NodeHost;
  readonly podUID: string;
  readonly containerID: string;
};

let next = 0;

/** Runs the command until it ends or the connection does. Never rejects. */
export function serveExec(socket: WebSocket, target: ExecTarget, options: ExecOptions): void {
  next += 1;
  const session = `exec-${process.pid}-${next}`;
  const relative = `${bundleDirectory(target.podUID, target.containerID)}/${session}`;
  mkdirSync(target.host.disk(relative), { recursive: true });
  const child = options.tty
    ? startTerminal(target, relative, options.command)
    : start(target.host, [...crun, 'exec', target.containerID, ...options.command], options.stdin);
  const send = (channel: number, data: Uint8Array): void => {
    if (socket.readyState !== socket.OPEN) return;
    socket.send(Buffer.concat([Buffer.of(channel), data]), { binary: true }, () => {
      // A reader slower than the command must not fill our memory.
      if (socket.bufferedAmount < bufferLow)
        for (const stream of [child.stdout, child.stderr]) stream?.resume();
    });
    if (socket.bufferedAmount > bufferHigh)
      for (const stream of [child.stdout, child.stderr]) stream?.pause();
  };
  if (options.stdout || options.tty) child.stdout?.on('data', (data: Buffer) => send(channels.stdout, data));
  else child.stdout?.resume();
  const errors = options.tty ? channels.stdout : channels.stderr;
  if (options.stderr || options.tty) child.stderr?.on('data', (data: Buffer) => send(errors, data));
  else child.stderr?.resume();
  child.stdin?.on('error', () => {});

  socket.on('message', (message: Buffer) => {
    const [channel] = message;
    const data = message.subarray(1);
    if (channel === channels.stdin) child.stdin?.write(data);
    if (channel === channels.close && data[0] === channels.stdin) child.stdin?.end();
    if (channel === channels.resize && options.tty) resize(target, relative, data);
  });
  const end = (): void => {
    rmSync(target.host.disk(relative), { recursive: true, force: true });
  };
  let ended = false;
  child.once('error', (error) => {
    ended = true;
    finish(socket, send, { failure: error.message });
    end();
  });
  child.once('close', (code, signal) => {
    if (ended) return;
    ended = true;
    finish(socket, send, { code: code ?? 128 + (signal === 'SIGKILL' ? 9 : 15) });
    end();
  });
  socket.once('close', () => {
    if (ended) return;
    // crun passes the end of its terminal or input on; what doesn't listen to that is killed with its session.
    child.stdin?.end();
    killGroup(child);
  });
  socket.on('error', () => socket.terminate());
}

const bufferHigh = 4 * 1024 * 1024;
const bufferLow = 1024 * 1024;

function start(host: NodeHost, argv: readonly string[], stdin: boolean): ChildProcess {
  const [file = '', ...args] = host.command(argv);
  return spawn(file, args, {
    stdio: [stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    env: nodeEnvironment,
    detached: true,
  });
}

/**
 * script(1) makes the terminal. The command never meets its shell: it stands in a file, argument by argument, from which crun reads it.
 * The terminal's name is left in a file for `resize`.
 */
function startTerminal(
  { host, containerID, podUID }: ExecTarget,
  relative: string,
  command: readonly string[],
): ChildProcess {
  const config = JSON.parse(
    readFileSync(host.disk(`${bundleDirectory(podUID, containerID)}/config.json`), 'utf8'),
  ) as { readonly process: { readonly env: readonly string[] } };
  const env = [...config.process.env.filter((variable) => !variable.startsWith('TERM=')), 'TERM=xterm'];
  writeFileSync(
    host.disk(`${relative}/process.json`),
    JSON.stringify({ ...config.process, env, args: command, terminal: true }),
  );
  const place = host.diskInside(relative);
  const runner = `tty >${place}/tty
until [ -e ${place}/size ] || [ $((waited += 1)) -gt 20 ]; do sleep 0.01; done
[ -e ${place}/size ] && stty $(cat ${place}/size)
exec ${crun.join(' ')} exec --tty --process ${place}/process.json ${containerID}
`;
  writeFileSync(host.disk(`${relative}/run`), runner);
  return start(host, ['script', '-qfec', `sh ${place}/run`, '/dev/null'], true);
}

/** Best effort: a terminal that is gone has no size. */
function resize({ host }: ExecTarget, relative: string, data: Buffer): void {
  try {
    const { Width, Height } = JSON.parse(data.toString()) as {
      readonly Width: unknown;
      readonly Height: unknown;
    };
    const [columns, rows] = [Number(Width), Number(Height)];
    if (!Number.isInteger(columns) || !Number.isInteger(rows)) return;
    writeFileSync(host.disk(`${relative}/size`), `cols ${columns} rows ${rows}`);
    const terminal = readFileSync(host.disk(`${relative}/tty`), 'utf8').trim();
    if (!/^\/dev\/pts\/\d+$/.test(terminal)) return;
    void host.run(['stty', '-F', terminal, 'cols', `${columns}`, 'rows', `${rows}`], { timeoutMs: 5000 });
  } catch {
    // The terminal is not there yet: it takes the size from the file when it starts.
  }
}

function finish(
  socket: WebSocket,
  send: (channel: number, data: Uint8Array) => void,
  outcome: { readonly code?: number; readonly failure?: string },
): void {
  send(channels.status, Buffer.from(JSON.stringify(execStatus(outcome))));
  socket.close(1000);
}

/** What channel 3 says: metav1.Status. */
export function execStatus({ code, failure }: { readonly code?: number; readonly failure?: string }): object {
  if (failure !== undefined)
    return { metadata: {}, status: 'Failure', reason: 'InternalError', message: failure };
  if (code === 0) return { metadata: {}, status: 'Success' };
  return {
    metadata: {},
    status: 'Failure',
    reason: 'NonZeroExitCode',
    message: `command terminated with exit code ${code}`,
    details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
  };
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
