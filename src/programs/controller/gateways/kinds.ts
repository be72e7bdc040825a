/** Kinds that an instance of the gateway is made of, beside those of #api/core.ts. */
import type { ResourceType } from '#api/object.ts';

const kind = (group: string, name: string, plural: string): ResourceType => ({
  group,
  version: 'v1',
  kind: name,
  plural,
  namespaced: true,
});

export const deploymentType = kind('apps', 'Deployment', 'deployments');
export const serviceAccountType = kind('', 'ServiceAccount', 'serviceaccounts');
export const disruptionBudgetType = kind('policy', 'PodDisruptionBudget', 'poddisruptionbudgets');
export const configMapType = kind('', 'ConfigMap', 'configmaps');
