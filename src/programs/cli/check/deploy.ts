/** Deploys what the check needs and says who got which address. */
import { setTimeout as sleep } from 'node:timers/promises';
import { endpointSliceType, namespaceType, podType, serviceType } from '#api/core.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { type Client, isAlreadyExists, isNotFound } from '#kube/client.ts';
import { eventually } from '#lab/eventually.ts';
import { selects } from '#model/selector.ts';
import { parseAddr } from '#net/addr.ts';
import type { Addresses, CheckFacts, NodeFacts, NodePortFacts, PodFacts } from './facts.ts';
import { type CheckNode, checkNodes, type LeftOut } from './nodes.ts';
import { checkNamespace, checkObjects } from './objects.ts';

export type Deployment = Pick<CheckFacts, 'nodes' | 'services' | 'nodePorts'> & {
  readonly leftOut: readonly LeftOut[];
};

type Pod = KubeObject & {
  readonly status?: {
    readonly phase?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
  };
};
type Service = KubeObject & {
  readonly spec: {
    readonly clusterIPs?: readonly string[];
    readonly selector?: Readonly<Record<string, string>>;
    readonly ipFamilies?: readonly string[];
    readonly ports?: readonly { readonly name?: string; readonly nodePort?: number }[];
  };
};

type EndpointSlice = KubeObject & {
  readonly endpoints?: readonly {
    readonly addresses: readonly string[];
    readonly conditions?: { readonly ready?: boolean };
  }[];
};

const serviceNameLabel = 'kubernetes.io/service-name';

const types: Readonly<Record<string, ResourceType>> = {
  Namespace: namespaceType,
  Pod: podType,
  Service: serviceType,
};

/**
 * Leaves what is there already. A node whose pods are not ready after a minute, or that is NotReady before, is left out with the reason:
 * what happened to it must not hide how the others fare.
 */
export async function deployCheck(
  client: Client,
  nodes: readonly CheckNode[],
  dualStack: boolean,
): Promise<Deployment> {
  const objects = checkObjects({ nodes: nodes.map((node) => node.name), dualStack });
  const [namespace, ...rest] = objects;
  if (namespace !== undefined) await createIfMissing(client, namespace);
  await Promise.all(rest.map((object) => createIfMissing(client, object)));
  const { pods, leftOut } = await readyPods(client, nodes, objects);
  const served = nodes.filter(({ name }) => leftOut.every((node) => node.name !== name));
  const { items: services } = await client.list<Service>(serviceType, { namespace: checkNamespace });
  await eventually(() => requireEndpoints(client, services, pods), 10_000);
  return {
    nodes: served.map((node) => nodeFacts(node, pods)),
    services: serviceFacts(served, services),
    nodePorts: nodePortFacts(nodes[0]?.name ?? '', services),
    leftOut,
  };
}

/** Deletes the namespace and waits until it is gone. */
export async function removeCheck(client: Client): Promise<void> {
  try {
    await client.delete(namespaceType, checkNamespace);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  await eventually(async () => {
    try {
      await client.get(namespaceType, checkNamespace);
    } catch (error) {
      if (isNotFound(error)) return;
      throw error;
    }
    throw new Error(`namespace ${checkNamespace} is still being deleted`);
  }, 60_000);
}

/** Waits until the pods of each node are ready or the node is left out; only the pods of the former are in the result. */
async function readyPods(
  client: Client,
  nodes: readonly CheckNode[],
  objects: readonly KubeObject[],
): Promise<{ readonly pods: ReadonlyMap<string, Pod>; readonly leftOut: readonly LeftOut[] }> {
  const wanted = objects.filter((object) => object.kind === 'Pod').map((object) => object.metadata);
  const deadline = Date.now() + 60_000;
  for (;;) {
    const states = new Map((await checkNodes(client)).map((node) => [node.name, node]));
    const { items } = await client.list<Pod>(podType, { namespace: checkNamespace });
    const ready = new Map(items.filter(isReady).map((pod) => [pod.metadata.name, pod]));
    const missing = nodes.flatMap(({ name }) => {
      const pod = wanted.find((each) => each.labels?.node === name && !ready.has(each.name));
      return pod === undefined ? [] : [{ name, pod: pod.name, notReady: states.get(name)?.notReady }];
    });
    if (missing.every(({ notReady }) => notReady !== undefined) || Date.now() > deadline) {
      const leftOut = missing.map(({ name, pod, notReady }) => ({
        name,
        why: notReady ?? `pod ${pod} is not ready: ${whyNot(items, pod)}`,
      }));
      const out = new Set(leftOut.map(({ name }) => name));
      const pods = [...ready].filter(([, pod]) => !out.has(pod.metadata.labels?.node ?? ''));
      return { pods: new Map(pods), leftOut };
    }
    await sleep(100);
  }
}

async function createIfMissing(client: Client, object: KubeObject): Promise<void> {
  const type = types[object.kind];
  if (type === undefined) throw new Error(`the check deploys no ${object.kind}`);
  // A new namespace gets its service account a moment later, and pods are refused until then.
  await eventually(async () => {
    try {
      await client.create(type, object);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }, 10_000);
}

/** Throws while a Service lacks an address of a pod that it selects: a connection to it might be refused, and rightly. */
async function requireEndpoints(
  client: Client,
  services: readonly Service[],
  pods: ReadonlyMap<string, Pod>,
): Promise<void> {
  const { items } = await client.list<EndpointSlice>(endpointSliceType, { namespace: checkNamespace });
  const slicesOf = Map.groupBy(items, ({ metadata }) => metadata.labels?.[serviceNameLabel] ?? '');
  for (const { metadata, spec } of services) {
    const served = new Set(
      (slicesOf.get(metadata.name) ?? []).flatMap(({ endpoints }) =>
        (endpoints ?? []).flatMap(({ addresses, conditions }) => (conditions?.ready ? addresses : [])),
      ),
    );
    const { selector } = spec;
    if (selector === undefined) continue;
    const selected = [...pods.values()].filter((pod) =>
      selects({ matchLabels: selector }, pod.metadata.labels ?? {}),
    );
    for (const pod of selected) {
      for (const { ip } of pod.status?.podIPs ?? []) {
        if (spec.ipFamilies?.includes(ip.includes(':') ? 'IPv6' : 'IPv4') === true && !served.has(ip))
          throw new Error(`Service ${metadata.name} has no endpoint ${ip} of pod ${pod.metadata.name}`);
      }
    }
  }
}

function isReady(pod: Pod): boolean {
  const ready =
    pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
  return ready && (pod.status?.podIPs?.length ?? 0) > 0 && pod.metadata.deletionTimestamp === undefined;
}

function whyNot(pods: readonly Pod[], name: string): string {
  const pod = pods.find((each) => each.metadata.name === name);
  const messages = (pod?.status?.conditions ?? []).flatMap(({ message }) =>
    message === undefined ? [] : [message],
  );
  return pod === undefined
    ? 'there is no such pod'
    : `${pod.status?.phase ?? 'Pending'} ${messages.join('; ')}`.trim();
}

function nodeFacts(node: CheckNode, pods: ReadonlyMap<string, Pod>): NodeFacts {
  const facts = (app: string): PodFacts => {
    const name = `${app}-${node.name}`;
    const ips = (pods.get(name)?.status?.podIPs ?? []).map(({ ip }) => ip);
    return { name, node: node.name, addresses: byFamily(ips) };
  };
  return {
    name: node.name,
    addresses: byFamily(node.addresses),
    client: facts('client'),
    echo: facts('echo'),
    host: facts('host'),
  };
}

function serviceFacts(nodes: readonly CheckNode[], services: readonly Service[]): CheckFacts['services'] {
  const addresses = (name: string): Addresses =>
    byFamily(services.find((service) => service.metadata.name === name)?.spec.clusterIPs ?? []);
  return {
    echo: addresses('echo'),
    affinity: addresses('affinity'),
    empty: addresses('empty'),
    single: Object.fromEntries(nodes.map(({ name }) => [name, addresses(`single-${name}`)])),
  };
}

function nodePortFacts(first: string, services: readonly Service[]): NodePortFacts {
  const number = (name: string, port: 'http' | 'udp'): number => {
    const ports = services.find((service) => service.metadata.name === name)?.spec.ports ?? [];
    const given = ports.find((each) => each.name === port)?.nodePort;
    if (given === undefined) throw new Error(`Service ${name} was given no node port for ${port}`);
    return given;
  };
  return {
    open: { http: number('open', 'http'), udp: number('open', 'udp') },
    local: number('local', 'http'),
    lonely: { http: number('lonely', 'http'), node: first },
  };
}

export function byFamily(addresses: readonly string[]): Addresses {
  return Object.fromEntries(addresses.map((address) => [parseAddr(address)?.family ?? 4, address]));
}
