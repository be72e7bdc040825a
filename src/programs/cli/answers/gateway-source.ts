/** Where the objects of gateways come from: files, a lab, or the cluster of the kubeconfig. */
import { secretType } from '#api/core.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { type Client, createClient, isNotFound } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { defaulted, overlay } from '#model/overlay.ts';
import { withStandIns } from '#model/stand-ins.ts';
import { type Invocation, UsageError } from '../command.ts';
import { type Gateways, gatewaysOf, gatewayTypes, namedIn, ourClass } from './gateways.ts';
import { objectsIn } from './objects.ts';
import { kubeconfigPath, problemLine } from './source.ts';

/** By `--files` or `--name`. What is wrong with objects is told as progress. */
export async function gatewaySource(invocation: Invocation): Promise<Gateways> {
  const { files, name } = invocation.values;
  if (files !== undefined && name !== undefined)
    throw new UsageError('--files answers from files alone; leave out --name');
  const found =
    typeof files === 'string' ? await fromFiles(files, invocation.progress) : await fromCluster(invocation);
  for (const problem of found.problems) invocation.progress(problemLine(problem));
  return found;
}

async function fromFiles(paths: string, progress: Invocation['progress']): Promise<Gateways> {
  const { objects: written, others: unread } = await objectsIn(paths);
  for (const other of unread) progress(`not looked at: ${other}`);
  const { value, problems } = overlay([], written, 'apply');
  const [first] = problems;
  if (first !== undefined) throw new UsageError(problemLine(first));
  const endpoints = written.filter(({ kind }) => kind === 'EndpointSlice').map(defaulted);
  const others = value.filter(({ kind }) => kind !== 'EndpointSlice');
  // Services that come with pods or workloads rather than endpoints have those that a cluster would make.
  const { value: whole } = withStandIns([...others, ...endpoints]);
  return gatewaysOf([ourClass, ...whole], namedIn(whole));
}

async function fromCluster(invocation: Invocation): Promise<Gateways> {
  const path = await kubeconfigPath(invocation);
  const client = createClient(await loadKubeconfig(path === undefined ? {} : { path }));
  try {
    return await clusterGateways(client, invocation.progress);
  } finally {
    client.close();
  }
}

/** Lists what gateways are made of, and gets what they refer to. */
export async function clusterGateways(client: Client, progress: Invocation['progress']): Promise<Gateways> {
  const lists = await Promise.all(gatewayTypes.map((type) => listOf(client, type)));
  return gatewaysOf(lists.flat(), async (kind, namespace, name) => {
    const plural = kind === 'Secret' ? 'secrets' : 'configmaps';
    try {
      const object = await client.get<KubeObject>({ ...secretType, kind, plural }, name, namespace);
      return { ...object, apiVersion: 'v1', kind };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (!isNotFound(error)) progress(`${kind} ${namespace}/${name} can't be read: ${reason}`);
      return undefined;
    }
  });
}

/** A kind that the cluster doesn't have has no objects. */
async function listOf(client: Client, type: ResourceType): Promise<readonly KubeObject[]> {
  try {
    const { items } = await client.list<KubeObject>(type);
    const apiVersion = type.group === '' ? type.version : `${type.group}/${type.version}`;
    return items.map((item) => ({ ...item, apiVersion, kind: type.kind }));
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}
