/** What the controller may do for Gateways, beyond what it may do anyway; and the GatewayClass that comes with Netloom. */

import { group } from '#api/kind.ts';
import { alaudaGroup } from '#api/kinds/alaudaparts.ts';
import { alb2Kind } from '#api/kinds/alb2.ts';
import { frontendKind } from '#api/kinds/frontend.ts';
import { gatewayGroup } from '#api/kinds/gatewayparts.ts';
import { ruleKind } from '#api/kinds/rule.ts';
import type { KubeObject } from '#api/object.ts';
import { controllerName } from '#compile/gateway/types.ts';

const watch = ['get', 'list', 'watch'];
const own = [...watch, 'create', 'patch', 'delete'];

const read = [
  'gatewayclasses',
  'gateways',
  'listenersets',
  'httproutes',
  'grpcroutes',
  'tlsroutes',
  'tcproutes',
  'udproutes',
  'referencegrants',
  'backendtlspolicies',
];

/** Of our own group. */
const netloom = ['albs', 'trafficpolicies', 'backendpolicies', 'wafpolicies', 'hostnamegrants'];

/**
 * A Gateway's objects stand in the Gateway's namespace, which may be any; so do the Secrets and ConfigMaps that it refers to. RBAC has
 * no word for "only of type kubernetes.io/tls": the controller asks for these, and for others by name.
 */
export const gatewayRules: readonly object[] = [
  { apiGroups: [gatewayGroup], resources: read, verbs: watch },
  // Its finalizer, while a Gateway has it.
  { apiGroups: [gatewayGroup], resources: ['gatewayclasses'], verbs: ['patch'] },
  {
    apiGroups: [gatewayGroup],
    resources: read.filter((name) => name !== 'referencegrants').map((name) => `${name}/status`),
    verbs: ['patch'],
  },
  {
    apiGroups: [alaudaGroup],
    resources: [alb2Kind.plural, frontendKind.plural, ruleKind.plural],
    verbs: watch,
  },
  {
    apiGroups: [alaudaGroup],
    resources: [`${alb2Kind.plural}/status`, `${frontendKind.plural}/status`],
    verbs: ['patch'],
  },
  { apiGroups: [group], resources: netloom, verbs: watch },
  { apiGroups: [group], resources: netloom.map((name) => `${name}/status`), verbs: ['patch'] },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses'], verbs: watch },
  { apiGroups: ['networking.k8s.io'], resources: ['ingresses/status'], verbs: ['patch'] },
  // An ALB's own class is made where there is none, and goes with it.
  { apiGroups: ['networking.k8s.io'], resources: ['ingressclasses'], verbs: own },
  { apiGroups: [''], resources: ['services', 'serviceaccounts', 'secrets'], verbs: own },
  // Addresses of nodes, which its load balancers may have.
  { apiGroups: [''], resources: ['services/status'], verbs: ['patch'] },
  // Those that are referred to are watched by their names; none is asked for otherwise.
  { apiGroups: [''], resources: ['configmaps'], verbs: ['list', 'watch'] },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: own },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: own },
];

export const gatewayClassName = 'netloom';

export function gatewayClassObject(labels: Readonly<Record<string, string>>): KubeObject {
  return {
    apiVersion: `${gatewayGroup}/v1`,
    kind: 'GatewayClass',
    metadata: { name: gatewayClassName, labels },
    spec: { controllerName },
  };
}
