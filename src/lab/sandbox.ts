/** A throw-away machine for tests: own network, mount, PID, host name and IPC namespaces over the node image. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { type RunOptions, type RunResult, run } from '#system/process.ts';
import { imageRoot } from './image/image.ts';
import { enterArguments, startMachine } from './machine.ts';

export type SandboxOptions = {
  /** `ipv4`: the kernel's IPv6 is off in it. Default: both. */
  readonly family?: 'ipv4' | 'ipv6' | 'dual';
  /** Default: the node image, built when it isn't there. */
  readonly imageRoot?: string;
};

export type Where = {
  /** Name of a network namespace made by addNamespace; default: the sandbox's own. */
  readonly netns?: string | undefined;
};

export type Sandbox = {
  /** Its PID 1, as the host sees it. */
  readonly pid: number;
  /** Path of its network namespace for setns(2), valid until close. */
  readonly namespace: string;
  /** Runs a program of the image in it; never rejects. The root has `/opt/netloom` (sources) and `/opt/node/bin/node`. */
  exec(argv: readonly string[], options?: RunOptions & Where): Promise<RunResult>;
  /** Starts a program in it. It dies with the sandbox at the latest. */
  spawn(argv: readonly string[], options?: Where): ChildProcessWithoutNullStreams;
  /** Adds a network namespace inside (`ip netns`), loopback up, and gives its path for setns(2) from the host. */
  addNamespace(name: string): Promise<string>;
  /** Ends everything in it. Nothing of it is left when this resolves. Again: does nothing. */
  close(): Promise<void>;
};

/** Opens a sandbox (about 50 ms). It ends with the calling process, also when that is killed, and leaves no file. */
export async function openSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const root = options.imageRoot ?? (await imageRoot());
  // PID 1 waits for the end of its input: the pipe closes when this process ends, in whatever way.
  const machine = await startMachine({ name: 'sandbox', imageRoot: root, upper: 'memory' });
  const { pid } = machine;
  // Leftover sandboxes don't keep a test process alive.
  machine.child.unref();
  for (const stream of machine.child.stdio) unref(stream);

  const path = (name: string | undefined) =>
    name === undefined ? `/proc/${pid}/ns/net` : `/proc/${pid}/root/run/netns/${name}`;
  const command = (argv: readonly string[], where: Where) => [
    ...enterArguments(pid, path(where.netns)),
    ...argv,
  ];
  const environment = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin:/opt/node/bin', HOME: '/root', LANG: 'C.UTF-8' };

  const sandbox: Sandbox = {
    pid,
    namespace: path(undefined),
    exec: (argv, execOptions = {}) =>
      run(command(argv, execOptions), { ...execOptions, env: { ...environment, ...execOptions.env } }),
    spawn: (argv, where = {}) => {
      const [file = '', ...args] = command(argv, where);
      return spawn(file, args, { env: environment, stdio: 'pipe' });
    },
    addNamespace: async (name) => {
      for (const argv of [
        ['ip', 'netns', 'add', name],
        ['ip', '-n', name, 'link', 'set', 'lo', 'up'],
      ]) {
        const result = await sandbox.exec(argv);
        if (result.code !== 0) throw new Error(`${argv.join(' ')}: ${result.stderr.trim()}`);
      }
      return path(name);
    },
    close: () => machine.close(),
  };
  if (options.family === 'ipv4') {
    for (const scope of ['all', 'default', 'lo']) {
      await sandbox.exec(['sysctl', '-qw', `net.ipv6.conf.${scope}.disable_ipv6=1`]);
    }
  }
  return sandbox;
}

function unref(stream: ChildProcess['stdio'][number] | undefined): void {
  if (stream !== null && stream !== undefined && 'unref' in stream && typeof stream.unref === 'function')
    stream.unref();
}
