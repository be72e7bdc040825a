/** What a cluster's own nodes found out about the network below them; the doctor only reads it. */
import { type Subnet, subnetKind } from '#api/kinds/subnet.ts';
import type { Condition } from '#api/object.ts';
import { createClient, isNotFound } from '#kube/client.ts';
import { findCondition } from '#kube/conditions.ts';
import { loadKubeconfig } from '#kube/kubeconfig.ts';
import type { Finding } from './doctor.ts';

/** One finding an underlay Subnet; none where there is no cluster to ask, or one without Netloom. */
export async function networkFindings(kubeconfig: string | undefined): Promise<Finding[]> {
  if (kubeconfig === undefined || kubeconfig === '') return [];
  try {
    const client = createClient(await loadKubeconfig({ path: kubeconfig }));
    try {
      const { items } = await client.list<Subnet>(subnetKind, { timeoutSeconds: 5, retries: 0 });
      return subnetFindings(items);
    } finally {
      client.close();
    }
  } catch (error) {
    if (isNotFound(error)) return [];
    const detail = `${kubeconfig}: ${error instanceof Error ? error.message : String(error)}`;
    return [{ name: 'cluster', state: 'unknown', detail, mend: 'an API server that answers' }];
  }
}

export function subnetFindings(subnets: readonly Subnet[]): Finding[] {
  return subnets
    .filter(({ spec }) => spec.mode === 'underlay')
    .map(({ metadata, status }): Finding => {
      const condition = findCondition(
        status?.conditions as readonly Condition[] | undefined,
        'UnderlayCarries',
      );
      const states = { True: 'ok', False: 'missing', Unknown: 'unknown' } as const;
      return {
        name: `network below Subnet ${metadata.name}`,
        state: states[condition?.status ?? 'Unknown'],
        detail: condition?.message ?? 'no node has found out yet',
        mend: "a layer 2 network that carries pods' addresses from and to every node",
      };
    });
}
