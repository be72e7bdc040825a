/** Asks the datapaths of a cluster's nodes, each by its socket: in a lab the node is entered, elsewhere kubectl reaches into its container. */
import { podType } from '#api/core.ts';
import type { KubeObject } from '#api/object.ts';
import { createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Lab } from '#lab/client.ts';
import { run } from '#system/process.ts';
import { paths } from '#system/registry.ts';

/** Netloom's own on a node. */
export type NodePod = { readonly node: string; readonly namespace: string; readonly name: string };

type PodObject = KubeObject & { readonly spec?: { readonly nodeName?: string } };

const nodePods = 'app.kubernetes.io/name=netloom,app.kubernetes.io/component=node';

export async function nodePodsOf(lab: Lab | undefined): Promise<readonly NodePod[]> {
  const client = createClient(await loadKubeconfig(lab === undefined ? {} : { path: lab.kubeconfigPath }));
  try {
    const { items } = await client.list<PodObject>(podType, { labelSelector: nodePods });
    return items.flatMap(({ metadata, spec }) =>
      spec?.nodeName === undefined
        ? []
        : [{ node: spec.nodeName, namespace: metadata.namespace ?? '', name: metadata.name }],
    );
  } finally {
    client.close();
  }
}

/** What it answers to a GET (`src/intent/handover.ts`). */
export async function askDatapath<T>(
  lab: Lab | undefined,
  { node, namespace, name }: NodePod,
  path: string,
): Promise<T> {
  const curl = [
    'curl',
    '-sS',
    '--fail',
    '--unix-socket',
    paths.datapathSocket.value,
    `http://datapath${path}`,
  ];
  const { code, stdout, stderr } =
    lab === undefined
      ? await run(['kubectl', 'exec', '-n', namespace, name, '-c', 'datapath', '--', ...curl])
      : await lab.exec(node, curl);
  if (code !== 0) throw new Error(stderr.trim() || `exit code ${code}`);
  return JSON.parse(stdout) as T;
}
