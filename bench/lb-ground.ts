/** The cluster of `netloom bench lb`: three nodes, a router that speaks BGP, MetalLB's objects, echo servers and their Services. */
import { nodeType, podType, serviceType } from '#api/core.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import type { DatapathStatus } from '#intent/handover.ts';
import { type Client, createClient, isNotFound } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Lab } from '#lab/client.ts';
import { eventually } from '#lab/eventually.ts';
import { labDown } from '#lab/lifecycle.ts';
import { type Neighbors, openNeighbors } from '#lab/neighbors.ts';
import { routerPeers } from '#lab/router.ts';
import { routerSessions, routerVtysh } from '#lab/router-table.ts';
import { applyObjects, clusterUp } from '#programs/cli/cluster.ts';
import { paths } from '#system/registry.ts';
import { compileClient } from './lb-flow.ts';

export const nodes = ['node1', 'node2', 'node3'] as const;
export const echoPort = 8082;

export type Ground = {
  readonly lab: Lab;
  readonly client: Client;
  readonly neighbors: Neighbors;
  apply(...objects: readonly KubeObject[]): Promise<void>;
  remove(object: KubeObject): Promise<void>;
  /** Waits until all nodes, their echo servers and their sessions (where there are peers) are as they were before a fault. */
  whole(bfd: boolean | undefined): Promise<void>;
  close(): Promise<void>;
};

const name = 'bench-lb';

export async function openGround(progress: (line: string) => void): Promise<Ground> {
  await labDown(name);
  const shape = { nodes: nodes.length, family: 'dual', mode: 'overlay', mtu: 1500, bgpRouter: true } as const;
  const lab = await clusterUp({ name, ...shape, progress });
  const config = await loadKubeconfig({ path: lab.kubeconfigPath });
  const client = createClient({ ...config, requestsPerSecond: 1000, burst: 1000 });
  await Promise.all([compileClient(lab, 'outside'), compileClient(lab, 'router')]);
  const neighbors = await openNeighbors(lab);
  return {
    lab,
    client,
    neighbors,
    apply: (...objects) => applyObjects(client, objects),
    remove: async ({ kind, metadata }) => {
      const type = typeOf(kind);
      await client
        .delete(
          type,
          metadata.name,
          metadata.namespace === undefined ? {} : { namespace: metadata.namespace },
        )
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
    },
    whole: (bfd) => eventually(() => expectWhole(lab, client, bfd), 90_000, 100),
    close: async () => {
      client.close();
      await labDown(name);
    },
  };
}

function typeOf(kind: string): ResourceType {
  const found = [serviceType, podType, ...kinds].find((each) => each.kind === kind);
  if (found === undefined) throw new Error(`no kind ${kind}`);
  return found;
}

type Conditioned = KubeObject & {
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
};

async function expectWhole(lab: Lab, client: Client, bfd: boolean | undefined): Promise<void> {
  const [machines, pods] = await Promise.all([
    client.list<Conditioned>(nodeType),
    client.list<Conditioned>(podType),
  ]);
  const late = [...machines.items, ...pods.items].filter(
    ({ status }) =>
      !(status?.conditions ?? []).some((each) => each.type === 'Ready' && each.status === 'True'),
  );
  if (late.length > 0) throw new Error(`not ready: ${late.map(({ metadata }) => metadata.name).join(', ')}`);
  for (const node of nodes) {
    const { absent = [] } = await datapathOf(lab, node);
    if (absent.length > 0) throw new Error(`${node} misses ${absent.map((each) => each.node).join(', ')}`);
  }
  if (bfd === undefined) return;
  const down = [...(await routerSessions(lab))].filter(([, { state }]) => state !== 'Established');
  if (down.length > 0) throw new Error(`no session with ${down.map(([node]) => node).join(', ')}`);
  if (!bfd) return;
  const peers = JSON.parse(await routerVtysh(lab, 'show bfd peers json')) as {
    peer: string;
    status: string;
  }[];
  const silent = peers.filter(({ status }) => status !== 'up');
  if (silent.length > 0) throw new Error(`BFD is down with ${silent.map(({ peer }) => peer).join(', ')}`);
}

export async function datapathOf(lab: Lab, node: string): Promise<DatapathStatus> {
  const argv = ['curl', '-sS', '-m', '5', '--unix-socket', paths.datapathSocket.value, 'http://d/v1/status'];
  const { code, stdout, stderr } = await lab.exec(node, argv);
  if (code !== 0) throw new Error(`${node}: ${stderr.trim()}`);
  return JSON.parse(stdout) as DatapathStatus;
}

const metallb = 'metallb-system';
const object = (kind: string, version: string, of: string, spec: object): KubeObject =>
  ({
    apiVersion: `metallb.io/${version}`,
    kind,
    metadata: { name: of, namespace: metallb },
    spec,
  }) as KubeObject;

/** Pools: a few addresses of the segment, as many as are wanted of none; each for one protocol. */
export const commonObjects: readonly KubeObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: metallb } } as KubeObject,
  object('IPAddressPool', 'v1beta1', 'segment', {
    addresses: ['192.168.66.224-192.168.66.239', 'fd66::e000-fd66::e0ff'],
    autoAssign: false,
  }),
  object('IPAddressPool', 'v1beta1', 'segment-many', { addresses: ['172.20.0.0/20'], autoAssign: false }),
  object('IPAddressPool', 'v1beta1', 'fabric', {
    addresses: ['198.51.100.0/24', '2001:db8:77::/120'],
    autoAssign: false,
  }),
  object('IPAddressPool', 'v1beta1', 'fabric-many', { addresses: ['172.21.0.0/20'], autoAssign: false }),
  object('L2Advertisement', 'v1beta1', 'segment', { ipAddressPools: ['segment', 'segment-many'] }),
  object('BGPAdvertisement', 'v1beta1', 'fabric', { ipAddressPools: ['fabric', 'fabric-many'] }),
  object('BFDProfile', 'v1beta1', 'fast', {
    receiveInterval: 100,
    transmitInterval: 100,
    detectMultiplier: 3,
  }),
];

/** Hold time in seconds: the shortest that BGP has (RFC 4271 §4.2). */
export const holdSeconds = 3;

export const peers = (bfd: boolean): readonly KubeObject[] =>
  routerPeers('dual', {
    holdTime: `${holdSeconds}s`,
    keepaliveTime: '1s',
    ...(bfd ? { bfdProfile: 'fast' } : {}),
  });

/** An echo server on each node. It serves on for a while when it is told to end, as everything behind a balancer has to. */
export const echoes: readonly KubeObject[] = nodes.map(
  (nodeName) =>
    ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `echo-${nodeName}`, namespace: 'default', labels: { app: 'echo' } },
      spec: {
        nodeName,
        tolerations: [{ operator: 'Exists' }],
        containers: [
          {
            name: 'main',
            image: 'netloom/echo',
            lifecycle: { preStop: { sleep: { seconds: 3 } } },
          },
        ],
      },
    }) as KubeObject,
);

export type Wish = {
  readonly name: string;
  readonly pool: 'segment' | 'segment-many' | 'fabric' | 'fabric-many';
  readonly address?: string;
  readonly local?: boolean;
};

export function balanced({ name: of, pool, address, local = false }: Wish): KubeObject {
  const asked = address === undefined ? {} : { 'metallb.io/loadBalancerIPs': address };
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: of,
      namespace: 'default',
      annotations: { 'metallb.io/address-pool': pool, ...asked },
    },
    spec: {
      type: 'LoadBalancer',
      allocateLoadBalancerNodePorts: false,
      externalTrafficPolicy: local ? 'Local' : 'Cluster',
      ...(address?.includes(':') === true ? { ipFamilies: ['IPv6'] } : {}),
      ipFamilyPolicy: 'SingleStack',
      selector: { app: 'echo' },
      ports: [{ port: echoPort, protocol: 'UDP' }],
    },
  } as KubeObject;
}

/** The address that a Service was given, once it has one. */
export async function addressOf({ client }: Ground, service: string): Promise<string> {
  type Service = KubeObject & {
    readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly { readonly ip?: string }[] } };
  };
  return eventually(async () => {
    const { status } = await client.get<Service>(serviceType, service, 'default');
    const ip = status?.loadBalancer?.ingress?.[0]?.ip;
    if (ip === undefined) throw new Error(`Service ${service} has no address`);
    return ip;
  }, 30_000);
}
