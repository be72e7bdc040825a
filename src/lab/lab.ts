/** What makes up a lab, as data: its name, its specification, and where its files are. */
import { join } from 'node:path';
import type { Family } from './config.ts';
import { labsDirectory } from './paths.ts';
import { maxNodes } from './topology.ts';

/** Kept in `lab.json` while the lab exists. */
export type LabSpec = {
  readonly name: string;
  readonly family: Family;
  readonly mtu: number;
  /** Names of the nodes to start with. */
  readonly nodes: readonly string[];
  /** L2 segments behind the router; default one. */
  readonly segments?: number | undefined;
  /** The router speaks BGP with the nodes. */
  readonly bgp?: boolean | undefined;
  /** Additional labels by node name. */
  readonly labels?: NodeLabels | undefined;
  readonly imageRoot: string;
  /** Host port of the API server, on 127.0.0.1. */
  readonly apiPort: number;
  /** RFC 3339. */
  readonly createdAt: string;
};

export type NodeLabels = Readonly<Record<string, Readonly<Record<string, string>>>>;

export type LabFiles = {
  readonly directory: string;
  readonly spec: string;
  readonly control: string;
  readonly kubeconfig: string;
  readonly kubeletSocket: string;
  readonly images: string;
  /** Log of `supervisor`, `apiserver` or `kubelet`. */
  readonly log: (process: string) => string;
  readonly config: (process: string) => string;
  readonly data: (process: string) => string;
  /** Upper layer of a node's root. */
  readonly root: (node: string) => string;
  /** A node's directory on a real disk. */
  readonly disk: (node: string) => string;
};

/** A name becomes a directory and part of command lines: DNS label, as Kubernetes names. Returns what is wrong with it. */
export function labNameProblem(name: string): string | undefined {
  return /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)
    ? undefined
    : `${JSON.stringify(name)} is no lab name: use up to 40 lower case letters, digits and dashes`;
}

export function nodeNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `node${i + 1}`);
}

export function nodeCountProblem(count: number): string | undefined {
  return Number.isInteger(count) && count >= 1 && count <= maxNodes
    ? undefined
    : `a lab has 1 to ${maxNodes} nodes`;
}

export function labFiles(name: string): LabFiles {
  const problem = labNameProblem(name);
  if (problem !== undefined) throw new Error(problem);
  const directory = join(labsDirectory(), name);
  return {
    directory,
    spec: join(directory, 'lab.json'),
    control: join(directory, 'control.sock'),
    kubeconfig: join(directory, 'kubeconfig'),
    kubeletSocket: join(directory, 'kubelet.sock'),
    images: join(directory, 'images'),
    log: (process) => join(directory, `${process}.log`),
    config: (process) => join(directory, `${process}.json`),
    data: (process) => join(directory, process),
    root: (node) => join(directory, 'roots', node),
    disk: (node) => join(directory, 'disks', node),
  };
}

/** What the supervisor says of a lab. */
export type LabStatus = {
  readonly spec: LabSpec;
  readonly phase: 'starting' | 'running' | 'failed';
  /** Why it failed. */
  readonly error?: string;
  readonly machines: readonly MachineStatus[];
  readonly processes: readonly ProcessStatus[];
};

export type MachineStatus = {
  /** `router`, `outside` or the node's name. */
  readonly name: string;
  readonly role: 'router' | 'outside' | 'node';
  /** PID 1 as the host sees it; 0 when it does not run. */
  readonly pid: number;
  readonly addresses: readonly string[];
  readonly running: boolean;
  /** Missing: none. */
  readonly faults?: readonly ('cut' | 'frozen')[];
};

export type ProcessStatus = {
  readonly name: string;
  readonly running: boolean;
  /** As the host sees it. */
  readonly pid: number;
  readonly restarts: number;
  /** RFC 3339; of the last start. */
  readonly startedAt: string;
  readonly lastExit?: string;
};

/** One line of the supervisor's standard output while it starts. */
export type Progress =
  /** How long the step itself took. */
  | { readonly step: string; readonly milliseconds: number }
  | { readonly done: true }
  | { readonly failed: string };
