/** How many pods a Gateway has, by the ConfigMap that it refers to. */
import { gatewayKind } from '#api/kinds/gateway.ts';
import type { Cluster } from './cluster.ts';

export async function askForPods(cluster: Cluster, name: string, replicas: number): Promise<void> {
  const map = `${name}-size`;
  await cluster.apply({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: map, namespace: 'default' },
    data: { replicas: String(replicas) },
  });
  const parametersRef = { group: '', kind: 'ConfigMap', name: map };
  await cluster.client.patch(
    gatewayKind,
    { name, namespace: 'default' },
    { kind: 'merge', body: { spec: { infrastructure: { parametersRef } } } },
  );
}
