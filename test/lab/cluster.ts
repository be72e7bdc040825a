/** A whole cluster for one test file: up through the same door as `netloom lab up`, down whatever happens. */
import { readFile } from 'node:fs/promises';
import { parseAllDocuments } from 'yaml';
import type { KubeObject } from '#api/object.ts';
import { type Client, type ClientConfig, createClient } from '#kube/client.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Lab } from '#lab/client.ts';
import { labDown } from '#lab/lifecycle.ts';
import { applyObjects, type ClusterOptions, clusterUp } from '#programs/cli/cluster.ts';
import { imageKubectl } from '#programs/cli/kubectl.ts';
import { type RunResult, run } from '#system/process.ts';

export type Cluster = {
  readonly name: string;
  readonly lab: Lab;
  readonly client: Client;
  readonly config: ClientConfig;
  /** The real kubectl, as a user's shell would start it. */
  kubectl(...args: readonly string[]): Promise<RunResult>;
  /** Applies a file of `examples/`. */
  applyExample(file: string): Promise<void>;
  apply(...objects: readonly KubeObject[]): Promise<void>;
  down(): Promise<void>;
};

/** Unlike that of any other test run on this machine. */
export const labNameOf = (topic: string): string => `test-${topic}-${process.pid}`;

/** The long forms of the chaos tests: many rounds instead of a few. */
export const isLong = process.env.NETLOOM_LONG === '1';

export type Shape = Partial<Omit<ClusterOptions, 'name' | 'progress'>>;

/** Take it down in afterAll; a cluster that doesn't come up is taken down here. */
export async function startCluster(topic: string, shape: Shape = {}): Promise<Cluster> {
  const name = labNameOf(topic);
  try {
    const options = { nodes: 2, family: 'dual', mode: 'overlay', mtu: 1500, ...shape } as const;
    const lab = await clusterUp({ ...options, name, progress: () => {} });
    const config = { ...(await loadKubeconfig({ path: lab.kubeconfigPath })), requestsPerSecond: 1000 };
    const client = createClient(config);
    const kubectl = imageKubectl(lab.spec.imageRoot);
    const apply = (...objects: readonly KubeObject[]) => applyObjects(client, objects);
    return {
      name,
      lab,
      client,
      config,
      kubectl: (...args) =>
        run([...kubectl, ...args], {
          env: { ...process.env, KUBECONFIG: lab.kubeconfigPath },
          timeoutMs: 60_000,
        }),
      apply,
      applyExample: async (file) => {
        const text = await readFile(new URL(`../../examples/${file}`, import.meta.url), 'utf8');
        await apply(...parseAllDocuments(text).map((document) => document.toJS() as KubeObject));
      },
      down: async () => {
        client.close();
        await labDown(name);
      },
    };
  } catch (error) {
    await labDown(name);
    throw error;
  }
}
