/** The machines of a lab: router, outside client and nodes, started and wired. */

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { paths } from '#system/registry.ts';
import { inside, type LabNode } from '../config.ts';
import type { LabFiles, LabSpec, MachineStatus } from '../lab.ts';
import { enterArguments, type Machine, startMachine } from '../machine.ts';
import { inNode } from '../paths.ts';
import { routerFrr, segmentLabel } from '../router.ts';
import {
  nodeAddresses,
  nodeNetwork,
  outsideAddresses,
  outsideNetwork,
  portOf,
  routerAddresses,
  routerNetwork,
  segmentOf,
  type Topology,
} from '../topology.ts';
import { freezeProcesses, thawProcesses } from './freeze.ts';
import { applyNetwork, ipBatch, namespacePath } from './network.ts';

export type Machines = {
  /** Starts the router; others wait for it. Resolves with the path of its namespace. */
  startRouter(): Promise<string>;
  startOutside(): Promise<void>;
  /** Starts a node with what is left of its disk; an unknown name gets the next place in the topology. */
  startNode(name: string): Promise<void>;
  /** Ends a node; its disk stays unless `forget`. */
  stopNode(name: string, forget: boolean): Promise<void>;
  setCable(name: string, plugged: boolean): Promise<void>;
  /** All processes of a node are stopped (SIGSTOP), or run on. `kubelet`: its PID; what it runs in the node is not stopped. */
  setFrozen(name: string, frozen: boolean, kubelet: number | undefined): Promise<void>;
  /** Those that a kubelet can serve: a cut or frozen one has no way to the API server. */
  nodes(): LabNode[];
  status(): MachineStatus[];
};

export function labMachines(spec: LabSpec, files: LabFiles, onNodeEnd: (name: string) => void): Machines {
  let topology: Topology = {
    family: spec.family,
    mtu: spec.mtu,
    nodes: spec.nodes,
    segments: spec.segments,
  };
  const running = new Map<string, Machine>();
  const faults = { cut: new Set<string>(), frozen: new Set<string>() };
  let router: Promise<string> | undefined;
  const hostProc = join(files.directory, 'hostproc');

  const start = async (
    name: string,
    upper: string,
    binds: readonly (readonly [string, string, 'ro' | 'rw'])[],
  ) => {
    const machine = await startMachine({ name, imageRoot: spec.imageRoot, upper, binds, hostProc });
    running.set(name, machine);
    void machine.ended.then(() => {
      if (running.get(name) !== machine) return;
      running.delete(name);
      mendAll(name);
      onNodeEnd(name);
    });
    return machine;
  };
  /** A machine that is started again has a new cable. */
  const mendAll = (name: string) => {
    for (const names of Object.values(faults)) names.delete(name);
  };
  const routerNamespace = () => router ?? Promise.reject(new Error('the router is not started'));
  /** For good, now: the kernel takes its time to remove the links of a namespace, and the next one's have the same names. */
  const unplug = async (name: string) => {
    try {
      await ipBatch(spec.imageRoot, await routerNamespace(), [`link delete ${portOf(topology, name)}`]);
    } catch {
      // Gone by itself already.
    }
  };
  const machineOf = (name: string): Machine => {
    const machine = running.get(name);
    if (machine === undefined) throw new Error(`${name} is not running`);
    return machine;
  };

  return {
    startRouter: () => {
      router = start('router', 'memory', []).then(async ({ pid }) => {
        const namespace = namespacePath(pid);
        await applyNetwork(spec.imageRoot, routerNetwork(topology), namespace, namespace);
        if (spec.bgp === true) startRouterFrr(pid, topology, files.log('router'));
        return namespace;
      });
      return router;
    },
    startOutside: async () => {
      const { pid } = await start('outside', 'memory', []);
      await applyNetwork(
        spec.imageRoot,
        outsideNetwork(topology),
        namespacePath(pid),
        await routerNamespace(),
      );
    },
    startNode: async (name) => {
      if (running.has(name)) throw new Error(`${name} is running already`);
      if (!topology.nodes.includes(name)) topology = { ...topology, nodes: [...topology.nodes, name] };
      await mkdir(files.disk(name), { recursive: true });
      writeMachineId(spec, files, name);
      const { pid } = await start(name, files.root(name), [
        [files.disk(name), inside.disk, 'rw'],
        [spec.imageRoot, inside.image, 'ro'],
        [files.images, inside.images, 'ro'],
      ]);
      await applyNetwork(
        spec.imageRoot,
        nodeNetwork(topology, name),
        namespacePath(pid),
        await routerNamespace(),
      );
    },
    stopNode: async (name, forget) => {
      const machine = running.get(name);
      if (machine === undefined && !existsSync(files.disk(name)))
        throw new Error(`the lab has no node ${name}`);
      running.delete(name);
      mendAll(name);
      if (machine !== undefined) {
        await unplug(name);
        await machine.kill();
      }
      if (!forget) return;
      // The kubelet may be writing there until it hears that the node is gone.
      const whole = { recursive: true, force: true, maxRetries: 20, retryDelay: 50 } as const;
      await rm(files.root(name), whole);
      await rm(files.disk(name), whole);
    },
    setCable: async (name, plugged) => {
      machineOf(name);
      if (name === 'router') throw new Error('the router has no cable of its own');
      await ipBatch(spec.imageRoot, await routerNamespace(), [
        `link set ${portOf(topology, name)} ${plugged ? 'up' : 'down'}`,
      ]);
      setFault(faults.cut, name, !plugged);
    },
    setFrozen: async (name, frozen, kubelet) => {
      const { pid } = machineOf(name);
      if (!topology.nodes.includes(name)) throw new Error(`${name} is no node`);
      if (frozen) freezeProcesses(pid, kubelet);
      else thawProcesses(pid);
      setFault(faults.frozen, name, frozen);
    },
    nodes: () =>
      topology.nodes.flatMap((name) => {
        const machine = running.get(name);
        if (machine === undefined || faults.cut.has(name) || faults.frozen.has(name)) return [];
        const disk = { host: files.disk(name), inside: inside.disk };
        const addresses = nodeAddresses(topology, name);
        const labels = { ...segmentLabels(topology, name), ...spec.labels?.[name] };
        return [{ name, pid: machine.pid, addresses, disk, labels }];
      }),
    status: () => {
      const status = (
        role: MachineStatus['role'],
        name: string,
        addresses: readonly string[],
      ): MachineStatus => {
        const machine = running.get(name);
        const of = (['cut', 'frozen'] as const).filter((fault) => faults[fault].has(name));
        return {
          name,
          role,
          pid: machine?.hostPid ?? 0,
          addresses,
          running: machine !== undefined,
          ...(of.length === 0 ? {} : { faults: of }),
        };
      };
      return [
        status('router', 'router', routerAddresses(spec.family)),
        status('outside', 'outside', outsideAddresses(spec.family)),
        ...topology.nodes
          .filter((name) => running.has(name) || existsSync(files.disk(name)))
          .map((name) => status('node', name, nodeAddresses(topology, name))),
      ];
    },
  };
}

function setFault(names: Set<string>, name: string, there: boolean): void {
  if (there) names.add(name);
  else names.delete(name);
}

function segmentLabels(topology: Topology, node: string): Readonly<Record<string, string>> {
  return (topology.segments ?? 1) === 1 ? {} : { [segmentLabel]: `${segmentOf(topology, node) + 1}` };
}

/** It ends with the router. `pid`: the router's PID 1. */
function startRouterFrr(pid: number, topology: Topology, log: string): void {
  const directory = `/proc/${pid}/root${paths.frrDirectory.value}`;
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(routerFrr(topology))) writeFileSync(join(directory, name), text);
  const argv: readonly string[] = [...enterArguments(pid), 'sh', `${inNode.source}/src/programs/frr/run.sh`];
  const [file = '', ...args] = argv;
  const output = openSync(log, 'a');
  spawn(file, args, { stdio: ['ignore', output, output], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
  closeSync(output);
}

/** Written into the node's own layer before it starts; lives as long as its disk, as on a real machine. */
function writeMachineId(spec: LabSpec, files: LabFiles, name: string): void {
  const path = join(files.root(name), 'up/etc/machine-id');
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  const id = createHash('sha256').update(`${spec.name} ${spec.createdAt} ${name}`).digest('hex').slice(0, 32);
  writeFileSync(path, `${id}\n`);
}

/** The host's number of a process of this PID namespace that is a child of this one; 0 when it is gone. */
export function hostPidOfChild(hostProc: string, pid: number): number {
  const self = readFileSync(`${hostProc}/self/stat`, 'utf8').split(' ', 1)[0] ?? '';
  const children = readFileSync(`${hostProc}/${self}/task/${self}/children`, 'utf8').trim().split(' ');
  for (const child of children) {
    try {
      const numbers = /^NSpid:\s*(.*)$/m
        .exec(readFileSync(`${hostProc}/${child}/status`, 'utf8'))?.[1]
        ?.split(/\s+/);
      if (numbers?.at(-1) === `${pid}`) return Number(child);
    } catch {
      // Ended meanwhile.
    }
  }
  return 0;
}
