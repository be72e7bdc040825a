/** Running programs inside a node, and reaching its files. */
import { lstatSync, mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { type RunOptions, type RunResult, run } from '#system/process.ts';
import type { LabNode } from '../config.ts';

export type NodeHost = {
  readonly name: string;
  readonly addresses: readonly string[];
  /** Changes when the node's namespaces are made anew: what ran in the old ones is gone. */
  readonly boot: string;
  readonly networkNamespace: string;
  /**
   * Path for the kubelet of an absolute path in the node. Absolute symbolic links on the way would lead back to the kubelet's own
   * root: use it only where there are none.
   */
  file(inside: string): string;
  /** A path below the node's disk, for the kubelet. */
  disk(relative: string): string;
  /** The same path, for programs in the node. */
  diskInside(relative: string): string;
  /** The command line that starts a program in all of the node's namespaces. */
  command(argv: readonly string[]): readonly string[];
  /** Runs a program in the node; never rejects. At most two a core are busy at a time, over all nodes. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Whether a name exists at that path in the node, without following links. */
  exists(inside: string): boolean;
};

const environment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LANG: 'C.UTF-8',
};

/** `boot` is the identity of the node's PID namespace. Throws when the node does not run. */
export function openNode(node: LabNode): NodeHost {
  const root = `/proc/${node.pid}/root`;
  const namespace = lstatSync(`/proc/${node.pid}/ns/pid`, { bigint: true });
  const { ino } = namespace;
  for (const directory of ['pods', 'events'])
    mkdirSync(`${node.disk.host}/${directory}`, { recursive: true });
  const enter = ['nsenter', '-t', `${node.pid}`, '-m', '-n', '-p', '-u', '-i', '--'];
  const host: NodeHost = {
    name: node.name,
    addresses: node.addresses,
    boot: `${node.pid}-${ino}`,
    networkNamespace: `/proc/${node.pid}/ns/net`,
    file: (inside) => `${root}${inside}`,
    disk: (relative) => `${node.disk.host}/${relative}`,
    diskInside: (relative) => `${node.disk.inside}/${relative}`,
    command: (argv) => [...enter, ...argv],
    run: (argv, options = {}) =>
      limited(() => run([...enter, ...argv], { ...options, env: { ...environment, ...options.env } })),
    exists: (inside) => lstatSync(`${root}${inside}`, { throwIfNoEntry: false }) !== undefined,
  };
  return host;
}

export { environment as nodeEnvironment };

/** More busy processes than the machine has cores for only make each pod later. */
const atOnce = Math.max(4, availableParallelism() * 2);
/** Who takes longer waits for something (a hook that drains, a plugin without a free address), and no other pod is to wait for that. */
const busyMs = 1000;
let running = 0;
const waiting: (() => void)[] = [];

export async function limited<T>(work: () => Promise<T>): Promise<T> {
  if (running >= atOnce) await new Promise<void>((resolve) => waiting.push(resolve));
  else running += 1;
  let isCounted = true;
  const leave = (): void => {
    if (!isCounted) return;
    isCounted = false;
    const next = waiting.shift();
    if (next === undefined) running -= 1;
    else next();
  };
  const timer = setTimeout(leave, busyMs);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    leave();
  }
}
