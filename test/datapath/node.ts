/** A node in a sandbox for tests: the real datapath, the real CNI executable, pods as network namespaces. */

import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import type { EndpointStatus, EngineProblem, WireReport, WouldDrop } from '#intent/handover.ts';
import {
  emptyIntent,
  type NodeIntent,
  type PodIntent,
  type SelfIntent,
  type SubnetIntent,
} from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { createDatapathClient, type DatapathClient } from '#programs/agent/datapath-client.ts';

export type CniAnswer = {
  readonly code: number;
  readonly json: Record<string, unknown> | undefined;
  readonly output: string;
};

export type TestNode = {
  readonly box: Sandbox;
  readonly client: DatapathClient;
  /** Starts the datapath; `intent` (default true) also hands it the intent and waits until it is ready. */
  start(options?: { readonly intent?: boolean; readonly flags?: readonly string[] }): Promise<void>;
  /** Resolves when the process has ended; the signal itself is sent before this returns. */
  signal(name: 'KILL' | 'TERM'): Promise<void>;
  /** Hands over the whole intent, or other entries of it. */
  intend(change?: Partial<NodeIntent>): Promise<void>;
  /** Tells what the agent says of a pod (`namespace/name`). */
  know(key: string, pod: PodIntent): Promise<void>;
  /** An ADD makes the pod known first, as an ordinary one. */
  cni(command: string, options?: CniOptions): Promise<CniAnswer>;
  /** A pod's namespace and its ADD, which must succeed; gives its addresses. */
  addPod(name: string, options?: CniOptions): Promise<string[]>;
  endpoints(): Promise<EndpointStatus[]>;
  problems(): Promise<EngineProblem[]>;
  /** What policies in audit mode would have dropped. */
  audited(): Promise<WouldDrop[]>;
  /** Asks the physical network now. */
  probeWire(): Promise<WireReport[]>;
  /** A command that must succeed. */
  run(argv: readonly string[], netns?: string): Promise<string>;
  log(): string;
  close(): Promise<void>;
};

export type CniOptions = {
  /** Also the container ID, the pod's name and the namespace's name. */
  readonly pod?: string;
  readonly namespace?: string;
  readonly ifName?: string;
  readonly netns?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly plugin?: string;
  /** What a runtime adds to CNI_ARGS. */
  readonly uid?: string;
  /** What the agent says of the pod stays as it is. */
  readonly known?: boolean;
  /** Addresses that the node claimed for this pod alone. */
  readonly claimed?: PodIntent['claimed'];
};

const socket = '/run/netloom/cni.sock';
export const directories = { bin: '/opt/cni/bin', config: '/etc/cni/net.d', source: '/tmp/cni' } as const;

/** `host`: the last part of its addresses on the underlay. */
export async function openTestNode({ name = 'n1', host = 11 } = {}): Promise<TestNode> {
  const box = await openSandbox();
  const run = async (argv: readonly string[], netns?: string): Promise<string> => {
    const result = await box.exec(argv, netns === undefined ? {} : { netns });
    if (result.code !== 0)
      throw new Error(`${argv.join(' ')}: ${result.stderr.trim() || result.stdout.trim()}`);
    return result.stdout;
  };
  await box.addNamespace('outside');
  const script = [
    'set -e',
    'ip link add eth0 type veth peer name eth0 netns outside',
    `ip addr add 192.168.66.${host}/24 dev eth0; ip addr add fd66::${host}/64 dev eth0 nodad; ip link set eth0 up`,
    'ip -n outside addr add 192.168.66.1/24 dev eth0; ip -n outside addr add fd66::1/64 dev eth0 nodad; ip -n outside link set eth0 up',
    'ip route add default via 192.168.66.1; ip -6 route add default via fd66::1',
    `mkdir -p ${directories.source} ${directories.bin} ${directories.config}`,
    `tcc -Wall -Werror -o ${directories.source}/netloom /opt/netloom/src/programs/cni/netloom-cni.c`,
  ];
  await run(['sh', '-c', script.join('\n')]);
  const client = createDatapathClient(`/proc/${box.pid}/root/run/netloom/datapath.sock`);
  let generation = 0;
  /** What the agent would have told of pods: every one that an ADD was called for. */
  const pods: Record<string, PodIntent> = {};
  let intended = false;
  let telling: Promise<void> = Promise.resolve();
  let log = '';
  let child: ReturnType<Sandbox['spawn']> | undefined;

  const node: TestNode = {
    box,
    client,
    run,
    async start({ intent = true, flags = [] } = {}) {
      const main = '/opt/netloom/src/programs/datapath/main.ts';
      intended = false;
      const own = ['--node', name, '--cni-source', directories.source, ...flags];
      child = box.spawn(['node', main, ...own]);
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (log += String(data)));
      await eventually(() => client.status()).catch((error: Error) => {
        throw new Error(`the datapath does not answer: ${error.message}\n${log.slice(-4000)}`);
      });
      if (!intent) return;
      await node.intend();
    },
    async signal(name) {
      const ended = new Promise((resolve) => child?.once('exit', resolve));
      process.kill(nodeBelow(child!.pid!), `SIG${name}`);
      await ended;
    },
    async intend(change = {}) {
      const { endpoints: _, ...put } = { ...testIntent(), ...change, pods };
      const result = await client.send({ generation: ++generation, replace: true, put, remove: {} });
      if ('refused' in result) throw new Error(result.refused.error);
      if (result.answer.problems.length > 0) throw new Error(JSON.stringify(result.answer.problems));
      intended = true;
    },
    async know(key, pod) {
      if (JSON.stringify(pods[key]) === JSON.stringify(pod)) return;
      pods[key] = pod;
      if (!intended) return;
      const put = { pods: { [key]: pod } };
      const change = { generation: ++generation, replace: false, put, remove: {} };
      // The server may have closed a connection that was idle for long, at the very moment.
      const send = () => client.send(change).catch(() => client.send(change));
      // In order, and a datapath that was killed hears of it with the next whole intent.
      telling = telling.then(send).then(
        (result) => {
          if ('refused' in result) throw new Error(result.refused.error);
        },
        () => {},
      );
      await telling;
    },
    async cni(command, options = {}) {
      const {
        pod = 'a',
        namespace = 'default',
        ifName = 'eth0',
        netns = pod,
        plugin = 'netloom',
        uid = `uid-${pod}`,
      } = options;
      const { claimed } = options;
      const wish = claimed === undefined ? { uid } : { uid, claimed };
      const told = options.known === true || pods[`${namespace}/${pod}`]?.uid === uid;
      if (command === 'ADD' && (!told || claimed !== undefined)) await node.know(`${namespace}/${pod}`, wish);
      const env = {
        CNI_COMMAND: command,
        CNI_CONTAINERID: pod,
        CNI_IFNAME: ifName,
        CNI_NETNS: `/run/netns/${netns}`,
        CNI_PATH: directories.bin,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${pod};K8S_POD_UID=${uid}`,
      };
      const config = { cniVersion: '1.1.0', name: 'netloom', type: plugin, socket, ...options.config };
      const executable =
        plugin === 'netloom' ? `${directories.source}/netloom` : `${directories.bin}/${plugin}`;
      const result = await box.exec([executable], { env, input: JSON.stringify(config) });
      return { code: result.code, output: result.stdout, json: parse(result.stdout) };
    },
    async addPod(name, options = {}) {
      await box.addNamespace(name);
      const answer = await node.cni('ADD', { ...options, pod: name });
      if (answer.code !== 0) throw new Error(answer.output);
      return addressesOf(answer);
    },
    endpoints: () =>
      get<EndpointStatus[]>(`/proc/${box.pid}/root/run/netloom/datapath.sock`, '/v1/endpoints'),
    problems: () => get<EngineProblem[]>(`/proc/${box.pid}/root/run/netloom/datapath.sock`, '/v1/problems'),
    audited: () => get<WouldDrop[]>(`/proc/${box.pid}/root/run/netloom/datapath.sock`, '/v1/audit'),
    probeWire: () => get<WireReport[]>(`/proc/${box.pid}/root/run/netloom/datapath.sock`, '/v1/wire', 'POST'),
    log: () => log,
    async close() {
      client.close();
      await box.close();
    },
  };
  return node;
}

/** Subnets of both modes, and this node's blocks in them. */
export function testIntent(some: Partial<SelfIntent> = {}): NodeIntent {
  const subnet = (name: string, mode: SubnetIntent['mode'], cidrs: readonly string[]): SubnetIntent => ({
    origin: { kind: 'Subnet', name },
    cidrs,
    mode,
    masquerade: true,
    allowFrom: [],
    excluded: [],
  });
  const block = (cidr: string, name: string) => ({ cidr, subnet: name, claim: `claim ${cidr}` });
  const self: SelfIntent = {
    origin: { kind: 'Node', name: 'n1' },
    node: 'n1',
    nodeUID: 'uid-n1',
    addresses: ['192.168.66.11', 'fd66::11'],
    blocks: [
      block('10.244.0.64/26', 'default'),
      block('fd10:244::40/122', 'default'),
      block('10.50.0.0/30', 'small'),
      block('10.51.0.0/30', 'spare'),
    ],
    tunnelAddresses: [],
    assignUntil: Date.now() + 600_000,
    ...some,
  };
  return {
    ...emptyIntent,
    self: { n1: self },
    subnets: {
      default: subnet('default', 'overlay', ['10.244.0.0/16', 'fd10:244::/56']),
      small: subnet('small', 'routed', ['10.50.0.0/30']),
      spare: subnet('spare', 'routed', ['10.51.0.0/30']),
    },
    namespaces: { default: { subnet: 'default' }, tiny: { subnet: 'small' }, extra: { subnet: 'spare' } },
  };
}

export function addressesOf(answer: CniAnswer): string[] {
  const ips = (answer.json?.['ips'] ?? []) as readonly { readonly address: string }[];
  return ips.map(({ address }) => address.replace(/\/.*/, ''));
}

/** The process that the sandbox's entering programs have become the parents of. */
function nodeBelow(pid: number): number {
  if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('node\0')) return pid;
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return nodeBelow(Number(child));
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

function get<T>(socketPath: string, path: string, method = 'GET'): Promise<T> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, path, method }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => (text += part));
      answer.on('end', () => resolve(JSON.parse(text) as T));
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}
