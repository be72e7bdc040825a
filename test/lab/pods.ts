/** Pods and Services for tests of whole labs: made, waited for, and found on their nodes. */
import { podType, serviceType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import type { EndpointStatus } from '#intent/handover.ts';
import type { Client } from '#kube/client.ts';
import type { Lab } from '#lab/client.ts';
import { eventually } from '#lab/eventually.ts';
import { parseAddr } from '#net/addr.ts';
import { paths } from '#system/registry.ts';
import type { Cluster } from './cluster.ts';

export type PodAt = {
  readonly name: string;
  readonly node: string;
  /** Name of its network namespace on the node. */
  readonly netns: string;
  readonly ipv4: string;
  readonly ipv6: string;
};

export type PodObject = KubeObject & {
  readonly spec: {
    readonly nodeName?: string;
    readonly hostNetwork?: boolean;
    readonly containers?: readonly { readonly name: string }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly name: string;
      readonly ready: boolean;
      readonly restartCount: number;
    }[];
  };
};

export type PodWish = {
  readonly name: string;
  readonly node?: string;
  readonly namespace?: string;
  readonly app?: string;
  /** Default netloom/client. */
  readonly image?: string;
};

export function pod({
  name,
  node,
  namespace = 'default',
  app = name,
  image = 'netloom/client',
}: PodWish): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app } },
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      terminationGracePeriodSeconds: 0,
      tolerations: [{ operator: 'Exists' }],
      containers: [{ name: 'main', image }],
    },
  } as KubeObject;
}

/** Dual-stack; HTTP on 80, the TCP echo on 81. */
export function service(name: string, app: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: {
      ipFamilyPolicy: 'RequireDualStack',
      selector: { app },
      ports: [
        { name: 'http', port: 80, targetPort: 8080 },
        { name: 'tcp', port: 81, targetPort: 8081 },
      ],
    },
  } as KubeObject;
}

export function isReady({ metadata, status }: PodObject): boolean {
  return (
    metadata.deletionTimestamp === undefined &&
    status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') === true
  );
}

/** Makes pods and waits until they are ready; in the order asked for. */
export async function startPods(cluster: Cluster, wishes: readonly PodWish[]): Promise<PodAt[]> {
  await cluster.apply(...wishes.map(pod));
  return Promise.all(wishes.map(({ name, namespace = 'default' }) => readyPod(cluster, namespace, name)));
}

export async function readyPod({ client, lab }: Cluster, namespace: string, name: string): Promise<PodAt> {
  return eventually(async () => {
    const found = await client.get<PodObject>(podType, name, namespace);
    if (!isReady(found)) throw new Error(`pod ${name} is not ready: ${JSON.stringify(found.status)}`);
    const node = found.spec.nodeName ?? '';
    const endpoint = (await endpointsOf(lab, node)).find((each) => each.pod.uid === found.metadata.uid);
    if (endpoint === undefined) throw new Error(`the datapath of ${node} has no pod ${name}`);
    const ips = (found.status?.podIPs ?? []).map(({ ip }) => ip);
    const of = (family: 4 | 6) => ips.find((ip) => parseAddr(ip)?.family === family) ?? '';
    return { name, node, netns: endpoint.containerID, ipv4: of(4), ipv6: of(6) };
  }, 30_000);
}

/** Both addresses of a Service, IPv4 first. */
export async function serviceIPs({ client }: Cluster, name: string): Promise<readonly string[]> {
  type Service = KubeObject & { readonly spec: { readonly clusterIPs: readonly string[] } };
  return (await client.get<Service>(serviceType, name, 'default')).spec.clusterIPs;
}

/** Asks the datapath of a node; throws while it doesn't answer. */
export async function askDatapath<T>(lab: Lab, node: string, path: string): Promise<T> {
  const argv = [
    'curl',
    '-sS',
    '-m',
    '5',
    '--unix-socket',
    paths.datapathSocket.value,
    `http://datapath${path}`,
  ];
  const { code, stdout, stderr } = await lab.exec(node, argv);
  if (code !== 0) throw new Error(`the datapath of ${node} does not answer: ${stderr.trim()}`);
  return JSON.parse(stdout) as T;
}

export const endpointsOf = (lab: Lab, node: string): Promise<readonly EndpointStatus[]> =>
  askDatapath(lab, node, '/v1/endpoints');

/** Netloom's own pod on a node. */
export async function systemPodOn(client: Client, node: string): Promise<PodObject> {
  const { items } = await client.list<PodObject>(podType, {
    namespace: 'netloom-system',
    labelSelector: 'app.kubernetes.io/component=node',
    fieldSelector: `spec.nodeName=${node}`,
  });
  const found = items.find((each) => each.metadata.deletionTimestamp === undefined);
  if (found === undefined) throw new Error(`no pod of Netloom on ${node}`);
  return found;
}
