/** The kinds of the Network Policy API in a lab: their CRDs are the cluster's, not Netloom's, so a test brings what it needs of them. */
import type { KubeObject, ResourceType } from '#api/object.ts';
import {
  adminNetworkPolicyType,
  baselineAdminNetworkPolicyType,
  clusterNetworkPolicyType,
} from '#api/policies.ts';
import { eventually } from '#lab/eventually.ts';
import type { Cluster } from './cluster.ts';

/** Resolves when they are served; what is there already stays. */
export async function installPolicyKinds(cluster: Cluster): Promise<void> {
  const wanted = [adminNetworkPolicyType, baselineAdminNetworkPolicyType, clusterNetworkPolicyType];
  const absent = await Promise.all(
    wanted.map(async (type) => {
      const served = await cluster.client.list(type).then(
        () => true,
        () => false,
      );
      return served ? [] : [type];
    }),
  );
  await cluster.apply(...absent.flat().map(definition));
  await eventually(() => Promise.all(wanted.map((type) => cluster.client.list(type))));
}

/** Without a schema: what a policy may say is read and judged by Netloom's model. */
function definition({ group, version, kind, plural }: ResourceType): KubeObject {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      annotations: { 'api-approved.kubernetes.io': 'unapproved, for a test' },
    },
    spec: {
      group,
      scope: 'Cluster',
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  } as KubeObject;
}
