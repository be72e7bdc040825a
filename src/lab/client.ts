/** A running lab for tests, benches and the CLI: its machines, and what may be done to them. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { type RunOptions, type RunResult, run } from '#system/process.ts';
import { control, labStatus } from './control.ts';
import { type LabSpec, type LabStatus, labFiles } from './lab.ts';
import { enterArguments } from './machine.ts';
import { inNode } from './paths.ts';

/** A node's name, `router` or `outside`. */
export type Where = string;

export type Lab = {
  readonly spec: LabSpec;
  readonly kubeconfigPath: string;
  /** Names of the nodes that run. */
  nodes(): Promise<string[]>;
  status(): Promise<LabStatus>;
  /** PID 1 of a machine as the host sees it. */
  pidOf(where: Where): Promise<number>;
  /** Path of a machine's network namespace, valid while it runs. */
  namespaceOf(where: Where): Promise<string>;
  /** Underlay addresses of a machine, IPv4 first. */
  addressesOf(where: Where): Promise<readonly string[]>;
  /** Runs a program of the node image in all namespaces of a machine. */
  exec(where: Where, argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Starts one; it ends with the machine at the latest. */
  spawn(where: Where, argv: readonly string[]): Promise<ChildProcessWithoutNullStreams>;
  cutCable(node: string): Promise<void>;
  plugCable(node: string): Promise<void>;
  /** Stops all processes of a node, its pods' too; the kernel goes on. Its kubelet is away meanwhile, as when its cable is cut. */
  freeze(node: string): Promise<void>;
  thaw(node: string): Promise<void>;
  /** Starts a node: a new one, or one that was removed with its disk kept. Its Node object is the kubelet's work. */
  addNode(name: string): Promise<void>;
  /** Ends a node as if its power failed; its Node object stays. `keepDisk`: it may come back as it was. */
  removeNode(name: string, options?: { readonly keepDisk?: boolean }): Promise<void>;
  /** Kills a process of the lab (default SIGKILL); the supervisor starts it again. */
  restart(process: 'apiserver' | 'kubelet', signal?: NodeJS.Signals): Promise<void>;
};

/** What a program on a machine of the lab starts with. */
export const machineEnvironment = {
  NODE_COMPILE_CACHE: inNode.compileCache,
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin:/opt/node/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
};

/** Throws when no such lab runs. */
export async function openLab(name = 'default'): Promise<Lab> {
  const status = async () => {
    const found = await labStatus(name);
    if (found === undefined) throw new Error(`lab ${name} is not running (netloom lab up --name ${name})`);
    return found;
  };
  const machine = async (where: Where) => {
    const found = (await status()).machines.find((candidate) => candidate.name === where);
    if (found?.running !== true) throw new Error(`lab ${name} has no running machine ${where}`);
    return found;
  };
  const command = async (where: Where, argv: readonly string[]) => [
    ...enterArguments((await machine(where)).pid),
    ...argv,
  ];
  const cable = (node: string, plugged: boolean) =>
    control(name, 'POST', `/nodes/${encodeURIComponent(node)}/cable?plugged=${plugged}`);
  const frozen = (node: string, is: boolean) =>
    control(name, 'POST', `/nodes/${encodeURIComponent(node)}/processes?frozen=${is}`);
  const { spec } = await status();
  return {
    spec,
    kubeconfigPath: labFiles(name).kubeconfig,
    status,
    nodes: async () =>
      (await status()).machines
        .filter(({ role, running }) => role === 'node' && running)
        .map((node) => node.name),
    pidOf: async (where) => (await machine(where)).pid,
    namespaceOf: async (where) => `/proc/${(await machine(where)).pid}/ns/net`,
    addressesOf: async (where) => (await machine(where)).addresses,
    exec: async (where, argv, options = {}) =>
      run(await command(where, argv), { ...options, env: { ...machineEnvironment, ...options.env } }),
    spawn: async (where, argv) => {
      // nsenter forks: without this the program would outlive it, and hold our pipes open.
      const [file = '', ...args] = await command(where, ['setpriv', '--pdeathsig', 'KILL', '--', ...argv]);
      return spawn(file, args, { env: machineEnvironment, stdio: 'pipe' });
    },
    cutCable: async (node) => void (await cable(node, false)),
    plugCable: async (node) => void (await cable(node, true)),
    freeze: async (node) => void (await frozen(node, true)),
    thaw: async (node) => void (await frozen(node, false)),
    addNode: async (node) => void (await control(name, 'POST', `/nodes/${encodeURIComponent(node)}`)),
    removeNode: async (node, options = {}) =>
      void (await control(
        name,
        'DELETE',
        `/nodes/${encodeURIComponent(node)}?forget=${options.keepDisk !== true}`,
      )),
    restart: async (process, signal = 'SIGKILL') =>
      void (await control(name, 'POST', `/processes/${process}?signal=${signal}`)),
  };
}
