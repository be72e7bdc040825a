/** Who Netloom's programs are to the API, and what they may do there. */
import type { KubeObject } from '#api/object.ts';
import { systemNamespace } from '../node-lease.ts';

/** A service account and what it may do in the whole cluster. */
export function access(component: string, rules: readonly object[]): KubeObject[] {
  const name = `netloom-${component}`;
  const rbac = 'rbac.authorization.k8s.io';
  return [
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name, namespace: systemNamespace, labels: labels(component) },
    },
    { apiVersion: `${rbac}/v1`, kind: 'ClusterRole', metadata: { name, labels: labels(component) }, rules },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'ClusterRoleBinding',
      metadata: { name, labels: labels(component) },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name, namespace: systemNamespace }],
    },
  ];
}

/** Passwords of BGPNeighbors: of Netloom's own namespace only; for another one its owner binds this role there. */
export function passwordAccess(): KubeObject[] {
  const rbac = 'rbac.authorization.k8s.io';
  const metadata = { name: 'netloom-bgp-passwords', namespace: systemNamespace, labels: labels('agent') };
  return [
    {
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata,
      rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['get', 'list', 'watch'] }],
    },
    {
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata,
      roleRef: { apiGroup: rbac, kind: 'Role', name: metadata.name },
      subjects: [{ kind: 'ServiceAccount', name: 'netloom-agent', namespace: systemNamespace }],
    },
  ];
}

/** On everything that Netloom consists of. */
export function labels(component: string): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'netloom',
    'app.kubernetes.io/part-of': 'netloom',
    'app.kubernetes.io/component': component,
  };
}
