/** Random operations in a row, killed programs among them: then every node is as a fresh compile would have it. */
import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { namespaceType, nodeType, podType, serviceType } from '#api/core.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { subnetKind } from '#api/kinds/subnet.ts';
import { apiVersionOf, type KubeObject } from '#api/object.ts';
import { eventually } from '#lab/eventually.ts';
import { labFiles } from '#lab/lab.ts';
import { type Audit, expectNoLeak, startAudit } from './address-audit.ts';
import { type Cluster, isLong, startCluster } from './cluster.ts';
import { differencesOf } from './fresh-state.ts';
import { isReady, type PodObject, pod, service } from './pods.ts';

const operations = isLong ? 1_000 : 200;
const seed = Number(process.env.NETLOOM_SEED ?? Date.now() % 1_000_000);
const most = { pods: 24, services: 12, subnets: 3, nodes: 4 } as const;

let cluster: Cluster;
let audit: Audit;
let count = 0;
/** What exists now, as far as this test made it. */
const pods = new Map<string, { readonly namespace: string }>();
const services = new Set<string>();
const subnets = new Set<string>();
const nodes = new Set(['node1', 'node2', 'node3']);
const names = { pod: 0, service: 0, subnet: 0, node: 3 };
const history: string[] = [];

beforeAll(async () => {
  const nodeLease = { seconds: 4, renewSeconds: 1, marginSeconds: 1 };
  cluster = await startCluster('chaos', { nodes: nodes.size, nodeLease });
  audit = startAudit(cluster, ['node1', 'node2']);
});

afterAll(async () => {
  await audit?.stop();
  await cluster?.down();
});

/** Numbers from 0 up to 1 by xorshift; the same for the same seed. */
const random = ((state: number) => () => {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
})(seed * 2_654_435_761 + 1);
const oneOf = <T>(all: Iterable<T>): T => {
  const list = [...all];
  return list[Math.floor(random() * list.length)]!;
};

const killable = ['agent', 'datapath', '(agent|datapath)', 'controller'] as const;

const deeds: Readonly<
  Record<string, { readonly weight: number; readonly run: () => Promise<string | undefined> }>
> = {
  'pod comes': {
    weight: 8,
    run: async () => {
      if (pods.size >= most.pods) return undefined;
      const name = `pod-${++names.pod}`;
      const namespace = random() < 0.3 && subnets.size > 0 ? oneOf(subnets) : 'default';
      const node = random() < 0.5 ? oneOf(nodes) : undefined;
      await cluster.apply(pod({ name, namespace, app: `app-${names.pod % 5}`, ...(node ? { node } : {}) }));
      pods.set(name, { namespace });
      return `${namespace}/${name} on ${node ?? 'any node'}`;
    },
  },
  'pod goes': {
    weight: 6,
    run: async () => {
      if (pods.size === 0) return undefined;
      const [name, { namespace }] = oneOf(pods);
      pods.delete(name);
      await cluster.client.delete(podType, name, { namespace }).catch(ignoreNotFound);
      return `${namespace}/${name}`;
    },
  },
  'Service comes': {
    weight: 3,
    run: async () => {
      if (services.size >= most.services) return undefined;
      const name = `service-${++names.service}`;
      services.add(name);
      await cluster.apply(service(name, `app-${names.service % 5}`));
      return name;
    },
  },
  'Service goes': {
    weight: 2,
    run: async () => {
      if (services.size === 0) return undefined;
      const name = oneOf(services);
      services.delete(name);
      await cluster.client.delete(serviceType, name, { namespace: 'default' });
      return name;
    },
  },
  'Subnet comes with its namespace': {
    weight: 1,
    run: async () => {
      if (subnets.size >= most.subnets) return undefined;
      const number = ++names.subnet;
      const name = `team-${number}`;
      const spec = {
        cidrs: [`10.${100 + (number % 100)}.0.0/22`],
        mode: number % 2 === 0 ? 'routed' : 'overlay',
        namespaces: [name],
        blockSizes: { ipv4: 28 },
      };
      await cluster.apply(
        { apiVersion: apiVersionOf(subnetKind), kind: 'Subnet', metadata: { name }, spec } as KubeObject,
        { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
      );
      subnets.add(name);
      return name;
    },
  },
  'Subnet goes with its namespace': {
    weight: 1,
    run: async () => {
      if (subnets.size === 0) return undefined;
      const name = oneOf(subnets);
      subnets.delete(name);
      for (const [each, { namespace }] of pods) if (namespace === name) pods.delete(each);
      await cluster.client.delete(namespaceType, name);
      await cluster.client.delete(subnetKind, name);
      return name;
    },
  },
  'node comes': {
    weight: 1,
    run: async () => {
      if (nodes.size >= most.nodes) return undefined;
      const name = `node${++names.node}`;
      await cluster.lab.addNode(name);
      nodes.add(name);
      return name;
    },
  },
  'node goes': {
    weight: 1,
    run: async () => {
      const name = oneOf(nodes);
      // The first two stay: somebody must be there to be looked at.
      if (name === 'node1' || name === 'node2') return undefined;
      nodes.delete(name);
      const { items } = await cluster.client.list<PodObject>(podType, {
        fieldSelector: `spec.nodeName=${name}`,
      });
      for (const { metadata } of items) pods.delete(metadata.name);
      await cluster.lab.removeNode(name);
      await cluster.client.delete(nodeType, name).catch(ignoreNotFound);
      return name;
    },
  },
  'program is killed': {
    weight: 5,
    run: async () => {
      const node = oneOf(nodes);
      const program = oneOf(killable);
      await cluster.lab.exec(node, ['pkill', '-KILL', '-f', `[p]rograms/${program}/main.ts`]);
      return `${program} on ${node}`;
    },
  },
  'API server or kubelet is killed': {
    weight: 1,
    run: async () => {
      const process = oneOf(['apiserver', 'kubelet'] as const);
      await cluster.lab.restart(process);
      await eventually(() => cluster.client.list(nodeType), 20_000);
      return process;
    },
  },
  'foreign hand': {
    weight: 2,
    run: async () => {
      const node = oneOf(nodes);
      const script = oneOf([
        'nft flush ruleset',
        'ip route flush proto 110',
        'ip -6 route flush proto 110',
        'ip neigh flush nud permanent dev nlvx0',
        'nft flush chain inet netloom guard',
      ]);
      await cluster.lab.exec(node, ['sh', '-c', script]);
      return `${script} on ${node}`;
    },
  },
};

function ignoreNotFound(error: unknown): void {
  if (!String(error).includes('404') && !String(error).includes('not found')) throw error;
}

async function operate(): Promise<void> {
  const bag = Object.entries(deeds).flatMap(([name, { weight }]) =>
    Array.from({ length: weight }, () => name),
  );
  while (count < operations) {
    const name = oneOf(bag);
    const done = await deeds[name]!.run();
    if (done === undefined) continue;
    count++;
    history.push(`${count}. ${name}: ${done}`);
  }
}

/** What a pod waits for, in a line. */
function standing({ metadata, spec, status }: PodObject): string {
  const { phase, conditions = [] } = status ?? {};
  const reasons = conditions.flatMap(({ status, reason }) => (status === 'True' ? [] : [reason ?? '?']));
  return `${metadata.name} on ${spec.nodeName ?? 'no node'}: ${phase} ${reasons.join(' ')}`;
}

/** What the lab's own processes do, for whoever reads that a cluster did not settle. */
async function labProcesses(): Promise<string> {
  const { processes } = await cluster.lab.status();
  const kubelet = processes.find(({ name }) => name === 'kubelet');
  const log = await readFile(labFiles(cluster.name).log('kubelet'), 'utf8');
  const cpu = await readFile(`/proc/${kubelet?.pid}/stat`, 'utf8').catch(String);
  return [...processes.map((each) => JSON.stringify(each)), cpu, ...log.trimEnd().split('\n').slice(-4)].join(
    '\n',
  );
}

async function settled(): Promise<void> {
  const { items } = await cluster.client.list<PodObject>(podType);
  const late = items.filter((each) => !isReady(each));
  expect(late.map(standing)).toEqual([]);
  const { items: claims } = await cluster.client.list<BlockClaim>(blockClaimKind);
  expect(claims.filter(({ spec }) => !nodes.has(spec.node)).map(({ metadata }) => metadata.name)).toEqual([]);
}

test(`${operations} random operations end where a fresh compile of the last state ends`, {
  timeout: isLong ? 1_800_000 : 300_000,
  // The cluster is what the operations made of it.
  retry: 0,
}, async () => {
  try {
    await operate();
    await eventually(settled, 120_000, 500);
    await eventually(() => expectNoLeak(cluster, nodes), 60_000, 500);
    await eventually(async () => {
      for (const node of nodes) expect(await differencesOf(cluster, node), node).toEqual([]);
    }, 30_000);
    expect(audit.rounds()).toBeGreaterThan(10);
    expect(audit.faults()).toEqual([]);
  } catch (error) {
    const told = [`NETLOOM_SEED=${seed}`, ...history.slice(-60), await labProcesses().catch(String)];
    throw new Error(told.join('\n'), { cause: error });
  }
});
