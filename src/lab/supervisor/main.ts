/** The supervisor of one lab: starts its machines and processes, keeps them running, and answers at the control socket. */
import { existsSync, mkdirSync, readFileSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLog } from '#telemetry/log.ts';
import {
  type LabFiles,
  type LabSpec,
  type LabStatus,
  labFiles,
  labNameProblem,
  type Progress,
} from '../lab.ts';
import type { Child } from './child.ts';
import { type ControlActions, serveControl } from './control.ts';
import { labMachines } from './machines.ts';
import { type ProcessName, startApiServer, startKubelet, writeKubeletConfig } from './processes.ts';

const log = createLog();
const readyDeadline = 60_000;

async function supervise(spec: LabSpec, files: LabFiles): Promise<void> {
  const processes = new Map<ProcessName, Child>();
  let phase: LabStatus['phase'] = 'starting';
  let failure: string | undefined;
  mkdirSync(files.images, { recursive: true });

  const machines = labMachines(spec, files, (name) => {
    log.warn('a machine has ended', { machine: name });
    nodesChanged();
  });
  const nodesChanged = () => {
    if (!processes.has('kubelet')) return;
    writeKubeletConfig(spec, files, machines.nodes());
    processes.get('kubelet')?.signal('SIGHUP');
  };
  const actions: ControlActions = {
    status: () => ({
      spec,
      phase,
      ...(failure === undefined ? {} : { error: failure }),
      machines: machines.status(),
      processes: [...processes.values()].map((child) => child.status()),
    }),
    startNode: async (name) => {
      const problem = labNameProblem(name);
      if (problem !== undefined || name === 'router' || name === 'outside') {
        throw new Error(`${JSON.stringify(name)} can not be a node's name`);
      }
      await machines.startNode(name);
      nodesChanged();
    },
    stopNode: async (name, forget) => {
      await machines.stopNode(name, forget);
      nodesChanged();
    },
    setCable: async (name, plugged) => {
      await machines.setCable(name, plugged);
      nodesChanged();
    },
    setFrozen: async (name, frozen) => {
      await machines.setFrozen(name, frozen, processes.get('kubelet')?.pid());
      nodesChanged();
    },
    signal: (name, signal) => {
      const child = processes.get(name as ProcessName);
      if (child === undefined) throw new Error(`the lab has no process ${name}`);
      child.signal(signal);
    },
  };
  await serveControl(files.control, actions);

  const stop = async () => {
    // Nodes end with the PID namespace; only the API server has something to write down.
    await Promise.all([...processes.values()].map((child) => child.stop()));
    process.exit(0);
  };
  process.once('SIGTERM', () => void stop());
  process.once('SIGINT', () => void stop());

  const step = (name: string, since: number) =>
    tell({ step: name, milliseconds: Math.round(performance.now() - since) });
  try {
    const begun = performance.now();
    const router = machines.startRouter();
    const apiServer = router.then(async (namespace) => {
      const since = performance.now();
      const child = startApiServer(spec, files, namespace);
      processes.set('apiserver', child);
      await ready(child, files.kubeconfig, files.log('apiserver'));
      step('API server', since);
    });
    await Promise.all([
      apiServer,
      Promise.all([
        router,
        machines.startOutside(),
        ...spec.nodes.map((name) => machines.startNode(name)),
      ]).then(() => step(machinesStep(spec.nodes.length), begun)),
    ]);
    const since = performance.now();
    const kubelet = startKubelet(spec, files, machines.nodes());
    processes.set('kubelet', kubelet);
    await ready(kubelet, files.kubeletSocket, files.log('kubelet'));
    step('kubelet', since);
    phase = 'running';
    tell({ done: true });
  } catch (error) {
    phase = 'failed';
    failure = error instanceof Error ? error.message : String(error);
    log.error('the lab can not start', { error });
    tell({ failed: failure });
  }
}

function machinesStep(nodes: number): string {
  return `router, outside client and ${nodes === 1 ? '1 node' : `${nodes} nodes`}`;
}

/** Whoever started us may be gone. */
function tell(progress: Progress): void {
  try {
    writeSync(1, `${JSON.stringify(progress)}\n`);
  } catch (error) {
    log.debug('nobody listens to the progress', { error });
  }
}

/** A process is ready when its file is there; one that ends again and again never will be. */
async function ready(child: Child, path: string, logPath: string): Promise<void> {
  const deadline = Date.now() + readyDeadline;
  while (!existsSync(path)) {
    const { name, restarts } = child.status();
    if (Date.now() > deadline || restarts >= 3)
      throw new Error(`the ${name} does not start: ${lastWords(logPath)}`);
    await sleep(10);
  }
}

/** The last error that a log tells of, else its last line. */
function lastWords(path: string): string {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
  return lines.findLast((line) => /^\S*Error\b/.test(line)) ?? lines.at(-1) ?? 'it said nothing';
}

const [specPath] = process.argv.slice(2);
if (specPath === undefined) throw new Error('usage: main.ts LAB.JSON');
const spec = JSON.parse(readFileSync(specPath, 'utf8')) as LabSpec;
await supervise(spec, labFiles(spec.name));
