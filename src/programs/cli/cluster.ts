/** A whole cluster in a lab: machines, API server and kubelet, Netloom and the cluster DNS on them, all ready. */
import { setTimeout as sleep } from 'node:timers/promises';
import { namespaceType, nodeType, podType, serviceType } from '#api/core.ts';
import { isForeign } from '#api/crd.ts';
import { kinds } from '#api/kinds.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import type { SubnetMode } from '#intent/node.ts';
import { type Client, createClient } from '#kube/client.ts';
import { ApiError } from '#kube/errors.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { type Lab, openLab } from '#lab/client.ts';
import type { Family } from '#lab/config.ts';
import { dnsManifests } from '#lab/dns/manifests.ts';
import { labUp } from '#lab/lifecycle.ts';
import { routerNeighbors } from '#lab/router.ts';
import { clusterNetwork, ofFamily, routerAddresses } from '#lab/topology.ts';
import { type NodeLease, netloomManifests } from './manifests.ts';
import { readiness } from './readiness.ts';

export type ClusterOptions = {
  readonly name: string;
  readonly nodes: number;
  readonly family: Family;
  readonly mode: SubnetMode;
  readonly mtu: number;
  /** L2 segments behind the router; default one. */
  readonly segments?: number;
  /** The router speaks BGP, and the nodes with it. */
  readonly bgp?: boolean;
  /** It does, and with whom the nodes speak is left to objects that come later. */
  readonly bgpRouter?: boolean;
  /** Without Netloom: nodes stay without a pod network. */
  readonly bare?: boolean;
  readonly nodeLease?: NodeLease;
  readonly progress: (line: string) => void;
};

const deadlineSeconds = 120;

/** Starts what is missing of it; what runs already is left alone. */
export async function clusterUp(options: ClusterOptions): Promise<Lab> {
  const { name, nodes, family, mtu, progress } = options;
  const { segments = 1, bgp = false, bgpRouter = bgp } = options;
  const { started } = await labUp({ name, nodes, family, mtu, segments, bgp: bgpRouter, progress });
  if (!started) progress(`lab ${name} is running already`);
  const lab = await openLab(name);
  if (options.bare === true) return lab;
  if (options.mode === 'underlay') await addPodNetwork(lab, family);
  const client = createClient({
    ...(await loadKubeconfig({ path: lab.kubeconfigPath })),
    requestsPerSecond: 1000,
  });
  try {
    const [host = ''] = routerAddresses(family);
    const manifests = netloomManifests({
      podCidrs: ofFamily(family, clusterNetwork.pods),
      mode: options.mode,
      ...(options.mode === 'underlay' ? { podGateways: ofFamily(family, clusterNetwork.podGateway) } : {}),
      serviceCidrs: ofFamily(family, clusterNetwork.services),
      apiServer: { host, port: clusterNetwork.apiServerPort },
      image: 'netloom/node',
      nodeLease: options.nodeLease,
    });
    const neighbors = bgp ? routerNeighbors({ family, mtu, nodes: [], segments }) : [];
    const dns = dnsManifests({
      addresses: ofFamily(family, clusterNetwork.dns),
      domain: clusterNetwork.domain,
    });
    await timed(progress, 'Netloom and cluster DNS applied', () =>
      applyObjects(client, [...manifests, ...neighbors, ...dns], progress),
    );
    await timed(progress, 'nodes and system pods ready', () => waitReady(client, nodes));
  } finally {
    client.close();
  }
  return lab;
}

/** The router has an address in the pods' network, as that of any site would; hosts outside know only that it is on their wire. */
async function addPodNetwork(lab: Lab, family: Family): Promise<void> {
  const networks = ofFamily(family, clusterNetwork.pods);
  for (const [index, gateway] of ofFamily(family, clusterNetwork.podGateway).entries()) {
    const length = networks[index]?.replace(/.*\//, '');
    await mustRun(lab, 'router', ['ip', 'address', 'replace', `${gateway}/${length}`, 'dev', 'underlay']);
    await mustRun(lab, 'outside', ['ip', 'route', 'replace', networks[index] ?? '', 'dev', 'eth0']);
  }
}

async function mustRun(lab: Lab, machine: string, argv: readonly string[]): Promise<void> {
  const { code, stderr } = await lab.exec(machine, argv);
  if (code !== 0) throw new Error(`${machine}: ${argv.join(' ')}: ${stderr.trim()}`);
}

/** Puts in front of each line how long ago the command began. */
export function withElapsed(progress: (line: string) => void): (line: string) => void {
  const start = performance.now();
  return (line) => progress(`[${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s] ${line}`);
}

/** Says how long a step took. */
export async function timed<T>(
  progress: (line: string) => void,
  step: string,
  work: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const value = await work();
  progress(`${step} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  return value;
}

/**
 * Server-side applies objects in an order in which each finds what it needs: namespaces and CRDs first, then all others at once.
 * A kind whose CRD was just made is asked for again until the server serves it. A CRD that is somebody else's stays as it is.
 */
export async function applyObjects(
  client: Client,
  objects: readonly KubeObject[],
  progress: (line: string) => void = () => {},
): Promise<void> {
  const isCrd = (object: KubeObject) => object.kind === 'CustomResourceDefinition';
  const first = (object: KubeObject) => object.kind === 'Namespace' || isCrd(object);
  for (const batch of [objects.filter(first), objects.filter((object) => !first(object))]) {
    await Promise.all(
      batch.map(async (object) => {
        if (isCrd(object) && (await isTaken(client, object)))
          progress(`${object.metadata.name}: there already and not Netloom's, left as it is`);
        else await applyObject(client, object);
      }),
    );
  }
}

async function isTaken(client: Client, wanted: KubeObject): Promise<boolean> {
  try {
    return isForeign(await client.get(await resourceType(client, wanted), wanted.metadata.name), wanted);
  } catch (error) {
    if (error instanceof ApiError && error.code === 404) return false;
    throw error;
  }
}

async function applyObject(client: Client, object: KubeObject): Promise<void> {
  const { name } = object.metadata;
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      const type = await resourceType(client, object);
      const target = type.namespaced ? { name, namespace: object.metadata.namespace ?? 'default' } : { name };
      await client.patch(type, target, {
        kind: 'apply',
        body: object,
        fieldManager: 'netloom-cli',
        force: true,
      });
      return;
    } catch (error) {
      const early = error instanceof ApiError && error.code === 404 && Date.now() < deadline;
      if (!early)
        throw new Error(`${object.kind} ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    await sleep(50);
  }
}

const known: readonly ResourceType[] = [namespaceType, podType, serviceType, ...kinds];

/** Of a kind that we don't know by heart the server's discovery tells the plural. */
async function resourceType(client: Client, { apiVersion, kind }: KubeObject): Promise<ResourceType> {
  const [group, version] = apiVersion.includes('/')
    ? (apiVersion.split('/') as [string, string])
    : ['', apiVersion];
  const found = known.find((type) => type.kind === kind && type.group === group && type.version === version);
  if (found !== undefined) return found;
  type Resources = {
    readonly resources: readonly {
      readonly name: string;
      readonly kind: string;
      readonly namespaced: boolean;
    }[];
  };
  const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  const { resources } = await client.request<Resources>({ method: 'GET', path });
  const resource = resources.find((each) => each.kind === kind && !each.name.includes('/'));
  if (resource === undefined)
    throw new ApiError(404, { message: `the server has no ${kind} in ${apiVersion}` });
  return { group, version, kind, plural: resource.name, namespaced: resource.namespaced };
}

async function waitReady(client: Client, nodes: number): Promise<void> {
  const deadline = Date.now() + deadlineSeconds * 1000;
  for (;;) {
    const [nodeList, podList] = await Promise.all([client.list(nodeType), client.list(podType)]);
    const waiting = readiness(nodeList.items, podList.items, nodes);
    if (waiting.length === 0) return;
    if (Date.now() > deadline) throw new Error(`not ready after ${deadlineSeconds} s: ${waiting.join('; ')}`);
    await sleep(100);
  }
}
