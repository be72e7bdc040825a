/** For tests: an API server, nodes over the node image with Debian's bridge plugin, and the kubelet as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Client, createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { type RunOptions, type RunResult, run } from '#system/process.ts';
import { kubeconfig } from '../apiserver/kubeconfig.ts';
import { type ApiServer, startApiServer } from '../apiserver/server.ts';
import type { KubeletConfig, LabNode } from '../config.ts';
import { imageRoot } from '../image/image.ts';
import { enterArguments, type Machine, startMachine } from '../machine.ts';
import type { Pod } from '../objects/pod.ts';
import { sourceRoot } from '../paths.ts';

export type TestLab = {
  readonly client: Client;
  readonly directory: string;
  readonly imagesDirectory: string;
  readonly imageRoot: string;
  /** kubectl of the node image; never rejects. */
  kubectl(args: readonly string[], input?: string): Promise<RunResult>;
  /** The same, and what it printed; throws when it fails. */
  say(args: readonly string[], input?: string): Promise<string>;
  /** kubectl with a terminal of that size. */
  onTerminal(args: readonly string[], rows: number, columns: number): Promise<RunResult>;
  apply(...objects: readonly object[]): Promise<void>;
  /** Of the namespace `default`, as the server has it. */
  getPod(name: string): Promise<Pod>;
  /** What a program in the pod printed; throws when it fails. */
  inPod(name: string, ...argv: readonly string[]): Promise<string>;
  /** Resolves when the pod is ready; throws after 30 s. */
  ready(name: string): Promise<void>;
  onNode(name: string, argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Writes a node's CNI configuration: bridge and host-local, dual stack, with portmap behind it. */
  connect(name: string): void;
  killKubelet(signal: NodeJS.Signals): Promise<void>;
  startKubelet(): Promise<void>;
  close(): Promise<void>;
};

/** A pod of one container `main` that waits until it is told to end. */
export function podObject(
  name: string,
  spec: Record<string, unknown> = {},
  container: Record<string, unknown> = {},
): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [{ name: 'main', image: 'netloom/client', ...container }],
      ...spec,
    },
  };
}

const inside = {
  disk: '/var/lib/netloom-lab/disk',
  image: '/var/lib/netloom-lab/image',
  images: '/var/lib/netloom-lab/images',
};

export async function openTestLab(names: readonly string[]): Promise<TestLab> {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-kubelet-'));
  const root = await imageRoot();
  const socket = join(directory, 'kubelet.sock');
  const configFile = join(directory, 'kubelet.json');
  const kubeconfigFile = join(directory, 'kubeconfig');
  const images = join(directory, 'images');
  mkdirSync(images);
  const machines = new Map<string, Machine>();
  const nodes: LabNode[] = [];
  let server: ApiServer | undefined;
  let kubelet: ChildProcess | undefined;
  const close = async (): Promise<void> => {
    kubelet?.kill('SIGKILL');
    await Promise.all([...machines.values()].map((machine) => machine.close()));
    await server?.close();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    server = await startApiServer({
      dataDirectory: join(directory, 'apiserver'),
      host: '127.0.0.1',
      port: 0,
      serviceCidrs: ['10.96.0.0/16', 'fd10:96::/112'],
      advertise: ['192.168.66.1', 'fd66::1'],
      advertisePort: 6443,
      kubeletSocket: socket,
    });
    const admin = kubeconfig({
      server: `https://127.0.0.1:${server.port}`,
      authorityCertificate: server.pki.authority.certificate,
      user: 'kubernetes-admin',
      credentials: server.pki.admin,
    });
    writeFileSync(kubeconfigFile, admin, { mode: 0o600 });
    for (const [index, name] of names.entries()) {
      const disk = join(directory, 'disks', name);
      mkdirSync(disk, { recursive: true });
      const binds = [
        [disk, inside.disk, 'rw'],
        [root, inside.image, 'ro'],
        [images, inside.images, 'ro'],
      ] as const;
      const machine = await startMachine({ name, imageRoot: root, upper: 'memory', binds });
      machines.set(name, machine);
      const addresses = [`192.168.66.${11 + index}`, `fd66::${11 + index}`];
      nodes.push({ name, pid: machine.pid, addresses, disk: { host: disk, inside: inside.disk } });
    }
    const config: KubeletConfig = {
      lab: 'test',
      family: 'dual',
      kubeconfig: kubeconfigFile,
      socket,
      nodes,
      directory,
      imageRoot: root,
      imageInNode: inside.image,
      imagesDirectory: { host: images, inside: inside.images },
      dns: { addresses: ['10.96.0.10', 'fd10:96::a'], domain: 'cluster.local' },
      apiServer: { host: '192.168.66.1', port: 6443 },
    };
    writeFileSync(configFile, JSON.stringify(config));
    const client = createClient({
      ...(await loadKubeconfig({ path: kubeconfigFile })),
      requestsPerSecond: 1000,
      burst: 1000,
    });
    const machineOf = (name: string): Machine => {
      const machine = machines.get(name);
      if (machine === undefined) throw new Error(`no node ${name}`);
      return machine;
    };
    const kubectl = (args: readonly string[], input?: string): Promise<RunResult> =>
      run([`${root}/usr/bin/kubectl`, '--kubeconfig', kubeconfigFile, ...args], {
        input,
        timeoutMs: 60_000,
        env: { PATH: '/usr/bin:/bin', HOME: directory },
      });
    const lab: TestLab = {
      client,
      directory,
      imagesDirectory: images,
      imageRoot: root,
      kubectl,
      onTerminal(args, rows, columns) {
        const words = [`${root}/usr/bin/kubectl`, '--kubeconfig', kubeconfigFile, ...args];
        const command = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
        const script = `stty rows ${rows} cols ${columns}; ${command}`;
        return run(['script', '-qfec', script, '/dev/null'], { timeoutMs: 30_000 });
      },
      async say(args, input) {
        const { code, stdout, stderr } = await kubectl(args, input);
        if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr.trim()}`);
        return stdout;
      },
      async apply(...objects) {
        await lab.say(
          ['apply', '-f', '-'],
          JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }),
        );
      },
      getPod: async (name) => JSON.parse(await lab.say(['get', 'pod', name, '-o', 'json'])) as Pod,
      inPod: (name, ...argv) => lab.say(['exec', name, '--', ...argv]),
      async ready(name) {
        await lab.say(['wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s']);
      },
      onNode: (name, argv, options) => run([...enterArguments(machineOf(name).pid), ...argv], options),
      connect(name) {
        const index = names.indexOf(name);
        const ranges = [[{ subnet: `10.244.${index}.0/24` }], [{ subnet: `fd10:244:0:${index}::/64` }]];
        const list = {
          cniVersion: '1.0.0',
          name: 'bridge',
          plugins: [
            {
              type: 'bridge',
              bridge: 'cni0',
              isGateway: true,
              ipam: { type: 'host-local', ranges, routes: [{ dst: '0.0.0.0/0' }, { dst: '::/0' }] },
            },
            { type: 'portmap', capabilities: { portMappings: true } },
          ],
        };
        const file = `/proc/${machineOf(name).pid}/root/etc/cni/net.d/10-bridge.conflist`;
        mkdirSync(join(file, '..'), { recursive: true });
        writeFileSync(file, JSON.stringify(list));
      },
      async killKubelet(signal) {
        const child = kubelet;
        if (child === undefined || child.exitCode !== null) return;
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill(signal);
        await ended;
      },
      async startKubelet() {
        const child = spawn(process.execPath, [join(sourceRoot, 'src/lab/kubelet/main.ts'), configFile], {
          stdio: ['ignore', 'ignore', process.env.NETLOOM_TEST_LOG === undefined ? 'ignore' : 'inherit'],
        });
        kubelet = child;
      },
      close,
    };
    await lab.startKubelet();
    return lab;
  } catch (error) {
    await close();
    throw error;
  }
}
