/** `netloom why-ip`: which Subnets and IPPools were considered for a pod, which was taken, and why. */
import { type Namespace, type Node, namespaceType, nodeType, podType } from '#api/core.ts';
import { type BlockClaim, blockClaimKind } from '#api/kinds/blockclaim.ts';
import { type IPPool, ipPoolKind } from '#api/kinds/ippool.ts';
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { KubeObject, ResourceType } from '#api/object.ts';
import { type Explanation, explainPod } from '#compile/ipam/explain.ts';
import { type Client, createClient, isNotFound } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import { openLab } from '#lab/client.ts';
import { readBlockClaim } from '#model/blockclaim.ts';
import { readIPPool } from '#model/ippool.ts';
import { readNamespace } from '#model/namespace.ts';
import { isIdle, readPod } from '#model/pod.ts';
import type { Read } from '#model/problem.ts';
import { readSubnet } from '#model/subnet.ts';
import { columns } from './columns.ts';
import { exitCodes, type Invocation, UsageError } from './command.ts';
import { labName } from './lab-options.ts';

export async function run(invocation: Invocation): Promise<number> {
  const [operand = ''] = invocation.operands;
  const [first = '', second, ...more] = operand.split('/');
  const [namespace, name] = second === undefined ? ['default', first] : [first, second];
  if (name === '' || namespace === '' || more.length > 0) {
    throw new UsageError('netloom why-ip takes NAMESPACE/POD, or POD of namespace default');
  }
  const lab = await openLab(labName(invocation));
  const client = createClient(await loadKubeconfig({ path: lab.kubeconfigPath }));
  try {
    const explanation = await explain(client, namespace, name);
    if (explanation === undefined) {
      invocation.progress(`there is no pod ${namespace}/${name}`);
      return exitCodes.failed;
    }
    if (invocation.values.json === true) invocation.out(JSON.stringify(explanation));
    else for (const line of explanationLines(explanation)) invocation.out(line);
    return explanation.waits === undefined ? exitCodes.ok : exitCodes.failed;
  } finally {
    client.close();
  }
}

type PodObject = KubeObject & {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: { readonly podIPs?: readonly { readonly ip: string }[] };
};

async function explain(client: Client, namespace: string, name: string): Promise<Explanation | undefined> {
  const pod = await unlessMissing(() => client.get<PodObject>(podType, name, namespace));
  if (pod === undefined) return undefined;
  const node = pod.spec?.nodeName ?? '';
  const [space, at, subnets, pools, claims, pods] = await Promise.all([
    unlessMissing(() => client.get<Namespace>(namespaceType, namespace)),
    node === '' ? undefined : unlessMissing(() => client.get<Node>(nodeType, node)),
    all<Subnet>(client, subnetKind).then((list) => values(list, readSubnet)),
    all<IPPool>(client, ipPoolKind).then((list) => values(list, readIPPool)),
    all<BlockClaim>(client, blockClaimKind).then((list) => values(list, readBlockClaim)),
    node === '' ? [] : all<KubeObject>(client, podType, `spec.nodeName=${node}`),
  ]);
  return explainPod({
    pod: readPod(pod),
    node,
    nodeUID: at?.metadata.uid ?? '',
    addresses: (pod.status?.podIPs ?? []).map(({ ip }) => ip),
    namespace: space === undefined ? { name: namespace, labels: {} } : readNamespace(space),
    subnets,
    pools,
    claims,
    alive: new Set(
      pods
        .map(readPod)
        .filter((each) => !isIdle(each))
        .map(({ uid }) => uid),
    ),
  });
}

/** What people read. */
export function explanationLines(explanation: Explanation): string[] {
  const { pod, node, considered, placement, addresses, waits } = explanation;
  const rows = considered.map(({ kind, name, by, taken, reason }) => [
    taken ? '→' : ' ',
    `${kind} ${name}`,
    by,
    reason,
  ]);
  const how =
    placement === undefined
      ? []
      : [
          placement.fromBlocks
            ? `takes addresses from the blocks that its node holds of Subnet ${placement.subnet}`
            : `takes addresses of Subnet ${placement.subnet} that are claimed for it alone${kept(placement)}`,
        ];
  const own = addresses.map(({ address, claim, node: at, single, keep, generation }) => [
    address,
    claim === undefined ? 'of no claim' : `${single ? 'own claim' : 'block'} ${claim}`,
    at === undefined ? '' : `on ${at}`,
    [keep, generation === undefined ? undefined : `generation ${generation}`]
      .filter((each) => each !== undefined)
      .join(', '),
  ]);
  return [
    `pod ${pod}${node === '' ? '' : ` on ${node}`}`,
    '',
    ...columns(rows),
    ...(rows.length > 0 ? [''] : []),
    ...how,
    ...columns(own, '  ').map((line) => line.trimEnd()),
    ...(waits === undefined ? [] : [`has no address: ${waits}`]),
  ];
}

function kept({ keep, release }: NonNullable<Explanation['placement']>): string {
  return keep === undefined ? '' : `, and kept for ${keep} (${release ?? 'OnOwnerDeletion'})`;
}

async function unlessMissing<T>(get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get();
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function all<T extends KubeObject>(
  client: Client,
  type: ResourceType,
  fieldSelector?: string,
): Promise<readonly T[]> {
  return (await client.list<T>(type, fieldSelector === undefined ? {} : { fieldSelector })).items;
}

function values<T, M>(objects: readonly T[], read: (object: T) => Read<M>): M[] {
  return objects.flatMap((object) => read(object).value ?? []);
}
