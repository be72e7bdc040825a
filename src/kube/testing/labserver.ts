/** The lab's API server as a process of its own, to be killed, stopped and started again; for tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ClientConfig } from '../calls.ts';
import { loadKubeconfig } from '../kubeconfig.ts';

export type LabServer = {
  /** As a member of system:masters. */
  readonly config: ClientConfig;
  /** SIGKILL, at whatever moment it is in. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT: it neither answers nor closes anything. */
  pause(): void;
  resume(): void;
  /** Ends it and removes its data. */
  close(): Promise<void>;
};

const program = join(import.meta.dirname, '../../lab/apiserver/main.ts');

export async function startLabServer({ historySize = 8192 } = {}): Promise<LabServer> {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-apiserver-'));
  const kubeconfig = join(directory, 'kubeconfig');
  let port = 0;
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    const config = {
      dataDirectory: directory,
      host: '127.0.0.1',
      port,
      serviceCidrs: ['10.96.0.0/16'],
      advertise: ['192.168.66.1'],
      advertisePort: 6443,
      historySize,
      bookmarkSeconds: 1,
      listenIn: [],
      kubeconfig,
    };
    const configPath = join(directory, 'config.json');
    writeFileSync(configPath, JSON.stringify(config));
    const started = spawn(process.execPath, [program, configPath], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = started;
    for await (const line of createInterface({ input: started.stdout })) {
      const message = JSON.parse(line) as { readonly ready?: boolean; readonly port: number };
      if (message.ready !== true) continue;
      ({ port } = message);
      return;
    }
    throw new Error('the API server ended before it was ready');
  };
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  const close = async (): Promise<void> => {
    await kill();
    rmSync(directory, { recursive: true });
  };
  await start().catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    config: await loadKubeconfig({ path: kubeconfig }),
    kill,
    start,
    pause: () => void child?.kill('SIGSTOP'),
    resume: () => void child?.kill('SIGCONT'),
    close,
  };
}
