/** Nodes for a bench: network namespaces in one sandbox, with a real datapath process in those that are ours. */
import { fileURLToPath } from 'node:url';
import { emptyIntent, type NodeIntent, type SelfIntent, type ServiceIntent } from '#intent/node.ts';
import { eventually } from '#lab/eventually.ts';
import { openSandbox, type Sandbox } from '#lab/sandbox.ts';
import { createDatapathClient, type DatapathClient } from '#programs/agent/datapath-client.ts';

export type Ground = {
  readonly box: Sandbox;
  /** Runs a shell script that must succeed, by default in the sandbox's own network namespace. */
  run(script: string, netns?: string): Promise<string>;
  /** Compiles a C file of bench/ and gives the path of the executable in the sandbox. */
  compile(file: string): Promise<string>;
  close(): Promise<void>;
};

export type OurNode = {
  readonly client: DatapathClient;
  readonly cniSocket: string;
  /** The datapath's process as the host sees it. */
  pid(): Promise<number>;
  /** Hands over a delta, or the whole intent of these domains; resolves when every engine holds it. */
  send(
    put: Partial<NodeIntent>,
    options?: { readonly replace?: boolean; readonly remove?: Remove },
  ): Promise<void>;
  /** Tells of ordinary pods, as an agent does before their ADD. */
  know(pods: readonly string[]): Promise<void>;
  close(): void;
};

type Remove = { readonly [D in keyof NodeIntent]?: readonly string[] };

export type NodePlan = {
  /** Its network namespace, which must be there with the underlay address on a device. */
  readonly name: string;
  readonly address: string;
  readonly block: string;
  readonly peers?: readonly { readonly name: string; readonly address: string; readonly block: string }[];
};

/** The CNI executable of the node image. */
export const ourPlugin = '/usr/lib/netloom/cni/netloom';
export const podCidr = '10.244.0.0/16';

/** Everything in it ends with close(), or with this process however it ends. */
export async function openGround(): Promise<Ground> {
  const box = await openSandbox();
  const run = async (script: string, netns?: string): Promise<string> => {
    const result = await box.exec(['sh', '-e', '-s'], {
      input: script,
      ...(netns === undefined ? {} : { netns }),
    });
    if (result.code !== 0)
      throw new Error(`${script.trim().slice(0, 200)}: ${result.stderr.trim() || result.stdout.trim()}`);
    return result.stdout;
  };
  return {
    box,
    run,
    async compile(file) {
      const name = `/tmp/${file.replace(/\.c$/, '')}`;
      const source = fileURLToPath(new URL(file, import.meta.url)).replace(
        /^.*\/bench\//,
        '/opt/netloom/bench/',
      );
      await run(`tcc -o ${name} ${source}`);
      return name;
    },
    close: () => box.close(),
  };
}

/** Short-lived connections must not fill the connection table of their node (262,144 entries) while they time out. */
export const settle = [
  'sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_close=1',
  'sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_time_wait=1',
].join('\n');

export async function startNode(ground: Ground, plan: NodePlan): Promise<OurNode> {
  const { box } = ground;
  const directory = `/run/${plan.name}`;
  const socket = `/proc/${box.pid}/root${directory}/datapath.sock`;
  const flags = ['--node', plan.name, '--run-dir', directory, '--state-dir', `/var/lib/${plan.name}`];
  const bin = [
    '--cni-bin-dir',
    `${directory}/bin`,
    '--cni-conf-dir',
    `${directory}/conf`,
    '--log-level',
    'warn',
  ];
  const child = box.spawn(
    [
      'env',
      'NODE_COMPILE_CACHE=/tmp/compile-cache',
      'node',
      '/opt/netloom/src/programs/datapath/main.ts',
      ...flags,
      ...bin,
    ],
    { netns: plan.name },
  );
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => (log = (log + String(data)).slice(-4000)));
  }
  const client = createDatapathClient(socket);
  await eventually(async () => void (await client.status())).catch((error: unknown) => {
    throw new Error(`the datapath of ${plan.name} does not answer: ${String(error)}\n${log}`);
  });
  let generation = 0;
  const node: OurNode = {
    client,
    cniSocket: `${directory}/cni.sock`,
    async pid() {
      const status = await ground.run(`pgrep -f -- '--run-dir ${directory} ' | head -1`);
      return Number(status);
    },
    async send(put, { replace = false, remove = {} } = {}) {
      const { endpoints: _, ...own } = put;
      const result = await client.send({ generation: ++generation, replace, put: own, remove });
      if ('refused' in result) throw new Error(result.refused.error);
      if (result.answer.problems.length > 0)
        throw new Error(JSON.stringify(result.answer.problems.slice(0, 3)));
    },
    know: (pods) =>
      node.send({ pods: Object.fromEntries(pods.map((pod) => [`default/${pod}`, { uid: pod }])) }),
    close: () => client.close(),
  };
  await node.send(intentOf(plan), { replace: true });
  return node;
}

export function intentOf(plan: NodePlan): NodeIntent {
  const subnet = 'default';
  const self: SelfIntent = {
    origin: { kind: 'Node', name: plan.name },
    node: plan.name,
    nodeUID: `uid-${plan.name}`,
    addresses: [plan.address],
    blocks: [{ cidr: plan.block, subnet, claim: `claim-${plan.name}` }],
    tunnelAddresses: [],
    assignUntil: Date.now() + 3_600_000,
  };
  const peers = (plan.peers ?? []).map(({ name, address, block }) => [
    name,
    {
      origin: { kind: 'Node', name },
      addresses: [address],
      blocks: [{ cidr: block, subnet, mode: 'overlay' as const }],
    },
  ]);
  return {
    ...emptyIntent,
    self: { [plan.name]: self },
    subnets: {
      default: {
        origin: { kind: 'Subnet', name: subnet },
        cidrs: [podCidr],
        mode: 'overlay',
        masquerade: true,
        allowFrom: [],
        excluded: [],
      },
    },
    namespaces: { default: { subnet } },
    peers: Object.fromEntries(peers),
  };
}

/** Services on pods of other nodes, from `10.96.0.0` up. */
export function services(count: number, first = 0, backends = 3): Record<string, ServiceIntent> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => {
      const number = first + index;
      const name = `service-${number}`;
      const service: ServiceIntent = {
        origin: { kind: 'Service', namespace: 'default', name, rule: 'spec.ports[http]' },
        protocol: 'tcp',
        frontends: [{ address: address('10.96', number + 256), port: 80 }],
        backends: Array.from({ length: backends }, (__, slot) => ({
          address: address('10.200', number * backends + slot),
          port: 8080,
        })),
      };
      return [`default/${name}/http/4`, service];
    }),
  );
}

function address(prefix: string, number: number): string {
  return `${prefix}.${Math.floor(number / 256) % 256}.${number % 256}`;
}
