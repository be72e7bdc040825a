/** What may happen to a cluster with balancers, each deed with its weight; and how all of it is taken back. */
import { nodeType, podType, serviceType } from '#api/core.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { isNotFound } from '#kube/client.ts';
import { eventually } from '#lab/eventually.ts';
import { routerVtysh } from '#lab/router-table.ts';
import type { Cluster } from '../lab/cluster.ts';
import {
  type App,
  apps,
  balanced,
  echo,
  nodes,
  type PoolName,
  placesOf,
  pool,
  type ServiceWish,
} from './loadbalancer-objects.ts';

/** What is there, as far as this run made it. */
export type World = {
  readonly services: Map<string, ServiceWish>;
  readonly wide: Map<PoolName, boolean>;
  readonly cut: Set<string>;
  readonly frozen: Set<string>;
  readonly drained: Set<string>;
};

export const emptyWorld = (): World => ({
  services: new Map(),
  wide: new Map([
    ['segment', true],
    ['fabric', true],
  ]),
  cut: new Set(),
  frozen: new Set(),
  drained: new Set(),
});

export type Random = { number(): number; of<T>(all: Iterable<T>): T };

export type Deed = {
  readonly name: string;
  readonly weight: number;
  /** What was done; undefined: it can't be now. */
  readonly run: (cluster: Cluster, world: World, random: Random) => Promise<string | undefined>;
};

const mostServices = 24;
let made = 0;

export const serviceComes: Deed = {
  name: 'Service comes',
  weight: 10,
  run: async (cluster, { services }, random) => {
    if (services.size >= mostServices) return undefined;
    const from = random.of(['segment', 'fabric'] as const);
    const name = `${from}-${++made}`;
    const shares = random.number() < 0.2;
    // Those that share must be alike, and differ in their ports.
    const alike = { name, pool: from, port: shares ? 8000 + made : 80 };
    const wish: ServiceWish = shares
      ? { ...alike, app: 'wide', local: false, shared: from }
      : { ...alike, app: random.of(apps), local: random.number() < 0.4 };
    await cluster.apply(balanced(wish));
    services.set(name, wish);
    return `${name} of ${wish.app}${wish.local ? ', Local' : ''}${shares ? ', shares' : ''}`;
  },
};

const serviceGoes: Deed = {
  name: 'Service goes',
  weight: 6,
  run: async (cluster, { services }, random) => {
    if (services.size === 0) return undefined;
    const name = random.of(services.keys());
    services.delete(name);
    await remove(cluster, serviceType, name);
    return name;
  },
};

const podGoes: Deed = {
  name: 'pod is made again',
  weight: 4,
  run: async (cluster, { cut, frozen }, random) => {
    const app = random.of(apps);
    const node = random.of(placesOf[app]);
    // Its kubelet must be there to end it.
    if (cut.has(node) || frozen.has(node)) return undefined;
    await remove(cluster, podType, `${app}-${node}`);
    await restored(cluster, app, node);
    return `${app}-${node}`;
  },
};

const poolEdited: Deed = {
  name: 'pool is edited',
  weight: 3,
  run: async (cluster, { wide }, random) => {
    const name = random.of(['segment', 'fabric'] as const);
    const isWide = wide.get(name) !== true;
    wide.set(name, isWide);
    await cluster.apply(pool(name, isWide));
    return `${name} is ${isWide ? 'wider' : 'narrower'}`;
  },
};

const cable: Deed = {
  name: 'cable',
  weight: 4,
  run: async ({ lab }, { cut, frozen }, random) => {
    const [down] = cut;
    if (down !== undefined) {
      await lab.plugCable(down);
      cut.delete(down);
      return `${down} has its cable`;
    }
    if (frozen.size > 0) return undefined;
    const node = random.of(nodes);
    await lab.cutCable(node);
    cut.add(node);
    return `${node} is cut off`;
  },
};

const freeze: Deed = {
  name: 'freeze',
  weight: 2,
  run: async ({ lab }, { cut, frozen }, random) => {
    const [still] = frozen;
    if (still !== undefined) {
      await lab.thaw(still);
      frozen.delete(still);
      return `${still} runs on`;
    }
    if (cut.size > 0) return undefined;
    const node = random.of(nodes);
    await lab.freeze(node);
    frozen.add(node);
    return `${node} is frozen`;
  },
};

const drain: Deed = {
  name: 'node leaves',
  weight: 2,
  run: async ({ client }, { drained }, random) => {
    const [node = random.of(nodes)] = drained;
    const leaves = !drained.has(node);
    const taint = { key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' };
    const found = await client.get<KubeObject & { spec?: { taints?: readonly { key: string }[] } }>(
      nodeType,
      node,
    );
    const others = (found.spec?.taints ?? []).filter(({ key }) => key !== taint.key);
    const body = { spec: { unschedulable: leaves, taints: leaves ? [...others, taint] : others } };
    await client.patch(nodeType, { name: node }, { kind: 'merge', body });
    if (leaves) drained.add(node);
    else drained.delete(node);
    return `${node} ${leaves ? 'is about to go' : 'stays'}`;
  },
};

const killed: Deed = {
  name: 'program is killed',
  weight: 6,
  run: async ({ lab }, { frozen }, random) => {
    const node = random.of(nodes);
    const program = random.of(['agent', 'datapath', '(agent|datapath)', 'controller'] as const);
    if (frozen.has(node)) return undefined;
    const signal = random.of(['KILL', 'KILL', 'TERM'] as const);
    await lab.exec(node, ['pkill', `-${signal}`, '-f', `[p]rograms/${program}/main.ts`]);
    return `${program} on ${node} by SIG${signal}`;
  },
};

const server: Deed = {
  name: 'API server is killed',
  weight: 1,
  run: async ({ lab, client }) => {
    await lab.restart('apiserver');
    await eventually(() => client.list(nodeType), 20_000);
    return 'it is back';
  },
};

const sessions: Deed = {
  name: 'router clears its sessions',
  weight: 1,
  run: async ({ lab }) => {
    await routerVtysh(lab, 'clear bgp *');
    return 'all of them';
  },
};

export const deeds: readonly Deed[] = [
  serviceComes,
  serviceGoes,
  podGoes,
  poolEdited,
  cable,
  freeze,
  drain,
  killed,
  server,
  sessions,
];

/** Everything is plugged, runs and stays; every pod is there. */
export async function mend(cluster: Cluster, world: World): Promise<void> {
  for (const node of world.cut) await cluster.lab.plugCable(node);
  for (const node of world.frozen) await cluster.lab.thaw(node);
  world.cut.clear();
  world.frozen.clear();
  for (const node of world.drained)
    await drain.run(cluster, world, { number: () => 0, of: () => node as never });
  for (const app of apps) for (const node of placesOf[app]) await restored(cluster, app, node);
}

/** The old one may be going still. */
async function restored(cluster: Cluster, app: App, node: string): Promise<void> {
  await eventually(async () => {
    await cluster.apply(echo(app, node));
    const found = await cluster.client.get(podType, `${app}-${node}`, 'default');
    if (found.metadata.deletionTimestamp !== undefined) throw new Error(`${app}-${node} is going`);
  }, 60_000);
}

async function remove({ client }: Cluster, type: ResourceType, name: string): Promise<void> {
  await client.delete(type, name, { namespace: 'default' }).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
